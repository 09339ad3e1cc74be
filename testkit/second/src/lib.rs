//! A shared library with a copy of polyproc-ipc of its own, as a plug-in or a language's extension would bring one. The test `second_copy` of ipc loads it into a process that has another copy.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Mutex;
use std::time::Duration;

use polyproc_ipc::{ErrorKind, Fabric, Lock, Queue};

static FABRIC: Mutex<Option<Fabric>> = Mutex::new(None);

/// Attaches this copy to the fabric behind `descriptor`, which stays the caller's. The slot that this copy has there, or minus an error's number.
#[unsafe(no_mangle)]
pub extern "C" fn second_attach(descriptor: RawFd) -> i64 {
    // SAFETY: the caller keeps the descriptor open during this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let attached = borrowed.try_clone_to_owned().map_err(|_| ErrorKind::Os).and_then(|fd| Fabric::attach(fd).map_err(|error| error.kind()));
    let slot = attached.and_then(|fabric| {
        let slot = fabric.member().map_err(|error| error.kind())?.slot();
        *FABRIC.lock().map_err(|_| ErrorKind::Os)? = Some(fabric);
        Ok(slot as i64)
    });
    slot.unwrap_or_else(|kind| -i64::from(kind.number()))
}

/// Under the lock named `lock`, waiting for it at most so many milliseconds, takes a number out of the queue named `numbers` and puts the next one in. 0, or minus an error's number.
#[unsafe(no_mangle)]
pub extern "C" fn second_count(milliseconds: u64) -> i64 {
    let count = || {
        let fabric = FABRIC.lock().map_err(|_| ErrorKind::Os)?.clone().ok_or(ErrorKind::NotAttached)?;
        let count = || -> polyproc_ipc::Result<()> {
            let lock = Lock::open(&fabric, "lock")?;
            let _held = lock.lock_timeout(Duration::from_millis(milliseconds))?;
            let numbers = Queue::<u64>::open(&fabric, "numbers")?;
            numbers.put(&(numbers.get()? + 1))
        };
        count().map_err(|error| error.kind())
    };
    count().map_or_else(|kind: ErrorKind| -i64::from(kind.number()), |()| 0)
}

/// This copy leaves the fabric.
#[unsafe(no_mangle)]
pub extern "C" fn second_leave() {
    if let Ok(mut fabric) = FABRIC.lock() {
        fabric.take();
    }
}
