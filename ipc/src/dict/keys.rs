//! Keys: when two are the same, and their hash. Knows bytes only, no shared memory.
//!
//! Two keys are the same if their codecs and their *canonical bytes* are. Of MessagePack the canonical bytes are its shortest form, after Python's rules:
//! `True` is 1, `False` is 0, a float that is a whole number from -2^63 up to below 2^64 is that integer (so -0.0 is 0 and `1 == 1.0`), a 32-bit float is the same 64-bit float. All NaN are one
//! key (in Python, the same NaN *object* finds itself; elsewhere nothing but this is possible). Text is never equal to bytes. Arrays and tuples go by their elements, so a tuple is
//! the same key in every language; frozen sets go by theirs, in the order of their canonical bytes. Maps and sets cannot be keys. Other extension types go by type and bytes. Keys of any other codec, raw bytes among them, are taken as they are.
//!
//! **Hash** (64 bits; `s0`, `s1`: the fabric's id as two little-endian words, so that nobody can prepare keys that collide): with `fold(a, b)` the low half of the 128-bit product `a * b` exclusive-or its
//! high half, and the key's bytes padded with zeros to pairs of words `(a, b)`, one pair at least: `h = s0 ^ (length << 8 | codec)`, then for each pair `h = fold(h ^ a, s1 ^ b)`, then `h = fold(h, 0x9E3779B97F4A7C15)`.
//! The top four bits choose the shard, the low 32 are the tag in its index.

use std::borrow::Cow;

use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::FabricId;

/// Arrays within arrays that a key may have.
const DEPTH: usize = 64;

/// What a fabric's hashes begin with.
#[derive(Clone, Copy)]
pub(crate) struct Seed([u64; 2]);

impl Seed {
    pub(crate) fn of(id: FabricId) -> Seed {
        Seed([word(&id.0[..8]), word(&id.0[8..])])
    }

    /// The hash of canonical bytes.
    #[inline]
    fn hash(self, codec: u8, bytes: &[u8]) -> u64 {
        let mut hash = self.0[0] ^ ((bytes.len() as u64) << 8 | codec as u64);
        let mut pairs = bytes.chunks_exact(16);
        for pair in &mut pairs {
            hash = fold(hash ^ word(&pair[..8]), self.0[1] ^ word(&pair[8..]));
        }
        let rest = pairs.remainder();
        if !rest.is_empty() || bytes.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            hash = fold(hash ^ word(&last[..8]), self.0[1] ^ word(&last[8..]));
        }
        fold(hash, 0x9E37_79B9_7F4A_7C15)
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}

/// A key to be looked for.
pub(crate) struct Key<'a> {
    /// As it is compared.
    pub(crate) canonical: Cow<'a, [u8]>,
    /// As it was given, where that is something else; never empty.
    pub(crate) given: Option<&'a [u8]>,
    pub(crate) codec: u8,
    pub(crate) hash: u64,
}

impl<'a> Key<'a> {
    #[inline]
    pub(crate) fn new(seed: Seed, bytes: &'a [u8], codec: u8) -> Result<Key<'a>> {
        let canonical = if codec == codec::MESSAGEPACK { canonical(bytes)? } else { Cow::Borrowed(bytes) };
        if u32::try_from(canonical.len().max(bytes.len())).is_err() {
            return Err(Error::new(ErrorKind::TooLarge, format!("a key of {} bytes is longer than any key may be", bytes.len())));
        }
        let hash = seed.hash(codec, &canonical);
        let given = matches!(canonical, Cow::Owned(_)).then_some(bytes);
        Ok(Key { canonical, given, codec, hash })
    }

    /// Which of so many shards (a power of two, 16 at most) has the key.
    #[inline(always)]
    pub(crate) fn shard(&self, count: usize) -> usize {
        (self.hash >> 60) as usize & (count - 1)
    }
}

/// The bytes by which a MessagePack key is compared; borrowed if they are those given.
pub(crate) fn canonical(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if is_canonical_scalar(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut reader = Reader { rest: bytes };
    let mut out = Vec::with_capacity(bytes.len());
    reader.rewrite(&mut out, 0)?;
    if !reader.rest.is_empty() {
        return Err(refused(format!("{} bytes follow the value", reader.rest.len())));
    }
    Ok(if out == bytes { Cow::Borrowed(bytes) } else { Cow::Owned(out) })
}

/// Whether these are the canonical bytes of a common key, for sure: text, or an integer that is not below -32.
#[inline]
fn is_canonical_scalar(bytes: &[u8]) -> bool {
    let big = |len: usize, least: u64| bytes.len() == len + 1 && bytes[1..].iter().fold(0, |n, byte| n << 8 | u64::from(*byte)) >= least;
    match bytes.first() {
        Some(0x00..=0x7F | 0xC0 | 0xE0..=0xFF) => bytes.len() == 1,
        Some(first @ 0xA0..=0xBF) => bytes.len() == 1 + usize::from(first & 31),
        Some(0xD9) => bytes.len() > 33 && bytes.len() == 2 + usize::from(bytes[1]),
        Some(0xCC) => big(1, 0x80),
        Some(0xCD) => big(2, 0x100),
        Some(0xCE) => big(4, 0x1_0000),
        Some(0xCF) => big(8, 0x1_0000_0000),
        _ => false,
    }
}

#[cold]
fn refused(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("this cannot be a key: {why}"))
}

#[cold]
fn too_deep() -> Error {
    refused(format!("it has arrays within arrays more than {DEPTH} deep"))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| refused("its bytes end too early for MessagePack".into()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, len: usize) -> Result<u64> {
        Ok(self.take(len)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// Takes one value and appends its canonical form.
    fn rewrite(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<()> {
        let first = self.take(1)?[0];
        match first {
            0x00..=0x7F => put_integer(out, i128::from(first)),
            0xE0..=0xFF => put_integer(out, i128::from(first as i8)),
            0xC0 => out.push(first),
            0xC2 | 0xC3 => put_integer(out, i128::from(first & 1)),
            0xCA => put_float(out, f64::from(f32::from_bits(self.number(4)? as u32))),
            0xCB => put_float(out, f64::from_bits(self.number(8)?)),
            0xCC..=0xCF => put_integer(out, i128::from(self.number(1 << (first - 0xCC))?)),
            0xD0 => put_integer(out, i128::from(self.number(1)? as i8)),
            0xD1 => put_integer(out, i128::from(self.number(2)? as i16)),
            0xD2 => put_integer(out, i128::from(self.number(4)? as i32)),
            0xD3 => put_integer(out, i128::from(self.number(8)? as i64)),
            0xA0..=0xBF => self.rewrite_bytes(out, TEXT, u64::from(first & 31))?,
            0xD9..=0xDB => {
                let len = self.number(1 << (first - 0xD9))?;
                self.rewrite_bytes(out, TEXT, len)?;
            }
            0xC4..=0xC6 => {
                let len = self.number(1 << (first - 0xC4))?;
                self.rewrite_bytes(out, BINARY, len)?;
            }
            0x90..=0x9F => self.rewrite_array(out, u64::from(first & 15), depth)?,
            0xDC | 0xDD => {
                let len = self.number(2 << (first - 0xDC))?;
                self.rewrite_array(out, len, depth)?;
            }
            0xD4..=0xD8 => self.rewrite_extension(out, 1 << (first - 0xD4), depth)?,
            0xC7..=0xC9 => {
                let len = self.number(1 << (first - 0xC7))?;
                self.rewrite_extension(out, len, depth)?;
            }
            0x80..=0x8F | 0xDE | 0xDF => return Err(refused("it is, or holds, a map (in Rust: a struct or a map; a tuple would do)".into())),
            0xC1 => return Err(refused("its bytes are not MessagePack".into())),
        }
        Ok(())
    }

    fn rewrite_bytes(&mut self, out: &mut Vec<u8>, forms: Forms, len: u64) -> Result<()> {
        let bytes = self.take(len as usize)?;
        put_head(out, forms, len);
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn rewrite_array(&mut self, out: &mut Vec<u8>, len: u64, depth: usize) -> Result<()> {
        if depth == DEPTH {
            return Err(too_deep());
        }
        put_head(out, ARRAY, len);
        (0..len).try_for_each(|_| self.rewrite(out, depth + 1))
    }

    /// What `rewrite` makes of all that is left.
    fn whole(mut self, rewrite: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        rewrite(&mut self)?;
        if self.rest.is_empty() { Ok(()) } else { Err(refused("its bytes are not MessagePack".into())) }
    }

    /// Takes the array of a frozen set's elements: each once, in the order of their canonical bytes.
    fn rewrite_set(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<()> {
        let first = self.take(1)?[0];
        let len = match first {
            0x90..=0x9F => u64::from(first & 15),
            0xDC | 0xDD => self.number(2 << (first - 0xDC))?,
            _ => return Err(refused("its bytes are not MessagePack".into())),
        };
        let mut elements = Vec::new();
        for _ in 0..len {
            let mut element = Vec::new();
            self.rewrite(&mut element, depth)?;
            elements.push(element);
        }
        elements.sort_unstable();
        elements.dedup();
        let mut body = Vec::new();
        put_head(&mut body, ARRAY, elements.len() as u64);
        for element in elements {
            body.extend_from_slice(&element);
        }
        put_extension(out, codec::FROZEN_SET as u8, &body);
        Ok(())
    }

    fn rewrite_extension(&mut self, out: &mut Vec<u8>, len: u64, depth: usize) -> Result<()> {
        let kind = self.take(1)?[0];
        let bytes = self.take(len as usize)?;
        match kind as i8 {
            codec::TUPLE | codec::FROZEN_SET if depth == DEPTH => return Err(too_deep()),
            codec::TUPLE => return Reader { rest: bytes }.whole(|reader| reader.rewrite(out, depth + 1)),
            codec::FROZEN_SET => return Reader { rest: bytes }.whole(|reader| reader.rewrite_set(out, depth + 1)),
            codec::SET => return Err(refused("it is, or holds, a set, which can change (a frozen set would do)".into())),
            _ => {}
        }
        put_extension(out, kind, bytes);
        Ok(())
    }
}

fn put_extension(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    match bytes.len() {
        len @ (1 | 2 | 4 | 8 | 16) => out.push(0xD4 + len.ilog2() as u8),
        len => put_head(out, EXTENSION, len as u64),
    }
    out.push(kind);
    out.extend_from_slice(bytes);
}

/// First bytes of a head: with the length in it (and the lengths that go there), and followed by one, two or four bytes of length.
struct Forms {
    fixed: (u8, u64),
    one: Option<u8>,
    two: u8,
}

const TEXT: Forms = Forms { fixed: (0xA0, 32), one: Some(0xD9), two: 0xDA };
const BINARY: Forms = Forms { fixed: (0, 0), one: Some(0xC4), two: 0xC5 };
const ARRAY: Forms = Forms { fixed: (0x90, 16), one: None, two: 0xDC };
const EXTENSION: Forms = Forms { fixed: (0, 0), one: Some(0xC7), two: 0xC8 };

fn put_head(out: &mut Vec<u8>, forms: Forms, len: u64) {
    match (len, forms.one) {
        (len, _) if len < forms.fixed.1 => out.push(forms.fixed.0 | len as u8),
        (..0x100, Some(one)) => out.extend_from_slice(&[one, len as u8]),
        (..0x1_0000, _) => {
            out.push(forms.two);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(forms.two + 1);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

/// The shortest form of an integer between -2^63 and 2^64.
pub(crate) fn put_integer(out: &mut Vec<u8>, n: i128) {
    let mut put = |first: u8, len: usize| {
        out.push(first);
        out.extend_from_slice(&(n as u64).to_be_bytes()[8 - len..]);
    };
    match n {
        -32..0x80 => put(n as u8, 0),
        0x80..0x100 => put(0xCC, 1),
        0x100..0x1_0000 => put(0xCD, 2),
        0x1_0000..0x1_0000_0000 => put(0xCE, 4),
        0x1_0000_0000.. => put(0xCF, 8),
        -0x80.. => put(0xD0, 1),
        -0x8000.. => put(0xD1, 2),
        -0x8000_0000.. => put(0xD2, 4),
        _ => put(0xD3, 8),
    }
}

fn put_float(out: &mut Vec<u8>, n: f64) {
    // Both limits are exact as floats; beyond them a float stays one.
    if n.fract() == 0.0 && (-9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&n) {
        return put_integer(out, n as i128);
    }
    let bits = if n.is_nan() { 0x7FF8_0000_0000_0000 } else { n.to_bits() };
    out.push(0xCB);
    out.extend_from_slice(&bits.to_be_bytes());
}

/// The integer that MessagePack bytes are, if they are one.
pub(crate) fn integer(bytes: &[u8]) -> Option<i128> {
    let mut reader = Reader { rest: bytes };
    let first = reader.take(1).ok()?[0];
    let number = match first {
        0x00..=0x7F => i128::from(first),
        0xE0..=0xFF => i128::from(first as i8),
        0xCC..=0xCF => i128::from(reader.number(1 << (first - 0xCC)).ok()?),
        0xD0 => i128::from(reader.number(1).ok()? as i8),
        0xD1 => i128::from(reader.number(2).ok()? as i16),
        0xD2 => i128::from(reader.number(4).ok()? as i32),
        0xD3 => i128::from(reader.number(8).ok()? as i64),
        _ => return None,
    };
    reader.rest.is_empty().then_some(number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde::Serialize;

    use super::*;

    fn of<T: Serialize>(value: T) -> Vec<u8> {
        canonical(&codec::to_vec(&value).unwrap()).unwrap().into_owned()
    }

    #[test]
    fn tuples_are_arrays_and_frozen_sets_have_no_order() {
        let key = |bytes: &[u8]| canonical(bytes).unwrap().into_owned();
        assert_eq!(key(&[0xC7, 3, 1, 0x92, 1, 2]), of((1, 2)));
        assert_eq!(key(&[0x91, 0xD5, 1, 0x91, 0xC3]), of(((1,),)));
        assert_eq!(key(&[0xC7, 3, 3, 0x92, 1, 2]), key(&[0xC7, 4, 3, 0x93, 2, 0xC3, 1]));
        assert_ne!(key(&[0xC7, 3, 3, 0x92, 1, 2]), of((1, 2)));
        for (bytes, why) in [(&[0xC7, 3, 2, 0x92, 1, 2][..], "a set"), (&[0xC7, 3, 1, 0x91, 1, 2], "not MessagePack"), (&[0xD4, 3, 5], "not MessagePack")] {
            let error = canonical(bytes).unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains(why), "{error}");
        }
        let deep = (0..70).fold(vec![0x90], |inner, _| [&[0xC8, 0, inner.len() as u8, 1][..], &inner].concat()[..].to_vec());
        assert!(canonical(&deep).is_err());
    }

    #[test]
    fn numbers_that_python_calls_equal_are_one_key() {
        assert_eq!(of(1), of(1.0));
        assert_eq!(of(1), of(true));
        assert_eq!(of(0), of(false));
        assert_eq!(of(0), of(-0.0));
        assert_eq!(of(-1), of(-1.0_f32));
        assert_eq!(of(u64::MAX - 2047), of(18_446_744_073_709_549_568.0));
        assert_eq!(of(i64::MIN), of(-9_223_372_036_854_775_808.0));
        assert_eq!(of(1_u64 << 53), of(9_007_199_254_740_992.0));
        assert_eq!(of(0.5_f32), of(0.5));
        assert_eq!(of(f64::NAN), of(-f64::NAN));
        assert_eq!(of((1, "a")), of((true, "a")));
        assert_eq!(of(((1.0,), 2)), of(((1,), 2.0)));
    }

    #[test]
    fn what_differs_is_another_key() {
        let all = [of(0), of(1), of(-1), of("1"), of(()), of((1,)), of((1, 1)), of(((1,),)), of(1.5), of(f64::INFINITY), of(-f64::INFINITY), of(""), of("a")];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_ne!(of(1e300), of(2e300));
        assert_ne!(of(18_446_744_073_709_551_616.0), of(u64::MAX), "2^64 is beyond the integers");
        assert_ne!(canonical(&[0xA1, b'a']).unwrap(), canonical(&[0xC4, 1, b'a']).unwrap(), "text is not bytes");
    }

    #[test]
    fn every_form_of_a_value_has_the_same_canonical_bytes() {
        let forms: &[&[&[u8]]] = &[
            &[&[5], &[0xCC, 5], &[0xCD, 0, 5], &[0xCE, 0, 0, 0, 5], &[0xCF, 0, 0, 0, 0, 0, 0, 0, 5], &[0xD0, 5], &[0xD3, 0, 0, 0, 0, 0, 0, 0, 5]],
            &[&[0xFF], &[0xD0, 0xFF], &[0xD1, 0xFF, 0xFF], &[0xD2, 0xFF, 0xFF, 0xFF, 0xFF], &[0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]],
            &[&[0xA1, b'x'], &[0xD9, 1, b'x'], &[0xDA, 0, 1, b'x'], &[0xDB, 0, 0, 0, 1, b'x']],
            &[&[0xC4, 1, b'x'], &[0xC5, 0, 1, b'x'], &[0xC6, 0, 0, 0, 1, b'x']],
            &[&[0x91, 1], &[0xDC, 0, 1, 1], &[0xDD, 0, 0, 0, 1, 0xC3]],
            &[&[0xD4, 6, 9], &[0xC7, 1, 6, 9], &[0xC8, 0, 1, 6, 9], &[0xC9, 0, 0, 0, 1, 6, 9]],
        ];
        for same in forms {
            for form in *same {
                assert_eq!(canonical(form).unwrap(), same[0], "{form:x?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        let deep = vec![0x91; DEPTH + 2];
        let long = [&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF][..], &[1; 20]].concat();
        for bad in [&[0x80][..], &[0x91, 0x81, 1, 2], &[], &[0xC1], &[0xA5, b'x'], &[1, 2], &[0xDB, 0xFF, 0xFF, 0xFF, 0xFF], &deep, &long] {
            assert_eq!(canonical(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad:x?}");
        }
        assert!(canonical(&[vec![0x91; DEPTH], vec![1]].concat()).is_ok());
    }

    #[test]
    fn common_keys_are_not_copied() {
        for bytes in [codec::to_vec("text").unwrap(), codec::to_vec(&"x".repeat(100)).unwrap(), codec::to_vec(&300).unwrap(), codec::to_vec(&u64::MAX).unwrap()]
        {
            assert!(is_canonical_scalar(&bytes), "{bytes:x?}");
        }
        for bytes in [vec![0xCC, 5], vec![0xD9, 1, b'x'], vec![0xCD, 0, 200], vec![0xC3]] {
            assert!(!is_canonical_scalar(&bytes) && matches!(canonical(&bytes), Ok(Cow::Owned(_))), "{bytes:x?}");
        }
    }

    #[test]
    fn hashes_spread_over_shards_and_tags() {
        let seed = Seed([0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210]);
        let (mut shards, mut tags, mut low) = ([0; 16], HashSet::new(), vec![0; 4096]);
        for n in 0..40_960_u32 {
            let bytes = codec::to_vec(&n).unwrap();
            let key = Key::new(seed, &bytes, codec::MESSAGEPACK).unwrap();
            shards[key.shard(16)] += 1;
            tags.insert(key.hash as u32);
            low[key.hash as usize % 4096] += 1;
        }
        assert!(shards.iter().all(|count| (2200..2920).contains(count)), "{shards:?}");
        assert!(tags.len() > 40_900, "{}", tags.len());
        assert!(low.iter().all(|count| *count < 40), "{:?}", low.iter().max());
        assert_ne!(seed.hash(0, b"a"), seed.hash(1, b"a"));
        assert_ne!(seed.hash(0, b""), seed.hash(0, b"\0"));
        assert_ne!(seed.hash(0, &[0; 16]), seed.hash(0, &[0; 32]));
    }

    #[test]
    fn integers_are_read_and_written() {
        for n in
            [0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, -32, -33, -128, -129, -32_769, i128::from(i64::MIN), i128::from(u64::MAX), 1 << 32, -(1 << 31) - 1]
        {
            let mut bytes = Vec::new();
            put_integer(&mut bytes, n);
            assert_eq!(integer(&bytes), Some(n));
            assert_eq!(canonical(&bytes).unwrap(), bytes);
            assert_eq!(bytes, i64::try_from(n).map_or_else(|_| codec::to_vec(&(n as u64)).unwrap(), |n| codec::to_vec(&n).unwrap()));
        }
        assert_eq!(integer(&[0xCB, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(integer(&[1, 2]), None);
    }

    #[test]
    fn the_hash_is_the_one_in_the_format() {
        let seed = Seed([1, 2]);
        let h = fold(1 ^ (3 << 8) ^ 0x63_6261, 2);
        assert_eq!(seed.hash(0, b"abc"), fold(h, 0x9E37_79B9_7F4A_7C15));
    }
}
