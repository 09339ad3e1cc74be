//! The C library's locks in shared memory, process-shared: mutexes plain (a dead owner hangs everybody), robust (a dead owner is told) and recursive, the lock for many readers, and
//! the semaphore.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::lock::{Job, Section, Shape};

pub(crate) const ROLE: &str = "pthread";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Robust,
    RecursiveRobust,
    Semaphore,
    Read,
    Write,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Plain, "plain"),
    (Kind::Robust, "robust"),
    (Kind::RecursiveRobust, "recursive"),
    (Kind::Semaphore, "semaphore"),
    (Kind::Read, "read"),
    (Kind::Write, "write"),
];

/// One round: a fresh lock, its processes.
pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let page = SharedPage::new()?;
    let made = match kind {
        Kind::Semaphore => make_semaphore(&page),
        Kind::Read | Kind::Write => make_rwlock(&page),
        _ => make_mutex(&page, kind),
    };
    if made != 0 {
        return Err(Trouble::failed(format!("the C library could not make its lock: {made}")));
    }
    let name = KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name);
    shape.measure(ROLE, &[name.to_owned()], &page, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let name: String = member::next(&mut arguments, "kind")?;
    let (enter, leave): Pair = match KINDS.iter().find(|(_, known)| *known == name) {
        Some((Kind::Semaphore, _)) => (enter_semaphore, leave_semaphore),
        Some((Kind::Read, _)) => (enter_read, leave_rwlock),
        Some((Kind::Write, _)) => (enter_write, leave_rwlock),
        Some(_) => (enter_mutex, leave_mutex),
        None => return Err(Trouble::failed(format!("there is no kind {name}"))),
    };
    job.work(&page, Lock { page: &page, enter, leave })
}

type Pair = (fn(*mut u8) -> i32, fn(*mut u8) -> i32);

struct Lock<'a> {
    page: &'a SharedPage,
    enter: fn(*mut u8) -> i32,
    leave: fn(*mut u8) -> i32,
}

impl Section for Lock<'_> {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        let lock = self.page.room();
        let entered = (self.enter)(lock);
        inside();
        let left = (self.leave)(lock);
        if (entered, left) == (0, 0) { Ok(()) } else { Err(Trouble::failed(format!("the C library's lock: {entered}, {left}"))) }
    }
}

// Each of these gets the start of a live, writable, page-aligned mapping that is longer than the lock in it. The `make_` functions run while nobody uses it, the others after.

fn make_mutex(page: &SharedPage, kind: Kind) -> i32 {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: as above; the attributes are initialised first and destroyed last.
    unsafe {
        let codes = [
            libc::pthread_mutexattr_init(attributes.as_mut_ptr()),
            libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED),
            if kind == Kind::Plain { 0 } else { libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) },
            if kind == Kind::RecursiveRobust { libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_RECURSIVE) } else { 0 },
            libc::pthread_mutex_init(page.room().cast(), attributes.as_ptr()),
        ];
        libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
        codes.into_iter().find(|code| *code != 0).unwrap_or(0)
    }
}

fn make_rwlock(page: &SharedPage) -> i32 {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: as above; the attributes are initialised first and destroyed last.
    unsafe {
        let codes = [
            libc::pthread_rwlockattr_init(attributes.as_mut_ptr()),
            libc::pthread_rwlockattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED),
            libc::pthread_rwlock_init(page.room().cast(), attributes.as_ptr()),
        ];
        libc::pthread_rwlockattr_destroy(attributes.as_mut_ptr());
        codes.into_iter().find(|code| *code != 0).unwrap_or(0)
    }
}

fn make_semaphore(page: &SharedPage) -> i32 {
    // SAFETY: as above.
    unsafe { libc::sem_init(page.room().cast(), 1, 1) }
}

fn enter_mutex(lock: *mut u8) -> i32 {
    // SAFETY: as above.
    unsafe { libc::pthread_mutex_lock(lock.cast()) }
}

fn leave_mutex(lock: *mut u8) -> i32 {
    // SAFETY: as above, and this thread holds it.
    unsafe { libc::pthread_mutex_unlock(lock.cast()) }
}

fn enter_semaphore(lock: *mut u8) -> i32 {
    // SAFETY: as above.
    unsafe { libc::sem_wait(lock.cast()) }
}

fn leave_semaphore(lock: *mut u8) -> i32 {
    // SAFETY: as above.
    unsafe { libc::sem_post(lock.cast()) }
}

fn enter_read(lock: *mut u8) -> i32 {
    // SAFETY: as above.
    unsafe { libc::pthread_rwlock_rdlock(lock.cast()) }
}

fn enter_write(lock: *mut u8) -> i32 {
    // SAFETY: as above.
    unsafe { libc::pthread_rwlock_wrlock(lock.cast()) }
}

fn leave_rwlock(lock: *mut u8) -> i32 {
    // SAFETY: as above, and this thread holds it.
    unsafe { libc::pthread_rwlock_unlock(lock.cast()) }
}

/// Their size and alignment fit the room they are given.
const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= 2048 && size_of::<libc::pthread_rwlock_t>() <= 2048 && size_of::<libc::sem_t>() <= 2048);
