//! Time-outs as C gives them, and waits that signals end. Knows no object.

use std::time::Duration;

use polyproc::interruptible;

use crate::abi::{PP_OWNER_DIED, PP_TIMEOUT};
use crate::error::Fault;

/// A timeout in nanoseconds; none: for ever.
pub(crate) fn time(timeout: i64) -> Option<Duration> {
    u64::try_from(timeout).ok().map(Duration::from_nanos)
}

/// A time that has to end.
pub(crate) fn duration(name: &str, nanoseconds: i64) -> Result<Duration, Fault> {
    time(nanoseconds).ok_or_else(|| Fault::argument(format!("{name} is negative")))
}

/// Runs a wait of up to `timeout`. Where a signal ended it, that is the answer in place of a time-out.
#[inline]
pub(crate) fn wait<T, E: Into<Fault>>(timeout: i64, body: impl FnOnce(Option<Duration>) -> Result<T, E>) -> Result<T, Fault> {
    match interruptible(|| body(time(timeout))) {
        (Ok(value), _) => Ok(value),
        (Err(error), signalled) => {
            let fault = error.into();
            Err(if signalled && timeout != 0 && fault.number() == PP_TIMEOUT { Fault::interrupted() } else { fault })
        }
    }
}

/// As [`wait`], of something that has no time-out.
pub(crate) fn interruptibly<T, E: Into<Fault>>(body: impl FnOnce() -> Result<T, E>) -> Result<T, Fault> {
    wait(-1, |_| body())
}

/// As [`wait`], of something that answers false when time is up: then a time-out like all others. `what` did not happen.
pub(crate) fn wait_until<E: Into<Fault>>(timeout: i64, what: &str, body: impl FnOnce(Option<Duration>) -> Result<bool, E>) -> Result<(), Fault> {
    match interruptible(|| body(time(timeout))) {
        (Ok(true), _) => Ok(()),
        (Ok(false), true) if timeout != 0 => Err(Fault::interrupted()),
        (Ok(false), _) => Err(Fault::Own(PP_TIMEOUT, format!("{what} within the time given"))),
        (Err(error), _) => Err(error.into()),
    }
}

/// The status of a lock that was acquired.
pub(crate) fn acquired(how: polyproc::Acquired) -> Result<(), Fault> {
    match how {
        polyproc::Acquired::Clean => Ok(()),
        polyproc::Acquired::OwnerDied => {
            Err(Fault::Own(PP_OWNER_DIED, "the lock was acquired, but its last owner died holding it; check what it protects".into()))
        }
    }
}
