//! What a fork does to this library: descriptors that the child must not keep, and a count by which each process knows itself.
//!
//! A forked child shares its parent's open file descriptions, and with them the parent's liveness lock. If the child kept
//! them, the parent could die unnoticed. The handler below runs in the child before `fork` returns there; it only touches
//! atomics and calls `close`, so it is safe in a child of a threaded process.
#![allow(unsafe_code)]

use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);
static CHILDREN: AtomicU64 = AtomicU64::new(0);
static HEAD: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());

/// One remembered descriptor. Nodes are never freed, only used again, so that the handler may walk them at any moment.
struct Node {
    fd: AtomicI32,
    used: AtomicBool,
    next: AtomicPtr<Node>,
}

const EMPTY: RawFd = -1;

/// How many forks lie between the first process and this one. A value that changed means: another process now.
#[inline(always)]
pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// How many children this process has forked since this library was first used.
pub(crate) fn children() -> u64 {
    CHILDREN.load(Ordering::Relaxed)
}

/// From now on [`forks`] counts. May be called again.
pub(crate) fn count_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: plain functions for the whole life of the program that only touch atomics and call close.
        unsafe { libc::pthread_atfork(None, Some(in_parent), Some(in_child)) };
    });
}

/// A place for a descriptor that is closed on drop, and in every forked child before `fork` returns there.
pub(crate) struct ChildClosed(&'static Node);

impl ChildClosed {
    /// An empty place.
    pub(crate) fn new() -> ChildClosed {
        count_forks();
        ChildClosed(free_node())
    }

    /// Puts `fd` here; what was here before is closed. Not to be called while another thread uses [`ChildClosed::get`].
    pub(crate) fn set(&self, fd: OwnedFd) {
        let old = self.0.fd.swap(fd.into_raw_fd(), Ordering::AcqRel);
        if old >= 0 {
            // SAFETY: this place was the descriptor's only owner.
            unsafe { libc::close(old) };
        }
    }

    /// The descriptor, if there is one and this is not a forked child.
    #[inline]
    pub(crate) fn get(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.0.fd.load(Ordering::Acquire);
        // SAFETY: the descriptor is open while it stands here, and is replaced only when nobody uses it.
        (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

impl ChildClosed {
    /// Closes the descriptor, if there is one.
    pub(crate) fn close(&self) {
        let fd = self.0.fd.swap(EMPTY, Ordering::AcqRel);
        if fd >= 0 {
            // SAFETY: this place was the descriptor's only owner.
            unsafe { libc::close(fd) };
        }
    }
}

impl Drop for ChildClosed {
    fn drop(&mut self) {
        self.close();
        self.0.used.store(false, Ordering::Release);
    }
}

extern "C" fn in_parent() {
    CHILDREN.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    let mut at = HEAD.load(Ordering::Acquire);
    // SAFETY: nodes are leaked boxes, linked once and never freed.
    while let Some(node) = unsafe { at.as_ref() } {
        let fd = node.fd.swap(EMPTY, Ordering::AcqRel);
        if fd >= 0 {
            // SAFETY: the descriptor belongs to this library, and this is the child's only thread.
            unsafe { libc::close(fd) };
        }
        at = node.next.load(Ordering::Acquire);
    }
}

fn free_node() -> &'static Node {
    let mut at = HEAD.load(Ordering::Acquire);
    // SAFETY: nodes are leaked boxes, linked once and never freed.
    while let Some(node) = unsafe { at.as_ref() } {
        if !node.used.swap(true, Ordering::AcqRel) {
            return node;
        }
        at = node.next.load(Ordering::Acquire);
    }
    let node: &'static Node = Box::leak(Box::new(Node { fd: AtomicI32::new(EMPTY), used: AtomicBool::new(true), next: AtomicPtr::new(ptr::null_mut()) }));
    let mut head = HEAD.load(Ordering::Acquire);
    loop {
        node.next.store(head, Ordering::Release);
        match HEAD.compare_exchange(head, ptr::from_ref(node).cast_mut(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return node,
            Err(now) => head = now,
        }
    }
}
