//! Value, Array, and blocks of shared memory.

use polyproc::ipc::{Cells, Kind};
use polyproc::{Array, Cell, Char, Fabric, LockError, Locking, SharedMemory, Ticket, Value};
use serde_json::Value as Json;

use crate::notation;
use crate::thing::{Any, Fault, Reply, Step, Thing, done};

/// Every cell type that cases use, by its code.
macro_rules! by_code {
    ($code:expr, $call:ident, $($args:expr),*) => {
        match $code {
            "b" => $call::<i8>($($args),*),
            "B" => $call::<u8>($($args),*),
            "h" => $call::<i16>($($args),*),
            "H" => $call::<u16>($($args),*),
            "i" => $call::<i32>($($args),*),
            "I" => $call::<u32>($($args),*),
            "q" | "l" => $call::<i64>($($args),*),
            "Q" | "L" => $call::<u64>($($args),*),
            "f" => $call::<f32>($($args),*),
            "d" => $call::<f64>($($args),*),
            "c" => $call::<Char>($($args),*),
            "u" => $call::<char>($($args),*),
            "?" => $call::<bool>($($args),*),
            other => Err(Fault::driver(format!("no cell type {other}"))),
        }
    };
}

pub(crate) fn made(fabric: &Fabric, name: &str, kind: &str, with: &Json, new: bool) -> Result<Box<dyn Thing>, Fault> {
    let code = with["type"].as_str().unwrap_or("i");
    by_code!(code, one, fabric, name, kind, with, new)
}

fn one<T: Scalar>(fabric: &Fabric, name: &str, kind: &str, with: &Json, new: bool) -> Result<Box<dyn Thing>, Fault> {
    let locking = || if with["lock"] == false { Locking::None } else { Locking::Own };
    let cell = |json: &Json| if json.is_null() { Ok(T::default()) } else { notation::from_json(json, &|_| None).and_then(|value| scalar::<T>(&value)) };
    Ok(match (kind, new) {
        ("value", true) => Box::new(Value::<T>::create_with(fabric, name, cell(&with["value"])?, locking())?),
        ("value", false) => Box::new(Value::<T>::open(fabric, name)?),
        (_, true) => {
            let contents = match &with["contents"] {
                Json::Number(len) => vec![T::default(); len.as_u64().unwrap_or(0) as usize],
                contents => contents.as_array().into_iter().flatten().map(cell).collect::<Result<_, _>>()?,
            };
            Box::new(Array::create_with(fabric, name, &contents, locking())?)
        }
        _ => Box::new(Array::<T>::open(fabric, name)?),
    })
}

pub(crate) fn from_ticket(ticket: &Ticket) -> Result<Box<dyn Thing>, Fault> {
    let cells = Cells::from_ticket(ticket)?;
    by_code!(cells.cell_type().code().to_string().as_str(), of, cells)
}

fn of<T: Scalar>(cells: Cells) -> Result<Box<dyn Thing>, Fault> {
    Ok(if cells.kind() == Kind::Value { Box::new(Value::<T>::of(cells)?) } else { Box::new(Array::<T>::of(cells)?) })
}

/// A cell that a step can name.
trait Scalar: Cell + Copy + Default + 'static {
    fn read(value: &Any) -> Option<Self>;
    fn shown(self) -> Any;
    fn plus(self, more: Self) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty)*) => { $(impl Scalar for $type {
        fn read(value: &Any) -> Option<Self> {
            value.as_i64().and_then(|n| Self::try_from(n).ok()).or_else(|| value.as_u64().and_then(|n| Self::try_from(n).ok()))
        }
        fn shown(self) -> Any {
            Any::from(self)
        }
        fn plus(self, more: Self) -> Option<Self> {
            self.checked_add(more)
        }
    })* };
}

integers!(i8 u8 i16 u16 i32 u32 i64 u64);

macro_rules! others {
    ($($type:ty, $value:ident => $read:expr, $this:ident => $shown:expr, $more:ident => $plus:expr;)*) => { $(impl Scalar for $type {
        fn read($value: &Any) -> Option<Self> {
            $read
        }
        fn shown(self) -> Any {
            let $this = self;
            $shown
        }
        fn plus(self, $more: Self) -> Option<Self> {
            let $this = self;
            $plus
        }
    })* };
}

others! {
    f32, value => value.as_f64().map(|n| n as f32), this => Any::F64(f64::from(this)), more => Some(this + more);
    f64, value => value.as_f64(), this => Any::F64(this), more => Some(this + more);
    bool, value => value.as_bool(), this => Any::Boolean(this), more => Some(this || more);
    char, value => value.as_str().and_then(|text| text.chars().next()), this => this.to_string().into(), _more => { let _ = this; None };
    Char, value => match value { Any::Binary(bytes) if bytes.len() == 1 => Some(Char(bytes[0])), _ => None }, this => Any::Binary(vec![this.0]), _more => { let _ = this; None };
}

fn scalar<T: Scalar>(value: &Any) -> Result<T, Fault> {
    T::read(value).ok_or_else(|| Fault::Error { kind: "InvalidArgument".into(), text: format!("{value} is no {}", std::any::type_name::<T>()) })
}

/// The first call after a death in the lock answers that, and nothing else.
fn unlocked<R, G>(result: Result<R, LockError<G>>) -> Result<R, Fault> {
    match result {
        Ok(value) => Ok(value),
        Err(LockError::OwnerDied(_)) => Err(Fault::Error { kind: "OwnerDied".into(), text: "the owner died".into() }),
        Err(LockError::Failed(error)) => Err(error.into()),
    }
}

fn acquired(how: polyproc::Acquired) -> Reply {
    if how == polyproc::Acquired::Clean { true.into() } else { "owner died".into() }
}

impl<T: Scalar> Thing for Value<T> {
    fn ticket(&self) -> Option<Ticket> {
        Some(Value::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "get" => unlocked(self.get())?.shown().into(),
            "set" => done(unlocked(self.set(scalar(step.arg(0)?)?))?),
            "add" => {
                let more = scalar::<T>(step.arg(0)?)?;
                let sum = unlocked(self.update(|cell| cell.plus(more).inspect(|sum| *cell = *sum)))?;
                sum.ok_or_else(|| Fault::driver("the sum does not fit"))?.shown().into()
            }
            "acquire" => acquired(Cells::from_ticket(&self.ticket())?.acquire(step.timeout)?),
            "release" => done(Cells::from_ticket(&self.ticket())?.release()?),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl<T: Scalar> Thing for Array<T> {
    fn ticket(&self) -> Option<Ticket> {
        Some(Array::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let index = || step.int(0).map(|index| index as usize);
        Ok(match step.does.as_str() {
            "get" => unlocked(self.get(index()?))?.shown().into(),
            "set" => done(unlocked(self.set(index()?, scalar(step.arg(1)?)?))?),
            "add" => {
                let more = scalar::<T>(step.arg(1)?)?;
                let sum = unlocked(self.update(index()?, |cell| cell.plus(more).inspect(|sum| *cell = *sum)))?;
                sum.ok_or_else(|| Fault::driver("the sum does not fit"))?.shown().into()
            }
            "slice" => Any::Array(unlocked(self.read_range(index()?..step.int(1)? as usize))?.into_iter().map(T::shown).collect()).into(),
            "set_slice" => {
                let values: Vec<T> = step.items(1)?.iter().map(scalar).collect::<Result<_, _>>()?;
                done(unlocked(self.write_range(index()?, &values))?)
            }
            "items" => Any::Array(unlocked(self.to_vec())?.into_iter().map(T::shown).collect()).into(),
            "len" => self.len().into(),
            "acquire" => acquired(Cells::from_ticket(&self.ticket())?.acquire(step.timeout)?),
            "release" => done(Cells::from_ticket(&self.ticket())?.release()?),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

pub(crate) fn shared_memory(fabric: &Fabric, name: &str, size: usize, new: bool) -> Result<Box<dyn Thing>, Fault> {
    let name = format!("polyproc-{}-{name}-{}", fabric.name().unwrap_or_default(), fabric.id());
    Ok(Box::new(Block(if new { SharedMemory::create(Some(&name), size)? } else { SharedMemory::attach(&name)? })))
}

struct Block(SharedMemory);

impl Thing for Block {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "read" => {
                let mut bytes = vec![0; step.int(1)? as usize];
                self.0.read(step.int(0)? as usize, &mut bytes)?;
                Any::Binary(bytes).into()
            }
            "write" => done(self.0.write(step.int(0)? as usize, step.bytes(1)?)?),
            "size" => self.0.size().into(),
            "unlink" => done(self.0.unlink()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}
