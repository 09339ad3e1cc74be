//! Fabric: one shared world, its members and what is in it.

use std::ffi::c_char;
use std::os::fd::AsRawFd;

use polyproc::{Backing, Fabric};

use crate::abi::{PP_ABI, PP_CREATE, PP_FOREIGN_VERSION, PP_OPEN, PP_OPEN_OR_CREATE};
use crate::boundary::{Call, Options, free, guard};
use crate::error::{Fault, pp_error_t};

/// One shared world: memory, a table of member processes, and a directory of named objects.
pub struct pp_fabric_t(Fabric);

impl pp_fabric_t {
    pub(crate) fn get(&self) -> &Fabric {
        &self.0
    }

    pub(crate) fn of(fabric: Fabric) -> pp_fabric_t {
        pp_fabric_t(fabric)
    }
}

/// Options of a fabric that is made. 0 is the default of each; PP_FABRIC_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct pp_fabric_options_t {
    /// sizeof(pp_fabric_options_t)
    pub size: usize,
    /// Bytes that the fabric may grow to, 1 MiB at least; 0: the smaller of half the machine's memory and what the memory cgroup leaves.
    pub cap: u64,
    /// PP_BACKING_MEMORY or PP_BACKING_FILE.
    pub backing: i32,
}

// SAFETY: numbers only, the first a `usize`.
unsafe impl Options for pp_fabric_options_t {}

/// The fabric's memory is anonymous.
pub const PP_BACKING_MEMORY: i32 = 0;
/// It is a file of the runtime directory: for processes that share a directory and not their process ids (two containers).
pub const PP_BACKING_FILE: i32 = 1;

/// How an object is to be opened.
pub(crate) enum Wish<'a> {
    New,
    Create(&'a str),
    Open(&'a str),
    OpenOrCreate(&'a str),
}

impl<'a> Wish<'a> {
    pub(crate) fn read(call: &'a Call, name: *const c_char, how: i32) -> Result<Wish<'a>, Fault> {
        match (call.maybe_text("name", name)?, how) {
            (Some(name), PP_OPEN) => Ok(Wish::Open(name)),
            (Some(name), PP_CREATE) => Ok(Wish::Create(name)),
            (Some(name), PP_OPEN_OR_CREATE) => Ok(Wish::OpenOrCreate(name)),
            (None, PP_CREATE | PP_OPEN_OR_CREATE) => Ok(Wish::New),
            (None, PP_OPEN) => Err(Fault::argument("name is NULL: what has no name is found by its ticket, or made with PP_CREATE")),
            (_, how) => Err(Fault::argument(format!("how is {how}; it is PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE"))),
        }
    }
}

/// Whether the program was compiled for this library.
pub(crate) fn check_abi(abi: u32) -> Result<(), Fault> {
    if abi == PP_ABI {
        return Ok(());
    }
    Err(Fault::Own(
        PP_FOREIGN_VERSION,
        format!("this program was compiled for polyproc's ABI {abi}, and the library that it found has {PP_ABI}; compile it with the header of the library"),
    ))
}

/// Opens or makes a fabric; called through pp_fabric_open, which passes the ABI of the header.
///
/// Parameters: abi: PP_ABI; name: NULL for a private fabric, known only to those who inherit it; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: may be NULL, used by who makes it; fabric: gets it; error: may be NULL.
/// Returns: PP_OK; PP_FOREIGN_VERSION: of the library or of the fabric; PP_NOT_FOUND: no living member has it; PP_ALREADY_EXISTS; PP_BAD_NAME; PP_NOT_OWNER; PP_UNREACHABLE; PP_TOO_MANY_MEMBERS; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: a fabric ends with its last member, however that ends. Opening sweeps what the dead left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_open_abi(
    abi: u32,
    name: *const c_char,
    how: i32,
    options: *const pp_fabric_options_t,
    fabric: *mut *mut pp_fabric_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        check_abi(abi)?;
        let out = call.out("fabric", fabric)?;
        let options = call.options("options", options)?;
        let mut builder = Fabric::builder().backing(match options.backing {
            PP_BACKING_MEMORY => Backing::Memory,
            PP_BACKING_FILE => Backing::File,
            other => return Err(Fault::argument(format!("options.backing is {other}; it is PP_BACKING_MEMORY or PP_BACKING_FILE"))),
        });
        if options.cap > 0 {
            builder = builder.cap(options.cap);
        }
        let made = match Wish::read(call, name, how)? {
            Wish::New => builder.private(),
            Wish::Create(name) => builder.create(name),
            Wish::Open(name) => builder.open(name),
            Wish::OpenOrCreate(name) => builder.open_or_create(name),
        };
        out.give(pp_fabric_t::of(made?));
        Ok(())
    })
}

/// The fabric of this program: the one inherited from a parent process of this library, else a private one that the first call makes.
///
/// Parameters: abi: PP_ABI, which pp_fabric_current passes; fabric: gets it; error: may be NULL.
/// Returns: PP_OK; PP_FOREIGN_VERSION; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: a fabric ends with its last member.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_current_abi(abi: u32, fabric: *mut *mut pp_fabric_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        check_abi(abi)?;
        let out = call.out("fabric", fabric)?;
        out.give(pp_fabric_t::of(Fabric::current()?));
        Ok(())
    })
}

/// Makes a fabric the one that pp_fabric_current answers from now on.
///
/// Parameters: fabric; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_set_current(fabric: *const pp_fabric_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        Fabric::set_current(call.shared("fabric", fabric)?.get());
        Ok(())
    })
}

/// Attaches to a fabric by the descriptor of its memory, as a child does with one that it inherited. The descriptor stays the caller's, who closes it.
///
/// Parameters: abi: PP_ABI, which pp_fabric_attach passes; fd; fabric: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_A_FABRIC; PP_FOREIGN_VERSION; PP_FOREIGN_ABI; PP_CORRUPT; PP_TOO_MANY_MEMBERS.
/// Threads: any.
/// Death: a fabric ends with its last member.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_attach_abi(abi: u32, fd: i32, fabric: *mut *mut pp_fabric_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        check_abi(abi)?;
        let fd = call.own_fd("fd", fd)?;
        let out = call.out("fabric", fabric)?;
        out.give(pp_fabric_t::of(Fabric::attach(fd)?));
        Ok(())
    })
}

/// The descriptor of a fabric's memory, to hand to a child.
///
/// Parameters: fabric; fd: gets it, lent until the fabric is freed, close-on-exec; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_fd(fabric: *const pp_fabric_t, fd: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("fd", fd)?;
        out.set(call.shared("fabric", fabric)?.get().descriptor().as_raw_fd());
        Ok(())
    })
}

/// Frees the handle. The process leaves the fabric when all its handles of it, objects included, are freed; in any order.
///
/// Parameters: fabric: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_free(fabric: *mut pp_fabric_t) {
    free(fabric);
}

/// Gives back what dead members held, and wakes everybody who waits for them. Long waits do it about once a second, and so does every opening.
///
/// Parameters: fabric; swept: gets how many dead members that were, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_CORRUPT.
/// Threads: any.
/// Death: killed here, the next sweep goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_sweep(fabric: *const pp_fabric_t, swept: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let count = call.shared("fabric", fabric)?.get().sweep()?;
        if let Some(out) = call.maybe_out(swept) {
            out.set(count);
        }
        Ok(())
    })
}
