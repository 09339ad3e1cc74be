//! Atomic operations on integer cells, of whatever size; they take no lock.

use polyproc::{Array, Cells, Integer, Kind, Value};

use crate::boundary::guard;
use crate::cells::pp_cells_t;
use crate::error::{Fault, pp_error_t};

/// What is to be done to a cell.
#[derive(Clone, Copy)]
enum Act {
    Load,
    Store(i64),
    Swap(i64),
    Add(i64),
    Sub(i64),
    Exchange(i64, i64),
}

/// What the cell was before (for a store, nothing that counts), and whether it was exchanged.
type Was = (i64, bool);

/// Does it to a cell of the type that it has; 64-bit cells without sign come and go as their bits.
fn act(cells: &Cells, index: usize, what: Act) -> Result<Was, Fault> {
    match cells.cell_type().code() {
        'b' => act_as::<i8>(cells, index, what),
        'B' => act_as::<u8>(cells, index, what),
        'h' => act_as::<i16>(cells, index, what),
        'H' => act_as::<u16>(cells, index, what),
        'i' => act_as::<i32>(cells, index, what),
        'I' => act_as::<u32>(cells, index, what),
        'l' | 'q' => act_as::<i64>(cells, index, what),
        'L' | 'Q' => act_wide(cells, index, what),
        other => Err(Fault::Own(crate::abi::PP_WRONG_TYPE, format!("cells of type '{other}' have no atomic operations; integers have"))),
    }
}

fn act_as<T: Integer + TryFrom<i64> + Into<i64> + Copy>(cells: &Cells, index: usize, what: Act) -> Result<Was, Fault> {
    let to = |value: i64| T::try_from(value).map_err(|_| Fault::argument(format!("{value} does not fit into a cell of type '{}'", cells.cell_type().code())));
    on(cells, index, what, to, |value: T| value.into())
}

fn act_wide(cells: &Cells, index: usize, what: Act) -> Result<Was, Fault> {
    on(cells, index, what, |value| Ok(value as u64), |value: u64| value as i64)
}

fn on<T: Integer>(cells: &Cells, index: usize, what: Act, to: impl Fn(i64) -> Result<T, Fault>, from: impl Fn(T) -> i64) -> Result<Was, Fault> {
    let plain = |was: T| (from(was), true);
    let exchanged = |outcome: Result<T, T>| match outcome {
        Ok(was) => (from(was), true),
        Err(was) => (from(was), false),
    };
    if cells.kind() == Kind::Value {
        if index != 0 {
            return Err(Fault::argument(format!("a value has one cell, and no cell {index}")));
        }
        let value = Value::<T>::of(cells.clone())?;
        return Ok(match what {
            Act::Load => plain(value.load()?),
            Act::Store(new) => plain(value.store(to(new)?).and_then(|()| value.load())?),
            Act::Swap(new) => plain(value.swap(to(new)?)?),
            Act::Add(more) => plain(value.fetch_add(to(more)?)?),
            Act::Sub(less) => plain(value.fetch_sub(to(less)?)?),
            Act::Exchange(current, new) => exchanged(value.compare_exchange(to(current)?, to(new)?)?),
        });
    }
    let array = Array::<T>::of(cells.clone())?;
    Ok(match what {
        Act::Load => plain(array.load(index)?),
        Act::Store(new) => plain(array.store(index, to(new)?).and_then(|()| array.load(index))?),
        Act::Swap(new) => plain(array.swap(index, to(new)?)?),
        Act::Add(more) => plain(array.fetch_add(index, to(more)?)?),
        Act::Sub(less) => plain(array.fetch_sub(index, to(less)?)?),
        Act::Exchange(current, new) => exchanged(array.compare_exchange(index, to(current)?, to(new)?)?),
    })
}

/// Reads an integer cell, atomically.
///
/// Parameters: cells; index: 0 for a value; value: gets it (a uint64_t above INT64_MAX as its bits); error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_load(cells: *const pp_cells_t, index: usize, value: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("value", value)?;
        out.set(act(&call.shared("cells", cells)?.0, index, Act::Load)?.0);
        Ok(())
    })
}

/// Sets an integer cell, atomically.
///
/// Parameters: cells; index: 0 for a value; value; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_store(cells: *const pp_cells_t, index: usize, value: i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        act(&call.shared("cells", cells)?.0, index, Act::Store(value))?;
        Ok(())
    })
}

/// Sets an integer cell and tells what it was.
///
/// Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_swap(cells: *const pp_cells_t, index: usize, value: i64, previous: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (was, _) = act(&call.shared("cells", cells)?.0, index, Act::Swap(value))?;
        if let Some(out) = call.maybe_out(previous) {
            out.set(was);
        }
        Ok(())
    })
}

/// Adds to an integer cell, which wraps around.
///
/// Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_fetch_add(cells: *const pp_cells_t, index: usize, value: i64, previous: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (was, _) = act(&call.shared("cells", cells)?.0, index, Act::Add(value))?;
        if let Some(out) = call.maybe_out(previous) {
            out.set(was);
        }
        Ok(())
    })
}

/// Subtracts from an integer cell, which wraps around.
///
/// Parameters: cells; index: 0 for a value; value; previous: gets what it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_fetch_sub(cells: *const pp_cells_t, index: usize, value: i64, previous: *mut i64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let (was, _) = act(&call.shared("cells", cells)?.0, index, Act::Sub(value))?;
        if let Some(out) = call.maybe_out(previous) {
            out.set(was);
        }
        Ok(())
    })
}

/// Sets an integer cell if it is what is expected.
///
/// Parameters: cells; index: 0 for a value; expected; value; done: gets whether it was set; previous: gets what it was, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_WRONG_TYPE: not integers; PP_INVALID_ARGUMENT: outside, or a number that the cell cannot hold; PP_GONE.
/// Threads: any.
/// Death: one store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_cells_compare_exchange(
    cells: *const pp_cells_t,
    index: usize,
    expected: i64,
    value: i64,
    done: *mut bool,
    previous: *mut i64,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let done = call.out("done", done)?;
        let (was, exchanged) = act(&call.shared("cells", cells)?.0, index, Act::Exchange(expected, value))?;
        done.set(exchanged);
        if let Some(out) = call.maybe_out(previous) {
            out.set(was);
        }
        Ok(())
    })
}
