//! `Task`: a function together with the name by which another process finds it, and the trait that types its calls.
//!
//! Knows how arguments and results become bytes, and no process, pool or registry.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use polyproc_ipc::{Packing, Parcel, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ErrorKind, Failure};

/// A function that other processes can be asked to run: what [`#[task]`](macro@crate::task) makes of a function's name.
///
/// It is `Copy`, and derefs to the function, so `square(7)` is still an ordinary call.
///
/// ```
/// use polyproc::task;
///
/// #[task]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// assert_eq!(square(7), 49);
/// assert!(square.name().ends_with("::square"));
/// ```
///
/// A closure is no task. It has no name that another process could know:
///
/// ```compile_fail
/// let pool = polyproc::Pool::new(1)?;
/// let offset = 3;
/// pool.map(|n: u64| n + offset, 0..5)?;
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Task<F> {
    name: &'static str,
    function: F,
}

impl<F> Task<F> {
    /// A task from its parts. [`#[task]`](macro@crate::task) calls this, and registers the name; a task made without
    /// it is unknown to every worker.
    #[doc(hidden)]
    pub const fn new(name: &'static str, function: F) -> Task<F> {
        Task { name, function }
    }

    /// The name by which every process and every language finds the task.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<F> Deref for Task<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.function
    }
}

impl<F> fmt::Debug for Task<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.name).finish()
    }
}

/// A function that can be a task: `fn(A1, .., An) -> R` with at most eight arguments, all of them and the result
/// serde's `Serialize` and `DeserializeOwned`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a task",
    note = "every argument and the result of a task must be `serde::Serialize` and `serde::Deserialize`, and at most eight arguments are possible"
)]
pub trait TaskFn: Copy + Send + Sync + 'static + sealed::Sealed {
    /// The arguments as a tuple.
    type Args: Serialize + DeserializeOwned;
    /// The result.
    type Output: Serialize + DeserializeOwned;

    /// Calls the function here.
    fn call(self, args: Self::Args) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! task_fn {
    ($($arg:ident $var:ident),*) => {
        impl<$($arg,)* R> sealed::Sealed for fn($($arg),*) -> R {}

        impl<$($arg,)* R> TaskFn for fn($($arg),*) -> R
        where
            $($arg: Serialize + DeserializeOwned + 'static,)*
            R: Serialize + DeserializeOwned + 'static,
        {
            type Args = ($($arg,)*);
            type Output = R;

            fn call(self, ($($var,)*): Self::Args) -> R {
                self($($var),*)
            }
        }
    };
}

task_fn!();
task_fn!(A1 a1);
task_fn!(A1 a1, A2 a2);
task_fn!(A1 a1, A2 a2, A3 a3);
task_fn!(A1 a1, A2 a2, A3 a3, A4 a4);
task_fn!(A1 a1, A2 a2, A3 a3, A4 a4, A5 a5);
task_fn!(A1 a1, A2 a2, A3 a3, A4 a4, A5 a5, A6 a6);
task_fn!(A1 a1, A2 a2, A3 a3, A4 a4, A5 a5, A6 a6, A7 a7);
task_fn!(A1 a1, A2 a2, A3 a3, A4 a4, A5 a5, A6 a6, A7 a7, A8 a8);

const NIL: u8 = 0xc0;
const NO_ARGUMENTS: u8 = 0x90;

/// Appends the arguments as a MessagePack array, which is what every language sends: none is the empty array, not nil. Their blocks go into `packing`.
pub(crate) fn encode_args<A: Serialize + ?Sized>(args: &A, packing: &mut Packing, out: &mut Vec<u8>) -> polyproc_ipc::Result<()> {
    let start = out.len();
    packing.encode(args, out)?;
    if out[start..] == [NIL] {
        out[start] = NO_ARGUMENTS;
    }
    Ok(())
}

/// The same with the blocks' bytes among the others.
pub(crate) fn encode_args_alone<A: Serialize + ?Sized>(args: &A) -> polyproc_ipc::Result<Vec<u8>> {
    let bytes = codec::to_vec(args)?;
    Ok(if bytes == [NIL] { vec![NO_ARGUMENTS] } else { bytes })
}

/// What a task is given, and where its result goes.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The encoded arguments.
    pub(crate) arguments: &'a [u8],
    /// Where their blocks lie, if they have any.
    pub(crate) parcel: Option<&'a Arc<Parcel>>,
    /// Takes the blocks of the result.
    pub(crate) packing: &'a mut Packing,
    /// The encoded result is appended here.
    pub(crate) output: &'a mut Vec<u8>,
}

impl Exchange<'_> {
    fn arguments<A: DeserializeOwned>(&self) -> polyproc_ipc::Result<A> {
        decode_args(self.arguments, self.parcel)
    }
}

/// The arguments of a call, with their blocks if they have any.
pub(crate) fn decode_args<A: DeserializeOwned>(bytes: &[u8], parcel: Option<&Arc<Parcel>>) -> polyproc_ipc::Result<A> {
    // A tuple of nothing decodes from nil.
    let bytes = if bytes == [NO_ARGUMENTS] && size_of::<A>() == 0 { &[NIL] } else { bytes };
    parcel.map_or_else(|| codec::decode(bytes), |parcel| parcel.decode(bytes))
}

/// Arguments that are no `A`.
pub(crate) fn no_fit<A>(name: &str, error: &polyproc_ipc::Error) -> Failure {
    let sentence = format!("the arguments do not fit task '{name}', which takes {}: {error}", std::any::type_name::<A>());
    Failure::new(ErrorKind::BadArguments, name, sentence)
}

/// Runs `function` on encoded arguments and appends its encoded result. May unwind with the function's panic.
#[doc(hidden)]
pub fn run<F: TaskFn>(name: &str, function: F, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
    let args = exchange.arguments::<F::Args>().map_err(|error| no_fit::<F::Args>(name, &error))?;
    // Dropped when it is encoded, so that a block which only it held can go as it is.
    let result = function.call(args);
    exchange
        .packing
        .encode(&result, exchange.output)
        .map_err(|error| Failure::new(ErrorKind::BadResult, name, format!("the result of task '{name}' cannot be encoded: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(a: u32, b: u32) -> u32 {
        a + b
    }
    fn nothing() {}

    fn alone<F: TaskFn>(name: &str, function: F, arguments: &[u8], output: &mut Vec<u8>) -> Result<(), Failure> {
        run(name, function, &mut Exchange { arguments, parcel: None, packing: &mut Packing::new(), output })
    }

    #[test]
    fn arguments_and_result_go_through_bytes() {
        let (args, mut out) = (encode_args_alone(&(2_u32, 3_u32)).unwrap(), Vec::new());
        alone("add", add as fn(u32, u32) -> u32, &args, &mut out).unwrap();
        assert_eq!(codec::decode::<u32>(&out).unwrap(), 5);
    }

    #[test]
    fn no_arguments_are_an_empty_array_and_nil_will_do() {
        let (mut args, mut out) = (Vec::new(), Vec::new());
        encode_args(&(), &mut Packing::new(), &mut args).unwrap();
        assert_eq!((&args[..], encode_args_alone(&()).unwrap()), (&[NO_ARGUMENTS][..], vec![NO_ARGUMENTS]));
        alone("nothing", nothing as fn(), &args, &mut out).unwrap();
        alone("nothing", nothing as fn(), &[NIL], &mut out).unwrap();
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused_by_name() {
        for bad in [&b""[..], &[0xff; 7], &[NIL], &[0x91, 1], &[0x93, 1, 2, 3], &[0x92, 1, 0xa1, b'x']] {
            let failure = alone("add", add as fn(u32, u32) -> u32, bad, &mut Vec::new()).unwrap_err();
            assert_eq!(failure.number, ErrorKind::BadArguments.number(), "{bad:?}");
            assert!(failure.message.contains("'add'"), "{}", failure.message);
        }
    }
}
