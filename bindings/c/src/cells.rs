//! Values and arrays, as `polyproc::Cells` has both: typed cells with a C layout. Atomic operations are in `cells_atomic.rs`.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::{CellType, Cells, Kind, Locking};

use crate::abi::{PP_KIND_ARRAY, PP_KIND_VALUE};
use crate::boundary::{Call, Options};
use crate::boundary::{free, guard};
use crate::error::Fault;
use crate::error::pp_error_t;
use crate::fabric::{Wish, pp_fabric_t};
use crate::ticket::{pp_ticket_t, ticket_of};
use crate::wait::{acquired, wait};

/// A value (one cell) or an array (a row of them), laid out as C has it.
pub struct pp_cells_t(pub(crate) Cells);

/// The lock of cells: one of their own, which the thread that holds it may take again.
pub const PP_LOCKING_OWN: i32 = 0;
/// None: every access is as it comes; single cells of up to 8 bytes are whole all the same.
pub const PP_LOCKING_NONE: i32 = 1;
/// The lock or rlock of `lock`, which several objects may share.
pub const PP_LOCKING_GIVEN: i32 = 2;

/// What cells are made of; PP_CELLS_OPTIONS_INIT begins one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_cells_options_t {
    /// sizeof(pp_cells_options_t)
    pub size: usize,
    /// Type of a cell, one of Python's codes: 'c' 'b' 'B' '?' (1 byte) 'h' 'H' (2) 'i' 'I' 'f' 'u' (4) 'l' 'L' 'q' 'Q' 'd' (8), or 'S' for a structure.
    pub code: i32,
    /// Of a structure: its alignment.
    pub structure_align: u32,
    /// Of a structure: its size.
    pub structure_size: usize,
    /// Of a structure: what is in it, in words that its users agree on (120 bytes at most); may be NULL.
    pub structure_format: *const c_char,
    /// How many cells an array has; 0: none. A value has one, whatever is said here.
    pub count: usize,
    /// A PP_LOCKING_ number.
    pub locking: i32,
    /// With PP_LOCKING_GIVEN: which.
    pub lock: *const pp_ticket_t,
    /// What the cells are at first, `count` of them; NULL: zeros.
    pub contents: *const c_void,
}

impl Default for pp_cells_options_t {
    fn default() -> Self {
        let none = std::ptr::null();
        pp_cells_options_t {
            size: 0,
            code: 0,
            structure_align: 0,
            structure_size: 0,
            structure_format: none,
            count: 0,
            locking: 0,
            lock: std::ptr::null(),
            contents: std::ptr::null(),
        }
    }
}

// SAFETY: numbers and pointers, the first a `usize`.
unsafe impl Options for pp_cells_options_t {}

fn kind_of(kind: i32) -> Result<Kind, Fault> {
    match kind {
        PP_KIND_VALUE => Ok(Kind::Value),
        PP_KIND_ARRAY => Ok(Kind::Array),
        other => Err(Fault::argument(format!("kind is {other}; it is PP_KIND_VALUE or PP_KIND_ARRAY"))),
    }
}

fn type_of(call: &Call, options: &pp_cells_options_t) -> Result<CellType, Fault> {
    let code = u8::try_from(options.code).map(char::from).unwrap_or_default();
    if code == 'S' {
        let format = call.maybe_text("options.structure_format", options.structure_format)?.unwrap_or_default().to_owned();
        return Ok(CellType::structure(options.structure_size, options.structure_align as usize, format)?);
    }
    CellType::from_code(code).ok_or_else(|| Fault::argument(format!("options.code is {}, which is no type of a cell", options.code)))
}

fn locking_of(call: &Call, locking: i32, lock: *const pp_ticket_t) -> Result<Locking, Fault> {
    match locking {
        PP_LOCKING_OWN => Ok(Locking::Own),
        PP_LOCKING_NONE => Ok(Locking::None),
        PP_LOCKING_GIVEN => Ok(Locking::Given(ticket_of(call, lock)?)),
        other => Err(Fault::argument(format!("locking is {other}, which is no PP_LOCKING_ number"))),
    }
}

/// Opens or makes a value or an array.
///
/// Parameters: fabric; kind: PP_KIND_VALUE or PP_KIND_ARRAY; name: NULL for one without a name, which goes with its handle here unless its ticket was made; how: PP_OPEN, PP_CREATE or PP_OPEN_OR_CREATE; options: what it is made of; NULL with PP_OPEN: whatever it is; cells: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_ALREADY_EXISTS; PP_WRONG_TYPE: the name is of something else, or of other cells; PP_BAD_NAME; PP_OUT_OF_MEMORY.
/// Threads: any.
/// Death: killed here, it was made or not; one without a name goes with its maker.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_open(
    fabric: *const pp_fabric_t,
    kind: i32,
    name: *const c_char,
    how: i32,
    options: *const pp_cells_options_t,
    cells: *mut *mut pp_cells_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("cells", cells)?;
        let fabric = call.shared("fabric", fabric)?.get();
        let (kind, wish) = (kind_of(kind)?, Wish::read(call, name, how)?);
        if let (Wish::Open(name), true) = (&wish, options.is_null()) {
            out.give(pp_cells_t(Cells::open(fabric, kind, name)?));
            return Ok(());
        }
        if options.is_null() {
            return Err(Fault::null("options"));
        }
        let options = call.options("options", options)?;
        let cell = type_of(call, &options)?;
        let count = if kind == Kind::Value { 1 } else { options.count };
        let locking = locking_of(call, options.locking, options.lock)?;
        let bytes = count.checked_mul(cell.size()).ok_or_else(|| Fault::argument("options.count is more than memory can have"))?;
        let contents = if options.contents.is_null() { None } else { Some(call.bytes("options.contents", options.contents, bytes)?) };
        let made = match wish {
            Wish::New => Cells::create(fabric, kind, None, &cell, count, locking, contents),
            Wish::Create(name) => Cells::create(fabric, kind, Some(name), &cell, count, locking, contents),
            Wish::OpenOrCreate(name) => Cells::open_or_create(fabric, kind, name, &cell, count, locking, contents),
            Wish::Open(name) => Cells::open(fabric, kind, name).and_then(|_| Cells::open_or_create(fabric, kind, name, &cell, count, locking, None)),
        };
        out.give(pp_cells_t(made?));
        Ok(())
    })
}

/// The value or array that a ticket leads to.
///
/// Parameters: ticket; cells: gets it; error: may be NULL.
/// Returns: PP_OK; PP_NOT_ATTACHED: open its fabric first; PP_WRONG_TYPE; PP_GONE.
/// Threads: any.
/// Death: the object stays when this process dies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_from_ticket(ticket: *const pp_ticket_t, cells: *mut *mut pp_cells_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("cells", cells)?;
        out.give(pp_cells_t(Cells::from_ticket(&ticket_of(call, ticket)?)?));
        Ok(())
    })
}

/// Frees the handle, with what pp_cells_data lent. The object itself goes only if it has no name and no ticket.
///
/// Parameters: cells: may be NULL.
/// Returns: nothing.
/// Threads: any, once, when nobody uses the handle any more.
/// Death: what a killed process did not free is given back by the next sweep.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_free(cells: *mut pp_cells_t) {
    free(cells);
}

/// How another process attaches. With `lend` false it belongs to the fabric from now on, and lives until destroyed; with true it still goes with its maker.
///
/// Parameters: cells; lend; ticket: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: a ticket does not keep a lent object alive: PP_GONE once its maker is dead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_ticket(cells: *const pp_cells_t, lend: bool, ticket: *mut pp_ticket_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("ticket", ticket)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(if lend { cells.lend() } else { cells.ticket() }.into());
        Ok(())
    })
}

/// Destroys the object for everybody. What pp_cells_data lent stays valid until its handle is freed.
///
/// Parameters: cells; error: may be NULL.
/// Returns: PP_OK; PP_GONE: it was destroyed before.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_destroy(cells: *const pp_cells_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("cells", cells)?.0.destroy()?))
}

/// A second handle of the same object, whose lock is another.
///
/// Parameters: cells; locking: a PP_LOCKING_ number; lock: with PP_LOCKING_GIVEN, else NULL; same: gets it; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: it has no lock of its own.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_synchronized(
    cells: *const pp_cells_t,
    locking: i32,
    lock: *const pp_ticket_t,
    same: *mut *mut pp_cells_t,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("same", same)?;
        let locking = locking_of(call, locking, lock)?;
        out.give(pp_cells_t(call.shared("cells", cells)?.0.synchronized(locking)?));
        Ok(())
    })
}

/// Whether it is a value or an array.
///
/// Parameters: cells; kind: gets PP_KIND_VALUE or PP_KIND_ARRAY; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_kind(cells: *const pp_cells_t, kind: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("kind", kind)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(cells.kind() as i32);
        Ok(())
    })
}

/// How many cells there are.
///
/// Parameters: cells; len: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_len(cells: *const pp_cells_t, len: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("len", len)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(cells.len());
        Ok(())
    })
}

/// The type of a cell.
///
/// Parameters: cells; code: gets its code, as in pp_cells_options_t; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_code(cells: *const pp_cells_t, code: *mut i32, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("code", code)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(cells.cell_type().code() as i32);
        Ok(())
    })
}

/// Bytes of a cell.
///
/// Parameters: cells; size: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_cell_size(cells: *const pp_cells_t, size: *mut usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("size", size)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(cells.cell_type().size());
        Ok(())
    })
}

/// What the maker of structures said is in them.
///
/// Parameters: cells; text: gets it with a NUL; room: its bytes, 121 are enough; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_format(cells: *const pp_cells_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.write_text("text", text, room, call.shared("cells", cells)?.0.cell_type().format()))
}

/// Whether it has a lock.
///
/// Parameters: cells; has: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_has_lock(cells: *const pp_cells_t, has: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("has", has)?;
        let cells = &call.shared("cells", cells)?.0;
        out.set(cells.has_lock());
        Ok(())
    })
}

/// Acquires the lock of the cells.
///
/// Parameters: cells; timeout: nanoseconds, negative for ever, 0 a try; error: may be NULL.
/// Returns: PP_OK; PP_OWNER_DIED: acquired, from a process that died holding it; PP_TIMEOUT; PP_INTERRUPTED; PP_INVALID_ARGUMENT: there is none; PP_GONE.
/// Threads: any; a recursive lock, as their own is, belongs to the thread.
/// Death: a killed holder is found within a quarter of a second; the next to acquire is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_acquire(cells: *const pp_cells_t, timeout: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let cells = &call.shared("cells", cells)?.0;
        acquired(wait(timeout, |time| cells.acquire(time))?)
    })
}

/// Releases the lock once.
///
/// Parameters: cells; error: may be NULL.
/// Returns: PP_OK; PP_NOT_HELD; PP_INVALID_ARGUMENT: there is none; PP_GONE.
/// Threads: the one that acquired it, if it is recursive.
/// Death: killed here, it has happened or has not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_release(cells: *const pp_cells_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("cells", cells)?.0.release()?))
}

/// Reads whole cells. It takes no lock: one cell of up to 8 bytes comes whole, more may be half changed if somebody writes without the lock.
///
/// Parameters: cells; from: the first cell; buffer: gets them; size: its bytes: a multiple of the size of a cell; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: outside; PP_GONE.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_read(cells: *const pp_cells_t, from: usize, buffer: *mut c_void, size: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let cells = &call.shared("cells", cells)?.0;
        Ok(cells.read(from, call.buffer("buffer", buffer, size)?)?)
    })
}

/// Writes whole cells. It takes no lock.
///
/// Parameters: cells; from: the first cell; data; size: its bytes: a multiple of the size of a cell; error: may be NULL.
/// Returns: PP_OK; PP_INVALID_ARGUMENT: outside; PP_GONE.
/// Threads: any.
/// Death: killed here, cells of up to 8 bytes are whole; a larger one, or a range, may be half written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_write(cells: *const pp_cells_t, from: usize, data: *const c_void, size: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let cells = &call.shared("cells", cells)?.0;
        Ok(cells.write(from, call.bytes("data", data, size)?)?)
    })
}

/// The cells in place, to be read and written as a C array; whoever does so holds the lock, or uses atomics.
///
/// Parameters: cells; data: gets where they are, aligned to 64; lent until the handle is freed, also when the object is destroyed; a forked child asks anew; error: may be NULL.
/// Returns: PP_OK; PP_GONE.
/// Threads: any.
/// Death: what a killed process wrote is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_data(cells: *const pp_cells_t, data: *mut *mut c_void, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("data", data)?;
        out.set(call.shared("cells", cells)?.0.as_ptr()?.cast());
        Ok(())
    })
}
