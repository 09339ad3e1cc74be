//! Tasks that are offered while the program runs, under names and with types that were not known when it was built: what other languages are bound by.
//!
//! An offered task takes encoded arguments and gives an encoded result, or a [`Failure`]. To everybody else it is a task like any other. Must not know who calls it.

use std::fmt;
use std::sync::Arc;

use polyproc_ipc::Parcel;
use serde::de::DeserializeOwned;

use crate::encoded::Encoded;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::registry;
use crate::task::{self, Exchange};
use crate::wire::LONGEST_NAME;

/// Offers a function as the task `name` of this process, from now on and for good: to the pools whose [`Worker`](crate::Worker) it is, and, if the program calls
/// [`boot_here!`](macro@crate::boot_here) or [`init`](crate::init()) behind this, as a process or a pool's worker that somebody starts.
///
/// The function may be called by any thread that runs calls, by several at the same time if there are several. A panic of it fails the call, as with any task.
///
/// A result that is no encoded value is an error of the call, [`ErrorKind::BadResult`], and leaves the worker as it is.
///
/// # Errors
///
/// [`ErrorKind::AmbiguousTask`] if a task of this name is there; `InvalidArgument` for a name that is empty or longer than 65,535 bytes.
///
/// ```standalone_crate
/// use polyproc::{Encoded, Failure, Pool};
///
/// fn main() -> polyproc::Result<()> {
///     polyproc::offer("sum", |call| {
///         let numbers: Vec<i64> = call.arguments()?;
///         let sum = numbers.iter().try_fold(0_i64, |sum, n| sum.checked_add(*n)).ok_or_else(|| Failure::failed("the sum is too large"))?;
///         Ok(Encoded::of(&sum)?)
///     })?;
///     polyproc::boot_here!(); // as a worker, it works now, and never returns
///
///     let pool = Pool::new(2)?;
///     assert_eq!(pool.call::<i64>("sum", (1, 2, 3))?, 6);
///     let error = pool.call::<i64>("sum", (i64::MAX, 1)).unwrap_err();
///     assert!(error.to_string().ends_with("task 'sum' failed: the sum is too large"));
///     Ok(())
/// }
/// ```
pub fn offer<F>(name: &str, function: F) -> Result<()>
where
    F: Fn(&OfferedCall<'_>) -> Result<Encoded, Failure> + Send + Sync + 'static,
{
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(Error::argument(format!("a task cannot have a name of {} bytes: 1 to {LONGEST_NAME} are possible", name.len())));
    }
    let own: Arc<str> = name.into();
    let run = move |exchange: &mut Exchange<'_>| run(&own, &function, exchange);
    registry::enter(name, Arc::new(run))
}

fn run(name: &str, function: &dyn Fn(&OfferedCall<'_>) -> Result<Encoded, Failure>, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    let call = OfferedCall { task: name, arguments: exchange.arguments, parcel: exchange.parcel };
    let result = function(&call).map_err(|failure| failure.of_task(name))?;
    result.check().map_err(|error| Failure::new(ErrorKind::BadResult, name, format!("the result of task '{name}' is not to be sent: {error}")))?;
    let letter = result.into_letter();
    exchange.output.extend_from_slice(&letter.body);
    *exchange.packing = letter.packing;
    Ok(())
}

/// A call of an offered task, as its function gets it.
pub struct OfferedCall<'a> {
    task: &'a str,
    arguments: &'a [u8],
    parcel: Option<&'a Arc<Parcel>>,
}

impl<'a> OfferedCall<'a> {
    /// The name by which it was called.
    pub fn task(&self) -> &'a str {
        self.task
    }

    /// The arguments as they came: a MessagePack array with one value for each. Not checked; they came from another process.
    pub fn bytes(&self) -> &'a [u8] {
        self.arguments
    }

    /// The parcel in which the blocks of the arguments lie, if they have any.
    pub fn parcel(&self) -> Option<&'a Arc<Parcel>> {
        self.parcel.filter(|parcel| parcel.blocks() > 0)
    }

    /// The arguments as a tuple, or as anything that is read from an array.
    ///
    /// # Errors
    ///
    /// A failure of kind [`ErrorKind::BadArguments`] if they do not fit; it is for the caller, so `?` passes it on.
    pub fn arguments<A: DeserializeOwned>(&self) -> Result<A, Failure> {
        task::decode_args(self.arguments, self.parcel).map_err(|error| task::no_fit::<A>(self.task, &error))
    }
}

impl fmt::Debug for OfferedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferedCall").field("task", &self.task).field("bytes", &self.arguments.len()).finish_non_exhaustive()
    }
}

impl Failure {
    /// The task failed, and says why. The caller's error is of kind [`ErrorKind::Panicked`], as any failure of a task's own making, and has the message as [`Error::message`].
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { number: Failure::OWN, message: message.into(), ..Failure::default() }
    }

    /// The arguments do not fit the task. The caller's error is of kind [`ErrorKind::BadArguments`]; it is not retried.
    pub fn bad_arguments(message: impl Into<String>) -> Failure {
        Failure { number: ErrorKind::BadArguments.number(), message: message.into(), ..Failure::default() }
    }

    /// Where it failed, in the words of the task's language: the caller's [`Error::backtrace`].
    #[must_use]
    pub fn with_backtrace(mut self, backtrace: impl Into<String>) -> Failure {
        self.backtrace = backtrace.into();
        self
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same, of this task.
    fn of_task(mut self, name: &str) -> Failure {
        if self.number == ErrorKind::BadArguments.number() && self.task.is_empty() {
            self.message = format!("the arguments do not fit task '{name}': {}", self.message);
        }
        self.task = name.into();
        self
    }
}

/// An error that a task met becomes its failure, so that `?` works in an offered function.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::failed(error.to_string())
    }
}

impl From<polyproc_ipc::Error> for Failure {
    fn from(error: polyproc_ipc::Error) -> Failure {
        Failure::failed(error.to_string())
    }
}
