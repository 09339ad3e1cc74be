//! The C library's mutex in shared memory: process-shared, and robust (a dead owner is told) or plain (a dead owner hangs everybody).
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::lock::{Job, Section, Shape};

pub(crate) const ROLE: &str = "pthread";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Robust,
}

/// One round: a fresh mutex, its processes.
pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let page = SharedPage::new()?;
    init(&page, kind)?;
    shape.measure(ROLE, &[], &page, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    job.work(&page, Mutex { page: &page })
}

fn init(page: &SharedPage, kind: Kind) -> Result<(), Trouble> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the attributes are initialised first and destroyed last; the mutex lies at the start of a live, writable, page-aligned
    // mapping that is longer than it, and nobody uses it yet.
    let codes = unsafe {
        let codes = [
            libc::pthread_mutexattr_init(attributes.as_mut_ptr()),
            libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED),
            if kind == Kind::Robust { libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST) } else { 0 },
            libc::pthread_mutex_init(page.room().cast(), attributes.as_ptr()),
        ];
        libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
        codes
    };
    if codes == [0; 4] { Ok(()) } else { Err(Trouble::failed(format!("pthread_mutex_init: {codes:?}"))) }
}

struct Mutex<'a> {
    page: &'a SharedPage,
}

impl Section for Mutex<'_> {
    #[inline]
    fn with(&mut self, inside: impl FnOnce()) -> Result<(), Trouble> {
        let mutex = self.page.room().cast();
        // SAFETY: the parent initialised the mutex before this process was started, and the mapping outlives the call.
        let code = unsafe { libc::pthread_mutex_lock(mutex) };
        if code != 0 {
            return Err(Trouble::failed(format!("pthread_mutex_lock: {code}")));
        }
        inside();
        // SAFETY: as above, and this thread holds it.
        let code = unsafe { libc::pthread_mutex_unlock(mutex) };
        if code == 0 { Ok(()) } else { Err(Trouble::failed(format!("pthread_mutex_unlock: {code}"))) }
    }
}

/// The mutex's own size and alignment fit the room it is given.
const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= 2048 && align_of::<libc::pthread_mutex_t>() <= 4096);
