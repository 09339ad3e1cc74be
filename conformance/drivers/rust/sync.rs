//! Locks and the other things that processes wait for.

use std::time::Duration;

use polyproc::{Acquired, Barrier, BoundedSemaphore, Condition, Event, Fabric, Lock, RLock, RwLock, Semaphore, Ticket};
use serde_json::Value as Json;

use crate::thing::{Any, Fault, Reply, Step, Thing, done};

pub(crate) fn made(fabric: &Fabric, name: &str, kind: &str, with: &Json, new: bool, ticket: impl Fn(&str) -> Option<Ticket>) -> Result<Box<dyn Thing>, Fault> {
    let value = with["value"].as_u64().unwrap_or(1) as u32;
    let given = match with["lock"].as_str() {
        Some(lock) => Some(ticket(lock).ok_or_else(|| Fault::driver(format!("{lock} is no lock")))?),
        None => None,
    };
    Ok(match (kind, new) {
        ("semaphore", true) => Box::new(Semaphore::create(fabric, name, value)?),
        ("semaphore", false) => Box::new(Semaphore::open(fabric, name)?),
        ("bounded_semaphore", true) => Box::new(BoundedSemaphore::create(fabric, name, value)?),
        ("bounded_semaphore", false) => Box::new(BoundedSemaphore::open(fabric, name)?),
        ("condition", true) => Box::new(given.map_or_else(|| Condition::create(fabric, name), |lock| Condition::create_on(fabric, name, &lock))?),
        ("condition", false) => Box::new(Condition::open(fabric, name)?),
        ("barrier", true) => {
            Box::new(Barrier::create(fabric, name, with["parties"].as_u64().unwrap_or(2) as usize, with["timeout"].as_f64().map(Duration::from_secs_f64))?)
        }
        _ => Box::new(Barrier::open(fabric, name)?),
    })
}

/// True; or, where the owner died with the lock, that it did.
fn acquired(how: Acquired) -> Reply {
    match how {
        Acquired::Clean => true.into(),
        Acquired::OwnerDied => "owner died".into(),
    }
}

macro_rules! thing {
    ($type:ty, $self:ident, $step:ident, $($does:pat => $answer:expr,)*) => {
        impl Thing for $type {
            fn ticket(&self) -> Option<Ticket> {
                Some(<$type>::ticket(self))
            }

            fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
                let ($self, $step) = (&*self, step);
                Ok(match step.does.as_str() {
                    $($does => $answer,)*
                    "destroy" => done(self.destroy()?),
                    _ => return Err(Fault::Unsupported),
                })
            }
        }
    };
}

thing! { Lock, this, step,
    "acquire" => acquired(this.acquire(step.timeout)?),
    "release" => done(this.release()?),
    "locked" => this.locked().into(),
}

thing! { RLock, this, step,
    "acquire" => acquired(this.acquire(step.timeout)?),
    "release" => done(this.release()?),
    "locked" => this.locked().into(),
    "depth" => this.depth().into(),
}

thing! { RwLock, this, step,
    "acquire_read" => acquired(this.acquire_read(step.timeout)?),
    "acquire_write" => acquired(this.acquire_write(step.timeout)?),
    "release_read" => done(this.release_read()?),
    "release_write" => done(this.release_write()?),
    "readers" => this.readers().into(),
    "locked" => this.locked().into(),
}

thing! { Event, this, step,
    "set" => done(this.set()?),
    "clear" => done(this.clear()?),
    "is_set" => this.is_set().into(),
    "wait" => this.wait(step.timeout)?.into(),
}

thing! { Condition, this, step,
    "acquire" => acquired(this.acquire(step.timeout)?),
    "release" => done(this.release()?),
    "wait" => this.wait(step.timeout)?.happened.into(),
    "notify" => this.notify(step.int_or(0, 1) as usize)?.into(),
    "notify_all" => this.notify_all()?.into(),
}

thing! { Barrier, this, step,
    "wait" => match step.timeout { Some(time) => this.wait_timeout(time)?, None => this.wait()? }.into(),
    "reset" => done(this.reset()?),
    "abort" => done(this.abort()?),
    "parties" => this.parties().into(),
    "n_waiting" => this.n_waiting()?.into(),
    "broken" => this.broken().into(),
}

thing! { Semaphore, this, step,
    "acquire" => { this.acquire_many(step.int_or(0, 1) as u32, step.timeout)?; true.into() },
    "release" => done(this.release(step.int_or(0, 1) as u32)?),
    "value" => this.value()?.into(),
    "locked" => this.locked().into(),
    "held" => this.held()?.into(),
}

impl Thing for BoundedSemaphore {
    fn ticket(&self) -> Option<Ticket> {
        Some(Semaphore::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        if step.does == "bound" {
            return Ok(self.bound().map_or(Any::Nil, Any::from).into());
        }
        Semaphore::clone(self).does(step)
    }
}
