//! Numbers that C programs are compiled with: the ABI, the kinds of errors, how objects are opened, kinds of objects. Knows no object.

use std::ffi::c_char;

/// The ABI that this header describes. Another number: functions or structures changed their meaning, and a program must be compiled anew. Functions may be added without a new number.
pub const PP_ABI: u32 = 1;

/// Success.
pub const PP_OK: i32 = 0;
/// The time given for the call passed first. Nothing was changed.
pub const PP_TIMEOUT: i32 = 1;
/// A try on a queue that holds nothing at the moment.
pub const PP_EMPTY: i32 = 2;
/// A try on a queue that holds its item limit.
pub const PP_FULL: i32 = 3;
/// The queue was closed (and, for a getter, drained); or the connection is at its end.
pub const PP_CLOSED: i32 = 4;
/// The fabric's cap, or the system's memory, does not allow the growth that the call needed. Nothing was lost.
pub const PP_OUT_OF_MEMORY: i32 = 5;
/// A message is larger than the fabric could ever hold, than the receiver allows, or than the buffer given.
pub const PP_TOO_LARGE: i32 = 6;
/// Shared memory, or what came through a connection, holds something that this library does not write.
pub const PP_CORRUPT: i32 = 7;
/// The segment was made by a version with another layout; or the program was compiled for another ABI.
pub const PP_FOREIGN_VERSION: i32 = 8;
/// The segment was made by a program with another word size or byte order.
pub const PP_FOREIGN_ABI: i32 = 9;
/// The file or descriptor is not a fabric at all.
pub const PP_NOT_A_FABRIC: i32 = 10;
/// Nothing has this name.
pub const PP_NOT_FOUND: i32 = 11;
/// Something has this name already.
pub const PP_ALREADY_EXISTS: i32 = 12;
/// The name or ticket leads to an object of another kind; or a value is of another type than the one asked for.
pub const PP_WRONG_TYPE: i32 = 13;
/// The name is empty, too long, or has a character that names may not have.
pub const PP_BAD_NAME: i32 = 14;
/// A directory or file belongs to somebody else, or is open to others.
pub const PP_NOT_OWNER: i32 = 15;
/// The process table is full.
pub const PP_TOO_MANY_MEMBERS: i32 = 16;
/// The object was destroyed; the handle or ticket is stale.
pub const PP_GONE: i32 = 17;
/// The ticket belongs to a fabric that this process has not attached.
pub const PP_NOT_ATTACHED: i32 = 18;
/// A value cannot be encoded.
pub const PP_ENCODE: i32 = 19;
/// Bytes are not a value, or not one of the type asked for.
pub const PP_DECODE: i32 = 20;
/// The fabric lives where this process cannot reach it (another pid namespace).
pub const PP_UNREACHABLE: i32 = 21;
/// An argument makes no sense: NULL where that is not allowed, text that is not UTF-8, a number out of range.
pub const PP_INVALID_ARGUMENT: i32 = 22;
/// Release of a lock that the caller does not hold.
pub const PP_NOT_HELD: i32 = 23;
/// The operating system refused; pp_error_os has its number.
pub const PP_OS: i32 = 24;
/// A signal ended the wait. Run what it asks for, and call again.
pub const PP_INTERRUPTED: i32 = 25;
/// This system lacks something that the call needs.
pub const PP_UNSUPPORTED: i32 = 26;
/// The lock WAS acquired, from a process that died holding it: what it protects may be half changed. The only status but PP_OK with which a call has done its work.
pub const PP_OWNER_DIED: i32 = 27;
/// The barrier is broken.
pub const PP_BROKEN_BARRIER: i32 = 28;
/// The time of a lease ran out and its message went back; nothing was changed.
pub const PP_LEASE_LOST: i32 = 29;
/// The other side of a connection does not know the key.
pub const PP_NOT_AUTHENTICATED: i32 = 30;
/// No task of this name is in the other process's program.
pub const PP_UNKNOWN_TASK: i32 = 100;
/// The arguments cannot be encoded here, or do not fit the task there.
pub const PP_BAD_ARGUMENTS: i32 = 101;
/// The result cannot be encoded there, or is not of the type asked for here.
pub const PP_BAD_RESULT: i32 = 102;
/// The task panicked, or said that it failed.
pub const PP_PANICKED: i32 = 103;
/// The process that ran the task died.
pub const PP_WORKER_DIED: i32 = 104;
/// The pool was closed, and takes no more work.
pub const PP_POOL_CLOSED: i32 = 105;
/// The pool was terminated before the result was there.
pub const PP_TERMINATED: i32 = 106;
/// The operating system could not start a process.
pub const PP_SPAWN_FAILED: i32 = 107;
/// Workers died again and again before they could do anything.
pub const PP_GAVE_UP: i32 = 108;
/// A process ended before it took its call.
pub const PP_NOT_STARTED: i32 = 109;
/// Two tasks of one program have the same name.
pub const PP_AMBIGUOUS_TASK: i32 = 110;
/// The call was cancelled.
pub const PP_CANCELLED: i32 = 111;
/// The call did not end within its hard limit.
pub const PP_TIME_LIMIT: i32 = 112;
/// The worker took more memory than the pool allows.
pub const PP_MEMORY_LIMIT: i32 = 120;
/// A defect of this library: it panicked inside the call. Objects in shared memory are whole (a panic is handled as a death in the call would be); please report it.
pub const PP_INTERNAL: i32 = 200;

/// How objects with names are opened: the object must exist.
pub const PP_OPEN: i32 = 0;
/// It must not exist, and is made. With a name of NULL: an object without a name is made.
pub const PP_CREATE: i32 = 1;
/// It is opened, or made if it does not exist.
pub const PP_OPEN_OR_CREATE: i32 = 2;

/// Raw bytes, which nobody interprets.
pub const PP_CODEC_RAW: u8 = 0;
/// A value, in MessagePack.
pub const PP_CODEC_VALUE: u8 = 1;

/// A timeout without end. Any negative number of nanoseconds is.
pub const PP_FOREVER: i64 = -1;

/// Kinds of objects, as pp_ticket_kind and pp_object_t tell them: a lock.
pub const PP_KIND_LOCK: i32 = 1;
/// A queue.
pub const PP_KIND_QUEUE: i32 = 2;
/// An rlock.
pub const PP_KIND_RLOCK: i32 = 3;
/// A semaphore, bounded or not.
pub const PP_KIND_SEMAPHORE: i32 = 4;
/// A condition.
pub const PP_KIND_CONDITION: i32 = 5;
/// An event.
pub const PP_KIND_EVENT: i32 = 6;
/// A barrier.
pub const PP_KIND_BARRIER: i32 = 7;
/// An rwlock.
pub const PP_KIND_RWLOCK: i32 = 8;
/// A value.
pub const PP_KIND_VALUE: i32 = 9;
/// An array.
pub const PP_KIND_ARRAY: i32 = 10;
/// A dict.
pub const PP_KIND_DICT: i32 = 11;
/// A list.
pub const PP_KIND_LIST: i32 = 12;
/// A set.
pub const PP_KIND_SET: i32 = 13;
/// A namespace.
pub const PP_KIND_NAMESPACE: i32 = 14;
/// A ring of events.
pub const PP_KIND_EVENTS: i32 = 15;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The ABI of the library that is loaded, to compare with PP_ABI. pp_fabric_open and the other ways into a fabric do that themselves.
///
/// Parameters: none.
/// Returns: the number.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub extern "C" fn pp_abi_version() -> u32 {
    PP_ABI
}

/// The library's version, as "0.1.0".
///
/// Parameters: none.
/// Returns: text that lives as long as the program.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub extern "C" fn pp_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// The name of a status, as "TIMEOUT".
///
/// Parameters: status: what a function returned.
/// Returns: text that lives as long as the program; "UNKNOWN" for a number that this version does not know.
/// Threads: any.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub extern "C" fn pp_status_name(status: i32) -> *const c_char {
    let name = NAMES.iter().find(|(number, _)| *number == status).map_or(c"UNKNOWN", |(_, name)| name);
    name.as_ptr()
}

/// Ends all waits of this process that a signal may end, with PP_INTERRUPTED: at once in the thread that the signal came to, else within a quarter of a second.
/// Needed in handlers that were installed with SA_RESTART; others end the wait of their thread by themselves, unless the signal comes just before it sleeps.
///
/// Parameters: none.
/// Returns: nothing.
/// Threads: any; also in the handler of a signal.
/// Death: nothing is shared.
#[unsafe(no_mangle)]
pub extern "C" fn pp_interrupt_waits() {
    polyproc::interrupt_waits();
}

static NAMES: &[(i32, &std::ffi::CStr)] = &[
    (PP_OK, c"OK"),
    (PP_TIMEOUT, c"TIMEOUT"),
    (PP_EMPTY, c"EMPTY"),
    (PP_FULL, c"FULL"),
    (PP_CLOSED, c"CLOSED"),
    (PP_OUT_OF_MEMORY, c"OUT_OF_MEMORY"),
    (PP_TOO_LARGE, c"TOO_LARGE"),
    (PP_CORRUPT, c"CORRUPT"),
    (PP_FOREIGN_VERSION, c"FOREIGN_VERSION"),
    (PP_FOREIGN_ABI, c"FOREIGN_ABI"),
    (PP_NOT_A_FABRIC, c"NOT_A_FABRIC"),
    (PP_NOT_FOUND, c"NOT_FOUND"),
    (PP_ALREADY_EXISTS, c"ALREADY_EXISTS"),
    (PP_WRONG_TYPE, c"WRONG_TYPE"),
    (PP_BAD_NAME, c"BAD_NAME"),
    (PP_NOT_OWNER, c"NOT_OWNER"),
    (PP_TOO_MANY_MEMBERS, c"TOO_MANY_MEMBERS"),
    (PP_GONE, c"GONE"),
    (PP_NOT_ATTACHED, c"NOT_ATTACHED"),
    (PP_ENCODE, c"ENCODE"),
    (PP_DECODE, c"DECODE"),
    (PP_UNREACHABLE, c"UNREACHABLE"),
    (PP_INVALID_ARGUMENT, c"INVALID_ARGUMENT"),
    (PP_NOT_HELD, c"NOT_HELD"),
    (PP_OS, c"OS"),
    (PP_INTERRUPTED, c"INTERRUPTED"),
    (PP_UNSUPPORTED, c"UNSUPPORTED"),
    (PP_OWNER_DIED, c"OWNER_DIED"),
    (PP_BROKEN_BARRIER, c"BROKEN_BARRIER"),
    (PP_LEASE_LOST, c"LEASE_LOST"),
    (PP_NOT_AUTHENTICATED, c"NOT_AUTHENTICATED"),
    (PP_UNKNOWN_TASK, c"UNKNOWN_TASK"),
    (PP_BAD_ARGUMENTS, c"BAD_ARGUMENTS"),
    (PP_BAD_RESULT, c"BAD_RESULT"),
    (PP_PANICKED, c"PANICKED"),
    (PP_WORKER_DIED, c"WORKER_DIED"),
    (PP_POOL_CLOSED, c"POOL_CLOSED"),
    (PP_TERMINATED, c"TERMINATED"),
    (PP_SPAWN_FAILED, c"SPAWN_FAILED"),
    (PP_GAVE_UP, c"GAVE_UP"),
    (PP_NOT_STARTED, c"NOT_STARTED"),
    (PP_AMBIGUOUS_TASK, c"AMBIGUOUS_TASK"),
    (PP_CANCELLED, c"CANCELLED"),
    (PP_TIME_LIMIT, c"TIME_LIMIT"),
    (PP_MEMORY_LIMIT, c"MEMORY_LIMIT"),
    (PP_INTERNAL, c"INTERNAL"),
];

#[cfg(test)]
mod tests {
    use polyproc::ErrorKind;
    use polyproc::ipc::{ErrorKind as Ipc, Kind};

    use super::*;

    #[test]
    fn numbers_are_those_of_the_crates() {
        // By their names, so that a kind that is new there and not here is found by the count below.
        let words = |name: String| name.chars().flat_map(|c| c.is_uppercase().then_some('_').into_iter().chain(c.to_uppercase())).collect::<String>();
        let known = |number: i32| NAMES.iter().find(|(n, _)| *n == number).map(|(_, name)| name.to_str().unwrap().to_owned());
        let ipc = [
            Ipc::Timeout,
            Ipc::Empty,
            Ipc::Full,
            Ipc::Closed,
            Ipc::OutOfMemory,
            Ipc::TooLarge,
            Ipc::Corrupt,
            Ipc::ForeignVersion,
            Ipc::ForeignAbi,
            Ipc::NotAFabric,
            Ipc::NotFound,
            Ipc::AlreadyExists,
            Ipc::WrongType,
            Ipc::BadName,
            Ipc::NotOwner,
            Ipc::TooManyMembers,
            Ipc::Gone,
            Ipc::NotAttached,
            Ipc::Encode,
            Ipc::Decode,
            Ipc::Unreachable,
            Ipc::InvalidArgument,
            Ipc::NotHeld,
            Ipc::Os,
            Ipc::Interrupted,
            Ipc::Unsupported,
            Ipc::OwnerDied,
            Ipc::BrokenBarrier,
            Ipc::LeaseLost,
            Ipc::NotAuthenticated,
        ];
        for (index, kind) in ipc.into_iter().enumerate() {
            assert_eq!(kind.number(), index as i32 + 1, "a kind is missing before {kind:?}");
            assert_eq!(known(kind.number()).as_deref(), words(format!("{kind:?}")).strip_prefix('_'));
        }
        let runtime = [
            ErrorKind::UnknownTask,
            ErrorKind::BadArguments,
            ErrorKind::BadResult,
            ErrorKind::Panicked,
            ErrorKind::WorkerDied,
            ErrorKind::PoolClosed,
            ErrorKind::Terminated,
            ErrorKind::SpawnFailed,
            ErrorKind::GaveUp,
            ErrorKind::NotStarted,
            ErrorKind::AmbiguousTask,
            ErrorKind::Cancelled,
            ErrorKind::TimeLimit,
            ErrorKind::MemoryLimit,
        ];
        for kind in runtime {
            assert_eq!(known(kind.number()).as_deref(), words(format!("{kind:?}")).strip_prefix('_'));
        }
        assert_eq!(NAMES.len(), 1 + ipc.len() + runtime.len() + 1);
    }

    #[test]
    fn kinds_are_those_of_the_crate() {
        assert_eq!(
            (Kind::Lock as i32, Kind::Queue as i32, Kind::RLock as i32, Kind::Namespace as i32),
            (PP_KIND_LOCK, PP_KIND_QUEUE, PP_KIND_RLOCK, PP_KIND_NAMESPACE)
        );
    }
}
