//! The C library's mutex and condition variable in shared memory, process-shared. (They lose wake-ups when a waiter dies; nobody dies here.)
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::wake::{Job, Turns, measure};

pub(crate) const ROLE: &str = "pthread-cond";
/// Where the condition stands in the page, behind the mutex.
const CONDITION: usize = 512;

pub(crate) fn round(budget: Budget) -> Result<Sample, Trouble> {
    let page = SharedPage::new()?;
    let (mut mutex, mut condition) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the attributes are initialised first and destroyed last; mutex and condition lie apart in a live, writable, page-aligned mapping, and nobody uses them yet.
    let codes = unsafe {
        let codes = [
            libc::pthread_mutexattr_init(mutex.as_mut_ptr()),
            libc::pthread_mutexattr_setpshared(mutex.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED),
            libc::pthread_mutex_init(page.room().cast(), mutex.as_ptr()),
            libc::pthread_condattr_init(condition.as_mut_ptr()),
            libc::pthread_condattr_setpshared(condition.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED),
            libc::pthread_cond_init(page.room().add(CONDITION).cast(), condition.as_ptr()),
        ];
        libc::pthread_condattr_destroy(condition.as_mut_ptr());
        libc::pthread_mutexattr_destroy(mutex.as_mut_ptr());
        codes
    };
    if codes != [0; 6] {
        return Err(Trouble::failed(format!("pthread_cond_init: {codes:?}")));
    }
    measure(ROLE, &[], &page, budget)
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    job.work(&page, &mut Cond)
}

struct Cond;

fn check(what: &str, code: i32) -> Result<(), Trouble> {
    if code == 0 { Ok(()) } else { Err(Trouble::failed(format!("{what}: {code}"))) }
}

impl Turns for Cond {
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        let mutex = page.room().cast();
        // SAFETY: the parent initialised both before this process was started; the mapping outlives the calls; waits only while the mutex is held.
        unsafe {
            check("pthread_mutex_lock", libc::pthread_mutex_lock(mutex))?;
            while page.counter().load(Ordering::Relaxed) < turn {
                check("pthread_cond_wait", libc::pthread_cond_wait(page.room().add(CONDITION).cast(), mutex))?;
            }
            check("pthread_mutex_unlock", libc::pthread_mutex_unlock(mutex))
        }
    }

    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        let mutex = page.room().cast();
        // SAFETY: as above.
        unsafe {
            check("pthread_mutex_lock", libc::pthread_mutex_lock(mutex))?;
            page.counter().store(turn, Ordering::Relaxed);
            check("pthread_cond_signal", libc::pthread_cond_signal(page.room().add(CONDITION).cast()))?;
            check("pthread_mutex_unlock", libc::pthread_mutex_unlock(mutex))
        }
    }
}

/// Their sizes fit the room they are given.
const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= CONDITION && CONDITION + size_of::<libc::pthread_cond_t>() <= 2048);
