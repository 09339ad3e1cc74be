//! Values as they stand in lines (the page of the contract has the notation), and as MessagePack values.

use num_bigint::BigInt;
use polyproc::Ticket;
use polyproc::ipc::codec;
use serde_json::{Value as Json, json};

use crate::thing::{Any, Fault};

/// The extension type of tickets.
const TICKET: i8 = 6;

pub(crate) fn to_json(value: &Any) -> Json {
    match value {
        Any::Nil => Json::Null,
        Any::Boolean(flag) => json!(flag),
        Any::Integer(number) => number.as_i64().map_or_else(|| json!({"int": number.to_string()}), |number| json!(number)),
        Any::F32(number) => json!({"float32": f64::from(*number)}),
        Any::F64(number) if number.is_nan() => json!({"float": "nan"}),
        Any::F64(number) if number.is_infinite() => json!({"float": if *number > 0.0 { "inf" } else { "-inf" }}),
        Any::F64(number) => json!(number),
        Any::String(text) => text.as_str().map_or_else(|| json!({"text": hex(text.as_bytes())}), |text| json!(text)),
        Any::Binary(bytes) => json!({"bytes": hex(bytes)}),
        Any::Array(items) => items.iter().map(to_json).collect(),
        Any::Map(entries) => json!({"map": entries.iter().map(|(key, value)| json!([to_json(key), to_json(value)])).collect::<Vec<_>>()}),
        Any::Ext(kind, bytes) => extension(*kind, bytes),
    }
}

fn extension(kind: i8, bytes: &[u8]) -> Json {
    let array = || rmpv::decode::read_value(&mut &bytes[..]).map_or(Json::Null, |array| to_json(&array));
    match kind {
        codec::TUPLE => json!({"tuple": array()}),
        codec::SET => json!({"set": array()}),
        codec::FROZEN_SET => json!({"frozenset": array()}),
        codec::BIG_INTEGER => json!({"int": BigInt::from_signed_bytes_be(bytes).to_string()}),
        codec::COMPLEX if bytes.len() == 16 => {
            let part = |from: usize| to_json(&Any::F64(f64::from_be_bytes(bytes[from..from + 8].try_into().expect("eight bytes"))));
            json!({"complex": [part(0), part(8)]})
        }
        TICKET => json!({"object": Ticket::from_bytes(bytes).and_then(|ticket| ticket.kind()).map(|kind| format!("{kind:?}"))}),
        _ => json!({"extension": [kind, hex(bytes)]}),
    }
}

/// The ticket that a value is.
pub(crate) fn ticket(value: &Any) -> Option<Ticket> {
    match value {
        Any::Ext(TICKET, bytes) => Ticket::from_bytes(bytes),
        _ => None,
    }
}

pub(crate) fn from_json(json: &Json, tickets: &impl Fn(&str) -> Option<Ticket>) -> Result<Any, Fault> {
    let array = |items: &Json| items.as_array().into_iter().flatten().map(|item| from_json(item, tickets)).collect::<Result<Vec<Any>, Fault>>();
    let around = |kind: i8, items: &Json| {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Any::Array(array(items)?)).map_err(|error| Fault::driver(error.to_string()))?;
        Ok(Any::Ext(kind, bytes))
    };
    match json {
        Json::Null => Ok(Any::Nil),
        Json::Bool(flag) => Ok(Any::Boolean(*flag)),
        Json::Number(number) => {
            Ok(number.as_i64().map(Any::from).or_else(|| number.as_u64().map(Any::from)).unwrap_or_else(|| Any::F64(number.as_f64().unwrap_or_default())))
        }
        Json::String(text) => Ok(Any::from(text.as_str())),
        Json::Array(_) => Ok(Any::Array(array(json)?)),
        Json::Object(tag) => match tag.iter().next().map(|(name, inner)| (name.as_str(), inner)) {
            Some(("int", Json::String(digits))) => integer(digits),
            Some(("float", Json::String(name))) => name.parse().map(Any::F64).map_err(|_| Fault::driver(format!("{name} is no float"))),
            Some(("float32", number)) => Ok(Any::F32(number.as_f64().unwrap_or_default() as f32)),
            Some(("bytes", Json::String(digits))) => unhex(digits).map(Any::Binary),
            Some(("tuple", items)) => around(codec::TUPLE, items),
            Some(("set", items)) => around(codec::SET, items),
            Some(("frozenset", items)) => around(codec::FROZEN_SET, items),
            Some(("map", entries)) => array(entries)?.into_iter().map(entry).collect::<Result<_, _>>().map(Any::Map),
            Some(("complex", parts)) => match array(parts)?.as_slice() {
                [real, imaginary] => {
                    Ok(Any::Ext(codec::COMPLEX, [real, imaginary].iter().flat_map(|part| part.as_f64().unwrap_or(f64::NAN).to_be_bytes()).collect()))
                }
                _ => Err(Fault::driver("a complex number has two parts")),
            },
            Some(("object", Json::String(name))) => {
                let ticket = tickets(name).ok_or_else(|| Fault::driver(format!("{name} is no object that travels")))?;
                Ok(Any::Ext(TICKET, ticket.to_bytes().to_vec()))
            }
            // Bytes too many to write out: so many, counting up from 0 and over again.
            Some(("blob", Json::Number(len))) => Ok(Any::Binary((0..len.as_u64().unwrap_or_default()).map(|n| (n % 251) as u8).collect())),
            _ => Err(Fault::driver(format!("no value: {json}"))),
        },
    }
}

fn entry(pair: Any) -> Result<(Any, Any), Fault> {
    match pair {
        Any::Array(mut pair) if pair.len() == 2 => Ok((pair.remove(0), pair.remove(0))),
        other => Err(Fault::driver(format!("no entry: {other}"))),
    }
}

/// The shortest form: an integer of 64 bits is one, whatever notation it came in.
fn integer(digits: &str) -> Result<Any, Fault> {
    let number: BigInt = digits.parse().map_err(|_| Fault::driver(format!("{digits} is no integer")))?;
    Ok(match (i64::try_from(&number), u64::try_from(&number)) {
        (Ok(number), _) => Any::from(number),
        (_, Ok(number)) => Any::from(number),
        _ => Any::Ext(codec::BIG_INTEGER, number.to_signed_bytes_be()),
    })
}

fn hex(bytes: &[u8]) -> String {
    // Long ones are not written out: how many, and a sum by which a wrong one is noticed.
    if bytes.len() > 4096 {
        let sum = bytes.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        return format!("{} bytes, sum {sum}", bytes.len());
    }
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

fn unhex(digits: &str) -> Result<Vec<u8>, Fault> {
    let fault = || Fault::driver(format!("{digits} are no bytes"));
    if digits.len() % 2 == 1 || !digits.is_ascii() {
        return Err(fault());
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| fault())).collect()
}
