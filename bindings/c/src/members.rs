//! Fabric: its members and objects, checks, and what the machine offers.

use std::ffi::c_char;

use std::ffi::c_void;

use polyproc::{Fabric, Owner};

use crate::abi::PP_CORRUPT;
use crate::boundary::{answer, guard};
use crate::error::{Fault, c_text, pp_error_t};
use crate::fabric::pp_fabric_t;
use crate::namespace::pp_names_t;

/// A member process.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_member_t {
    /// Its name in this fabric, for ever; 0 is nobody.
    pub owner: u64,
    /// When it started, in ticks since boot. For display.
    pub start_time: u64,
    /// Its process id, as its own pid namespace counts. For display.
    pub pid: u32,
    /// The language of its program; 1: this library.
    pub language: u32,
    /// Whether it lives: 0 or 1. Of the dead, what they held is not given back yet.
    pub alive: u32,
}

/// An object of a fabric.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_object_t {
    /// Its name; empty if it has none.
    pub name: [c_char; 129],
    /// A PP_KIND_ number; 0: a kind that this version does not know.
    pub kind: i32,
    /// The process that it goes with; 0: it belongs to the fabric.
    pub owner: u64,
}

/// What a check found.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pp_report_t {
    /// Living members.
    pub members: u64,
    /// Dead members that nobody has swept.
    pub unswept: u64,
    /// Objects.
    pub objects: u64,
    /// Units of memory, and free ones.
    pub units: u64,
    /// Free units of memory.
    pub free_units: u64,
    /// Slabs of chunks.
    pub slabs: u64,
    /// Chunks.
    pub chunks: u64,
    /// Free chunks.
    pub free_chunks: u64,
    /// Chunks that living processes have.
    pub private_chunks: u64,
    /// Chunks that dead processes have.
    pub unswept_chunks: u64,
    /// Chunks that objects have.
    pub held_chunks: u64,
    /// What is wrong; 0: the fabric is whole.
    pub problems: u64,
}

/// This process as a member, as pp_member_t names it.
///
/// Parameters: fabric; owner: gets it; error: may be NULL.
/// Returns: PP_OK; PP_TOO_MANY_MEMBERS.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_member(fabric: *const pp_fabric_t, owner: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("owner", owner)?;
        out.set(call.shared("fabric", fabric)?.get().member()?.to_bits());
        Ok(())
    })
}

/// All members, dead ones that nobody has swept included.
///
/// Parameters: fabric; members: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_members(
    fabric: *const pp_fabric_t,
    members: *mut pp_member_t,
    room: usize,
    count: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let all = call.shared("fabric", fabric)?.get().members();
        let each =
            all.iter().map(|m| pp_member_t { owner: m.owner.to_bits(), start_time: m.start_time, pid: m.pid, language: m.language, alive: m.alive.into() });
        call.fill("members", members, room, each)?;
        out.set(all.len());
        Ok(())
    })
}

/// Whether a member lives. A stopped process lives; a zombie does not.
///
/// Parameters: fabric; owner; alive: gets it; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_is_alive(fabric: *const pp_fabric_t, owner: u64, alive: *mut bool, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("alive", alive)?;
        out.set(call.shared("fabric", fabric)?.get().alive(Owner::from_bits(owner)));
        Ok(())
    })
}

/// All objects, with and without a name.
///
/// Parameters: fabric; objects: gets up to `room` of them, may be NULL with 0; room; count: gets how many there are; error: may be NULL.
/// Returns: PP_OK; PP_CORRUPT.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_objects(
    fabric: *const pp_fabric_t,
    objects: *mut pp_object_t,
    room: usize,
    count: *mut usize,
    error: *mut *mut pp_error_t,
) -> i32 {
    guard(error, |call| {
        let out = call.out("count", count)?;
        let all = call.shared("fabric", fabric)?.get().objects()?;
        let each = all.iter().map(|object| {
            let mut name = [0; 129];
            // The last one stays 0, which ends the text.
            name[..128].iter_mut().zip(object.name.as_deref().unwrap_or_default().bytes()).for_each(|(to, byte)| *to = byte as c_char);
            pp_object_t { name, kind: object.kind.map_or(0, |kind| kind as i32), owner: object.owner.map_or(0, Owner::to_bits) }
        });
        call.fill("objects", objects, room, each)?;
        out.set(all.len());
        Ok(())
    })
}

/// Destroys the object of a name. Whoever uses it from then on gets PP_GONE.
///
/// Parameters: fabric; name; error: may be NULL.
/// Returns: PP_OK; PP_NOT_FOUND; PP_BAD_NAME.
/// Threads: any.
/// Death: killed here, it is destroyed or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_remove(fabric: *const pp_fabric_t, name: *const c_char, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| Ok(call.shared("fabric", fabric)?.get().remove(call.text("name", name)?)?))
}

/// Walks the whole memory and accounts for every chunk. Other processes wait while it looks.
///
/// Parameters: fabric; report: gets what it found; error: may be NULL.
/// Returns: PP_OK: it is whole; PP_CORRUPT: it is not, and the report is written all the same.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_check(fabric: *const pp_fabric_t, report: *mut pp_report_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let out = call.out("report", report)?;
        let found = call.shared("fabric", fabric)?.get().check()?;
        out.set(pp_report_t {
            members: found.members as u64,
            unswept: found.unswept as u64,
            objects: found.objects as u64,
            units: found.units,
            free_units: found.free_units,
            slabs: found.slabs,
            chunks: found.chunks,
            free_chunks: found.free_chunks,
            private_chunks: found.private_chunks as u64,
            unswept_chunks: found.unswept_chunks as u64,
            held_chunks: found.held_chunks as u64,
            problems: found.problems.len() as u64,
        });
        match found.problems.first() {
            None => Ok(()),
            Some(first) => Err(Fault::Own(PP_CORRUPT, format!("the fabric is not whole: {first} ({} problems in all)", found.problems.len()))),
        }
    })
}

/// The identity of a fabric.
///
/// Parameters: fabric; id: gets 16 bytes; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_id(fabric: *const pp_fabric_t, id: *mut u8, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let text = call.shared("fabric", fabric)?.get().id().to_string();
        let bytes = call.buffer("id", id.cast::<c_void>(), 16)?;
        for (to, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *to = digits.iter().fold(0, |value, digit| value << 4 | char::from(*digit).to_digit(16).unwrap_or(0) as u8);
        }
        Ok(())
    })
}

/// The name of a fabric.
///
/// Parameters: fabric; text: gets it with a NUL; empty for a private one; room: its bytes, 256 are enough; error: may be NULL.
/// Returns: PP_OK; PP_TOO_LARGE: it does not fit.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_name(fabric: *const pp_fabric_t, text: *mut c_char, room: usize, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| call.write_text("text", text, room, call.shared("fabric", fabric)?.get().name().unwrap_or_default()))
}

/// Bytes that a fabric takes at the moment, and may take.
///
/// Parameters: fabric; size: gets the first, may be NULL; cap: gets the second, may be NULL; error: may be NULL.
/// Returns: PP_OK.
/// Threads: any.
/// Death: nothing is changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_fabric_size(fabric: *const pp_fabric_t, size: *mut u64, cap: *mut u64, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let fabric = call.shared("fabric", fabric)?.get();
        for (place, bytes) in [(size, fabric.size()), (cap, fabric.cap())] {
            if let Some(out) = call.maybe_out(place) {
                out.set(bytes);
            }
        }
        Ok(())
    })
}

/// Clears the files of named fabrics that have no living member.
///
/// Parameters: names: gets their names, may be NULL; error: may be NULL.
/// Returns: PP_OK; PP_OS.
/// Threads: any.
/// Death: killed here, some are cleared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_collect_names(names: *mut *mut pp_names_t, error: *mut *mut pp_error_t) -> i32 {
    guard(error, |call| {
        let collected = Fabric::collect_names()?;
        if let Some(out) = call.maybe_out(names) {
            out.give(pp_names_t(collected.iter().map(|name| c_text(name)).collect()));
        }
        Ok(())
    })
}

/// How many processors this process may use: by its affinity and its cgroup.
///
/// Parameters: .
/// Returns: the number, 1 at least.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_available_cpus() -> usize {
    answer(1, |_| Ok(polyproc::available_cpus()))
}

/// How many processes of this process's cgroup the kernel killed for lack of memory.
///
/// Parameters: .
/// Returns: the number; -1: no cgroup that counts.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pp_out_of_memory_kills() -> i64 {
    answer(-1, |_| Ok(polyproc::out_of_memory_kills().map_or(-1, |kills| kills as i64)))
}
