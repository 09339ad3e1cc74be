//! Named blocks of shared memory, outside any fabric, as `polyproc::SharedMemory` has them.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::SharedMemory;

use crate::abi::PP_CLOSED;
use crate::boundary::{free, guard};
use crate::error::{Fault, pp_error_t};

/// A block of shared memory with a name, as Python's SharedMemory; other programs have it by the same name. It lives until somebody unlinks it.
pub struct pp_shm_t(Option<SharedMemory>);

impl pp_shm_t {
    fn get(&self) -> Result<&SharedMemory, Fault> {
        self.0.as_ref().ok_or_else(|| Fault::Own(PP_CLOSED, "this block was closed".into()))
    }
}

/// Makes a block; its memory is reserved at once.
///
/// Parameters: name: NULL: a name is found; size: bytes, more than 0; shm: gets it; error: may be NULL.
/// Returns: PP_OK; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_OUT_OF_MEMORY: /dev/shm is full.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_create(name: *const c_char, size: usize, shm: *mut *mut pp_shm_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("shm", shm)?;
        out.give(pp_shm_t(Some(SharedMemory::create(call.maybe_text("name", name)?, size)?)));
        Ok(())
    })
}

/// Attaches to a block.
///
/// Parameters: name; read_only; shm: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME; PP_NOT_OWNER.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_attach(name: *const c_char, read_only: bool, shm: *mut *mut pp_shm_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("shm", shm)?;
        let name = call.text("name", name)?;
        out.give(pp_shm_t(Some(if read_only { SharedMemory::attach_read_only(name) } else { SharedMemory::attach(name) }?)));
        Ok(())
    })
}

/// Frees the handle, and closes it.
///
/// Parameters: shm: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_free(shm: *mut pp_shm_t) {
    free(shm);
}

/// Lets go of the block: what pp_shm_data lent is no longer valid.
///
/// Parameters: shm; error: may be NULL.
/// Returns: PP_OK, also for the second time.
/// Threads: one at a time.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_close(shm: *mut pp_shm_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        call.unique("shm", shm)?.0 = None;
        Ok(())
    })
}

/// The name of a block.
///
/// Parameters: shm; text: gets it with a NUL; room: its bytes, 256 are enough; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED. PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_name(shm: *const pp_shm_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.write_text("text", text, room, call.shared("shm", shm)?.get()?.name()))
}

/// Bytes of a block.
///
/// Parameters: shm; size: gets them; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_size(shm: *const pp_shm_t, size: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("size", size)?;
        out.set(call.shared("shm", shm)?.get()?.size());
        Ok(())
    })
}

/// The block in place.
///
/// Parameters: shm; data: gets where it is, lent until it is closed or freed; one that was attached read-only must not be written to; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_data(shm: *const pp_shm_t, data: *mut *mut c_void, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("data", data)?;
        out.set(call.shared("shm", shm)?.get()?.as_ptr().cast());
        Ok(())
    })
}

/// Copies bytes out of a block.
///
/// Parameters: shm; at; buffer; len; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED. PP_INVALID_ARGUMENT: outside.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_read(shm: *const pp_shm_t, at: usize, buffer: *mut c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let shm = call.shared("shm", shm)?.get()?;
        Ok(shm.read(at, call.buffer("buffer", buffer, len)?)?)
    })
}

/// Copies bytes into a block.
///
/// Parameters: shm; at; data; len; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED. PP_INVALID_ARGUMENT: outside, or attached read-only.
/// Threads: any.
/// Death: killed here, some bytes may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_write(shm: *const pp_shm_t, at: usize, data: *const c_void, len: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let shm = call.shared("shm", shm)?.get()?;
        Ok(shm.write(at, call.bytes("data", data, len)?)?)
    })
}

/// Removes the name; the memory goes with the last who has it.
///
/// Parameters: shm; error: may be NULL.
/// Returns: PP_OK; PP_CLOSED. PP_NOT_FOUND: somebody was faster.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_unlink(shm: *const pp_shm_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("shm", shm)?.get()?.unlink()?))
}

/// As pp_shm_unlink, of a block that is not attached.
///
/// Parameters: name; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME.
/// Threads: any.
/// Death: the block stays until it is unlinked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_shm_unlink_name(name: *const c_char, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(SharedMemory::unlink_name(call.text("name", name)?)?))
}
