//! Queues, with leases.

use polyproc::{BytesQueue, Fabric, Lease, Queue, Ticket};
use serde_json::Value as Json;

use crate::thing::{Any, Fault, Reply, Step, Thing, done};

pub(crate) fn make(fabric: &Fabric, name: &str, with: &Json, ticket: impl Fn(&str) -> Option<Ticket>) -> Result<Queue<Any>, Fault> {
    let number = |option: &str, default: u64| with[option].as_u64().unwrap_or(default);
    let mut builder = Queue::builder().capacity(number("capacity", 0) as usize).lanes(number("lanes", 1) as usize);
    if with["joinable"] == true {
        builder = builder.joinable();
    }
    if let Some(times) = with["max_deliveries"].as_u64() {
        builder = builder.max_deliveries(times as u32);
    }
    if let Some(dead) = with["dead_letters"].as_str() {
        let ticket = ticket(dead).ok_or_else(|| Fault::driver(format!("{dead} is no queue")))?;
        builder = builder.dead_letters(&BytesQueue::from_ticket(&ticket)?);
    }
    Ok(builder.create(fabric, name)?)
}

impl Thing for Queue<Any> {
    fn ticket(&self) -> Option<Ticket> {
        Some(Queue::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let time = step.timeout;
        Ok(match (step.does.as_str(), time) {
            ("put", None) => done(self.put(step.arg(0)?)?),
            ("put", Some(time)) if time.is_zero() => done(self.try_put(step.arg(0)?)?),
            ("put", Some(time)) => done(self.put_timeout(step.arg(0)?, time)?),
            ("put_to", None) => done(self.put_to(step.int(0)? as usize, step.arg(1)?)?),
            ("put_to", Some(time)) => done(self.put_to_timeout(step.int(0)? as usize, step.arg(1)?, time)?),
            ("put_many", _) => self.put_many(step.items(0)?)?.into(),
            ("get", None) => self.get()?.into(),
            ("get", Some(time)) if time.is_zero() => self.try_get()?.into(),
            ("get", Some(time)) => self.get_timeout(time)?.into(),
            ("get_many", _) => Any::Array(self.get_many(step.int(0)? as usize)?.collect::<Result<_, _>>()?).into(),
            ("task_done", _) => done(self.task_done()?),
            ("join", None) => done(self.join()?),
            ("join", Some(time)) => done(self.join_timeout(time)?),
            ("len", _) => self.len().into(),
            ("empty", _) => self.is_empty().into(),
            ("full", _) => self.is_full().into(),
            ("capacity", _) => self.capacity().map_or(Any::Nil, Any::from).into(),
            ("close", _) => done(self.close()?),
            ("is_closed", _) => self.is_closed().into(),
            ("destroy", _) => done(self.destroy()?),
            _ => return bytes_does(self.bytes(), step),
        })
    }
}

/// What a queue of values and one of bytes have alike.
fn bytes_does(queue: &BytesQueue, step: &Step) -> Result<Reply, Fault> {
    Ok(match step.does.as_str() {
        "lease" => leased(queue.get_lease_timeout(step.timeout)?)?,
        "lease_for" => leased(queue.lease_for_timeout(step.seconds(0)?, step.timeout)?)?,
        "leased" => queue.leased().into(),
        "delayed" => queue.delayed().into(),
        "buried" => queue.buried().into(),
        "unfinished" => queue.unfinished()?.into(),
        "lost" => queue.lost().into(),
        "get_buried" => {
            let message = queue.get_buried()?;
            let dead = message.dead_letter().map_or(Any::Nil, |dead| Any::Array(vec![dead.deliveries.into(), format!("{:?}", dead.reason).into()]));
            Any::Array(vec![decoded(&message, message.codec())?, dead]).into()
        }
        "put_bytes" => done(queue.put(step.bytes(0)?)?),
        "get_bytes" => {
            let message = queue.get_timeout(step.timeout.unwrap_or(std::time::Duration::MAX))?;
            Any::Array(vec![Any::Binary(message.to_vec()), message.codec().into()]).into()
        }
        _ => return Err(Fault::Unsupported),
    })
}

fn decoded(bytes: &[u8], codec: u8) -> Result<Any, Fault> {
    Ok(match codec {
        polyproc::ipc::codec::RAW => Any::Binary(bytes.to_vec()),
        _ => polyproc::ipc::codec::decode(bytes)?,
    })
}

fn leased(lease: Lease) -> Result<Reply, Fault> {
    let value = decoded(lease.message(), lease.message().codec())?;
    Ok(Reply::Thing(value, Box::new(Held(Some(lease)))))
}

/// A lease; nothing, once it is done with.
struct Held(Option<Lease>);

impl Thing for Held {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let mut take = || self.0.take().ok_or_else(|| Fault::driver("this lease is done with"));
        Ok(match step.does.as_str() {
            "ack" => done(take()?.ack()?),
            "nak" => done(take()?.nak(step.seconds(0)?)?),
            "bury" => done(take()?.bury()?),
            "extend" => done(self.0.as_ref().ok_or_else(|| Fault::driver("this lease is done with"))?.extend(step.seconds(0)?)?),
            "deliveries" => self.0.as_ref().map_or(Any::Nil, |lease| lease.deliveries().into()).into(),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for BytesQueue {
    fn ticket(&self) -> Option<Ticket> {
        Some(BytesQueue::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "len" => self.len().into(),
            "close" => done(self.close()?),
            _ => return bytes_does(self, step),
        })
    }
}
