//! The border: one guard for every export, and every use of a pointer that came from C. Knows no object.
//!
//! C promises by the header: a pointer that is not NULL leads to what its type says, a handle lives until its free, lengths are right, and nobody uses a thing that is not `const` at the
//! same time. That word is taken here; NULL, text that is not UTF-8 and panics are answered with a status. [`Call`] exists only inside [`guard`] and [`free`], so nothing else
//! can reach a pointer of C's.
#![allow(clippy::unused_self)] // `self` is the proof that the guard is there

use std::any::Any;
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;

use crate::abi::{PP_OK, PP_TOO_LARGE};
use crate::error::{Fault, pp_error_t};

/// Runs the body of an export: whatever goes wrong in it, a panic too, becomes a status, and an error object if the caller wants one. `*error` is NULL after a success.
pub(crate) fn guard(error: *mut *mut pp_error_t, body: impl FnOnce(&Call) -> Result<(), Fault>) -> i32 {
    let fault = match catch_unwind(AssertUnwindSafe(|| body(&Call(())))) {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault),
        Err(panic) => Some(Fault::internal(said(&*panic))),
    };
    let (status, made) = match fault {
        None => (PP_OK, std::ptr::null_mut()),
        Some(fault) if error.is_null() => (fault.number(), std::ptr::null_mut()),
        Some(fault) => (fault.number(), Box::into_raw(Box::new(fault.into_error()))),
    };
    if !error.is_null() {
        // SAFETY: not NULL, so by the header it is the caller's variable.
        unsafe { error.write(made) };
    }
    status
}

/// As [`guard`], for exports that answer something else than a status: `otherwise` if anything goes wrong.
pub(crate) fn answer<R>(otherwise: R, body: impl FnOnce(&Call) -> Result<R, Fault>) -> R {
    catch_unwind(AssertUnwindSafe(|| body(&Call(())))).map_or(None, Result::ok).unwrap_or(otherwise)
}

/// Frees a handle; NULL is none.
pub(crate) fn free<T: Send>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: not NULL, so by the header it is a handle that this library gave out as a box, and that nobody uses any more.
        let handle = unsafe { Box::from_raw(handle) };
        // What a panic in a drop left is lost memory at worst.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// What the panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("something that is not text")
}

/// The body of an export runs: what C passed may be used, for as long as this lives.
pub(crate) struct Call(());

impl Call {
    /// A handle or record that others may use at the same time.
    pub(crate) fn shared<T: Sync>(&self, name: &str, pointer: *const T) -> Result<&T, Fault> {
        // SAFETY: by the header, NULL or what its type says, alive during the call and changed by nobody but through types that allow it.
        unsafe { pointer.as_ref() }.ok_or_else(|| Fault::null(name))
    }

    /// As [`shared`](Call::shared), where NULL is allowed.
    pub(crate) fn maybe<T: Sync>(&self, pointer: *const T) -> Option<&T> {
        // SAFETY: as in `shared`.
        unsafe { pointer.as_ref() }
    }

    /// A handle that nobody else uses at the same time.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn unique<T: Send>(&self, name: &str, pointer: *mut T) -> Result<&mut T, Fault> {
        // SAFETY: by the header, NULL or what its type says, alive during the call, and used by one thread at a time.
        unsafe { pointer.as_mut() }.ok_or_else(|| Fault::null(name))
    }

    /// A variable for an answer. It is written only by [`Out::set`].
    pub(crate) fn out<T>(&self, name: &str, pointer: *mut T) -> Result<Out<'_, T>, Fault> {
        NonNull::new(pointer).map(|pointer| Out(pointer, PhantomData)).ok_or_else(|| Fault::null(name))
    }

    /// As [`out`](Call::out), where NULL says that the answer is not wanted.
    pub(crate) fn maybe_out<T>(&self, pointer: *mut T) -> Option<Out<'_, T>> {
        NonNull::new(pointer).map(|pointer| Out(pointer, PhantomData))
    }

    /// Text: UTF-8, NUL-terminated.
    pub(crate) fn text(&self, name: &str, text: *const c_char) -> Result<&str, Fault> {
        self.maybe_text(name, text)?.ok_or_else(|| Fault::null(name))
    }

    /// As [`text`](Call::text), where NULL is allowed.
    pub(crate) fn maybe_text(&self, name: &str, text: *const c_char) -> Result<Option<&str>, Fault> {
        if text.is_null() {
            return Ok(None);
        }
        // SAFETY: by the header, text ends with a NUL and stays as it is during the call.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_str().map(Some).map_err(|_| Fault::argument(format!("{name} is not UTF-8")))
    }

    /// Text for the system (a path, a word of a command line), which need not be UTF-8; NULL is none.
    pub(crate) fn maybe_os_text(&self, text: *const c_char) -> Option<&OsStr> {
        // SAFETY: as in `maybe_text`.
        (!text.is_null()).then(|| OsStr::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes()))
    }

    /// A list of such texts that ends with NULL; NULL is an empty one.
    pub(crate) fn os_texts(&self, list: *const *const c_char) -> Vec<&OsStr> {
        // SAFETY: by the header, a list that ends with NULL, so there is one more entry behind each that is not.
        let entries = (0..).map_while(|at| if list.is_null() { None } else { self.maybe_os_text(unsafe { list.add(at).read() }) });
        entries.collect()
    }

    /// Bytes; NULL if there are none.
    pub(crate) fn bytes(&self, name: &str, data: *const c_void, len: usize) -> Result<&[u8], Fault> {
        self.slice(name, data.cast::<u8>(), len)
    }

    /// Several records in a row; NULL if there are none.
    pub(crate) fn slice<T>(&self, name: &str, data: *const T, len: usize) -> Result<&[T], Fault> {
        match (data.is_null(), len) {
            (_, 0) => Ok(&[]),
            (true, _) => Err(Fault::null(name)),
            (false, len) if !fits::<T>(len) => Err(Fault::argument(format!("{name}: {len} is no length that memory can have"))),
            // SAFETY: by the header, `len` of them lie there and stay as they are during the call.
            (false, len) => Ok(unsafe { slice::from_raw_parts(data, len) }),
        }
    }

    /// Memory that the call writes to; NULL if there is none.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn buffer(&self, name: &str, data: *mut c_void, len: usize) -> Result<&mut [u8], Fault> {
        match (data.is_null(), len) {
            (_, 0) => Ok(&mut []),
            (true, _) => Err(Fault::null(name)),
            (false, len) if !fits::<u8>(len) => Err(Fault::argument(format!("{name}: {len} is no length that memory can have"))),
            // SAFETY: by the header, `len` bytes lie there, nobody else's during the call. They are another language's memory, in which whatever stands is a `u8`.
            (false, len) => Ok(unsafe { slice::from_raw_parts_mut(data.cast(), len) }),
        }
    }

    /// Writes records into the caller's array, as many as there is room for.
    pub(crate) fn fill<T>(&self, name: &str, to: *mut T, room: usize, records: impl Iterator<Item = T>) -> Result<(), Fault> {
        if to.is_null() && room > 0 {
            return Err(Fault::null(name));
        }
        for (at, record) in records.take(room).enumerate() {
            // SAFETY: by the header, there is room for `room` of them, and `at` is less; what was there is no value of ours.
            unsafe { to.add(at).write(record) };
        }
        Ok(())
    }

    /// Writes text and a NUL into the caller's memory.
    pub(crate) fn write_text(&self, name: &str, to: *mut c_char, room: usize, text: &str) -> Result<(), Fault> {
        let buffer = self.buffer(name, to.cast(), room)?;
        if room <= text.len() {
            return Err(Fault::Own(PP_TOO_LARGE, format!("{name}: {} bytes are needed, and {room} are there", text.len() + 1)));
        }
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        buffer[text.len()] = 0;
        Ok(())
    }

    /// A descriptor of the caller's.
    pub(crate) fn borrow_fd(&self, name: &str, fd: i32) -> Result<BorrowedFd<'_>, Fault> {
        if fd < 0 {
            return Err(Fault::argument(format!("{name} is {fd}, which is no descriptor")));
        }
        // SAFETY: not -1, and by the header open during the call; if it is not, system calls say so.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// A second descriptor of one of the caller's, to be kept.
    pub(crate) fn own_fd(&self, name: &str, fd: i32) -> Result<OwnedFd, Fault> {
        self.borrow_fd(name, fd)?.try_clone_to_owned().map_err(|error| Fault::argument(format!("{name} {fd}: {error}")))
    }

    /// Options: a structure that begins with its size, as the caller was compiled with; NULL for the default. What an older caller does not have is 0.
    pub(crate) fn options<T: Options>(&self, name: &str, options: *const T) -> Result<T, Fault> {
        let mut copy = T::default();
        if options.is_null() {
            return Ok(copy);
        }
        // SAFETY: by the header, options begin with a `size_t`.
        let size = unsafe { options.cast::<usize>().read() };
        if size < size_of::<usize>() || size > 4096 {
            return Err(Fault::argument(format!("{name}.size is {size}; set it to the size of the structure, or use the _INIT macro")));
        }
        let known = size.min(size_of::<T>());
        // SAFETY: `size` bytes lie there, by the header; any bytes are a `T` by the promise of the trait, and `known` are not more than a `T` has.
        unsafe {
            options.cast::<u8>().copy_to_nonoverlapping((&raw mut copy).cast(), known);
            if (known..size).any(|at| options.cast::<u8>().add(at).read() != 0) {
                return Err(Fault::argument(format!("{name} has options that this library does not know; it is older than the program")));
            }
        }
        Ok(copy)
    }
}

fn fits<T>(len: usize) -> bool {
    len.checked_mul(size_of::<T>().max(1)).is_some_and(|bytes| isize::try_from(bytes).is_ok())
}

/// A `repr(C)` structure that begins with a `usize` and is whole whatever its bytes are; 0 is the default of every member.
pub(crate) unsafe trait Options: Default + Copy {}

/// A variable of the caller's, for an answer.
#[must_use]
pub(crate) struct Out<'a, T>(NonNull<T>, PhantomData<&'a mut T>);

impl<T> Out<'_, T> {
    pub(crate) fn set(self, value: T) {
        // SAFETY: by the header, the variable is the caller's and lives during the call; what was there is no value of ours.
        unsafe { self.0.write(value) };
    }
}

impl<T> Out<'_, *mut T> {
    /// Gives out a handle.
    pub(crate) fn give(self, handle: T)
    where
        T: Send,
    {
        self.set(Box::into_raw(Box::new(handle)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{PP_INTERNAL, PP_INVALID_ARGUMENT};
    use crate::error::{pp_error_free, pp_error_kind, pp_error_message};

    fn message(error: *const pp_error_t) -> String {
        // SAFETY: text of an error that lives.
        unsafe { CStr::from_ptr(pp_error_message(error)) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_inside_is_a_status() {
        let mut error = std::ptr::null_mut();
        let status = guard(&raw mut error, |_| panic!("as {} would", "a defect"));
        assert_eq!(status, PP_INTERNAL);
        // SAFETY: the error was just made.
        unsafe {
            assert_eq!(pp_error_kind(error), PP_INTERNAL);
            assert!(message(error).contains("as a defect would"));
            pp_error_free(error);
        }
        assert_eq!(guard(std::ptr::null_mut(), |_| std::panic::panic_any(5)), PP_INTERNAL);
        assert!(answer(true, |_| panic!("no status")));
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("in a drop");
            }
        }
        free(Box::into_raw(Box::new(Bad)));
    }

    #[test]
    fn null_and_bad_text_name_the_parameter() {
        let mut error = std::ptr::null_mut();
        let seen = |status: i32, error: *mut pp_error_t, word: &str| {
            assert_eq!(status, PP_INVALID_ARGUMENT);
            assert!(message(error).contains(word), "{}", message(error));
            // SAFETY: the error was just made.
            unsafe { pp_error_free(error) };
        };
        let status = guard(&raw mut error, |call| call.text("name", std::ptr::null()).map(drop));
        seen(status, error, "name");
        let status = guard(&raw mut error, |call| call.text("name", c"\xff".as_ptr()).map(drop));
        seen(status, error, "UTF-8");
        let status = guard(&raw mut error, |call| call.bytes("data", std::ptr::null(), 3).map(drop));
        seen(status, error, "data");
        let status = guard(&raw mut error, |call| call.bytes("data", c"x".as_ptr().cast(), usize::MAX).map(drop));
        seen(status, error, "length");
        assert_eq!(guard(&raw mut error, |call| call.bytes("data", std::ptr::null(), 0).map(drop)), PP_OK);
        assert!(error.is_null(), "a success leaves no error");
    }
}
