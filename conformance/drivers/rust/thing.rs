//! What a step is, what can be done with it, and how objects are made, opened and handed on.

use std::time::Duration;

use polyproc::ipc::Kind;
use polyproc::{BytesQueue, Dict, Event, Fabric, List, Lock, Namespace, Queue, RLock, RwLock, Set, Ticket};
use serde_json::Value as Json;

use crate::{cells, notation, pipe, queue, sync};

/// A value of any type.
pub(crate) type Any = rmpv::Value;

/// Something that steps can be done on.
pub(crate) trait Thing {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault>;

    /// By which it travels inside values.
    fn ticket(&self) -> Option<Ticket> {
        None
    }
}

pub(crate) enum Reply {
    Value(Any),
    /// A value, and what the step's `as` names.
    Thing(Any, Box<dyn Thing>),
}

impl<T: Into<Any>> From<T> for Reply {
    fn from(value: T) -> Reply {
        Reply::Value(value.into())
    }
}

/// Nothing to say, as an answer.
pub(crate) fn done(_: ()) -> Reply {
    Reply::Value(Any::Nil)
}

pub(crate) enum Fault {
    Error { kind: String, text: String },
    Unsupported,
}

impl Fault {
    /// The case or the driver is wrong, not the library.
    pub(crate) fn driver(text: impl Into<String>) -> Fault {
        Fault::Error { kind: "Driver".into(), text: text.into() }
    }
}

impl From<polyproc::Error> for Fault {
    fn from(error: polyproc::Error) -> Fault {
        let kind = match error.kind() {
            polyproc::ErrorKind::Ipc(kind) => format!("{kind:?}"),
            kind => format!("{kind:?}"),
        };
        Fault::Error { kind, text: error.to_string() }
    }
}

impl From<polyproc::ipc::Error> for Fault {
    fn from(error: polyproc::ipc::Error) -> Fault {
        Fault::Error { kind: format!("{:?}", error.kind()), text: error.to_string() }
    }
}

/// One line, read.
pub(crate) struct Step {
    pub(crate) on: Option<String>,
    pub(crate) does: String,
    pub(crate) args: Vec<Any>,
    /// `None`: for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) keep: Option<String>,
    pub(crate) with: Json,
}

impl Step {
    pub(crate) fn read(line: &Json, ticket: impl Fn(&str) -> Option<Ticket>) -> Result<Step, Fault> {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        Ok(Step {
            on: text("on"),
            does: text("do").ok_or_else(|| Fault::driver("a line without `do`"))?,
            args: line["args"].as_array().into_iter().flatten().map(|arg| notation::from_json(arg, &ticket)).collect::<Result<_, _>>()?,
            timeout: line["timeout"].as_f64().map(Duration::from_secs_f64),
            keep: text("as"),
            with: line["with"].clone(),
        })
    }

    pub(crate) fn arg(&self, index: usize) -> Result<&Any, Fault> {
        self.args.get(index).ok_or_else(|| Fault::driver(format!("`{}` needs argument {index}", self.does)))
    }

    pub(crate) fn int(&self, index: usize) -> Result<i64, Fault> {
        self.arg(index)?.as_i64().ok_or_else(|| Fault::driver(format!("argument {index} of `{}` is no integer", self.does)))
    }

    /// An argument that may be missing.
    pub(crate) fn int_or(&self, index: usize, default: i64) -> i64 {
        self.args.get(index).and_then(Any::as_i64).unwrap_or(default)
    }

    pub(crate) fn text(&self, index: usize) -> Result<&str, Fault> {
        self.arg(index)?.as_str().ok_or_else(|| Fault::driver(format!("argument {index} of `{}` is no text", self.does)))
    }

    pub(crate) fn flag(&self, index: usize) -> Result<bool, Fault> {
        self.arg(index)?.as_bool().ok_or_else(|| Fault::driver(format!("argument {index} of `{}` is no bool", self.does)))
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<&[u8], Fault> {
        match self.arg(index)? {
            Any::Binary(bytes) => Ok(bytes),
            _ => Err(Fault::driver(format!("argument {index} of `{}` is not bytes", self.does))),
        }
    }

    pub(crate) fn items(&self, index: usize) -> Result<&[Any], Fault> {
        self.arg(index)?.as_array().map(Vec::as_slice).ok_or_else(|| Fault::driver(format!("argument {index} of `{}` is no list", self.does)))
    }

    pub(crate) fn seconds(&self, index: usize) -> Result<Duration, Fault> {
        self.arg(index)?.as_f64().map(Duration::from_secs_f64).ok_or_else(|| Fault::driver(format!("argument {index} of `{}` is no number", self.does)))
    }
}

/// The object that this step makes or opens, by its name and kind.
pub(crate) fn made(fabric: &Fabric, step: &Step, new: bool, ticket: impl Fn(&str) -> Option<Ticket>) -> Result<Box<dyn Thing>, Fault> {
    let (name, kind, with) = (step.text(0)?, step.text(1)?, &step.with);
    let number = |option: &str| with[option].as_u64().unwrap_or(0);
    macro_rules! plain {
        ($type:ty) => {
            Box::new(if new { <$type>::create(fabric, name)? } else { <$type>::open(fabric, name)? })
        };
    }
    Ok(match kind {
        "queue" if new => Box::new(queue::make(fabric, name, with, ticket)?),
        "queue" => Box::new(Queue::<Any>::open(fabric, name)?),
        "bytes_queue" => Box::new(if new { BytesQueue::create(fabric, name, number("capacity") as usize)? } else { BytesQueue::open(fabric, name)? }),
        "lock" => plain!(Lock),
        "rlock" => plain!(RLock),
        "rwlock" => plain!(RwLock),
        "event" => plain!(Event),
        "semaphore" | "bounded_semaphore" | "condition" | "barrier" => sync::made(fabric, name, kind, with, new, ticket)?,
        "value" | "array" => cells::made(fabric, name, kind, with, new)?,
        "dict" => plain!(Dict::<Any, Any>),
        "set" => plain!(Set::<Any>),
        "list" => plain!(List::<Any>),
        "namespace" => plain!(Namespace),
        "pipe" => Box::new(pipe::End::new(fabric, name, new)?),
        "shared_memory" => cells::shared_memory(fabric, name, number("size") as usize, new)?,
        _ => return Err(Fault::Unsupported),
    })
}

/// The object whose ticket this value is, if it is one.
pub(crate) fn from_ticket(value: &Any) -> Result<Option<Box<dyn Thing>>, Fault> {
    let Some(ticket) = notation::ticket(value) else { return Ok(None) };
    Ok(Some(match ticket.kind() {
        Some(Kind::Queue) => Box::new(Queue::<Any>::from_ticket(&ticket)?),
        Some(Kind::Lock) => Box::new(Lock::from_ticket(&ticket)?),
        Some(Kind::RLock) => Box::new(RLock::from_ticket(&ticket)?),
        Some(Kind::RwLock) => Box::new(RwLock::from_ticket(&ticket)?),
        Some(Kind::Event) => Box::new(Event::from_ticket(&ticket)?),
        Some(Kind::Semaphore) => Box::new(polyproc::Semaphore::from_ticket(&ticket)?),
        Some(Kind::Condition) => Box::new(polyproc::Condition::from_ticket(&ticket)?),
        Some(Kind::Barrier) => Box::new(polyproc::Barrier::from_ticket(&ticket)?),
        Some(Kind::Dict) => Box::new(Dict::<Any, Any>::from_ticket(&ticket)?),
        Some(Kind::Set) => Box::new(Set::<Any>::from_ticket(&ticket)?),
        Some(Kind::List) => Box::new(List::<Any>::from_ticket(&ticket)?),
        Some(Kind::Namespace) => Box::new(Namespace::from_ticket(&ticket)?),
        Some(Kind::Value | Kind::Array) => cells::from_ticket(&ticket)?,
        _ => return Ok(None),
    }))
}
