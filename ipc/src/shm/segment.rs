//! The file behind the views: making it, attaching to it, growing it. Knows the stamp and nothing of what stands behind it.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::layout::{self, Plan, at};
use super::view::{Fixed, Span};
use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// An attached segment: one mapping for its whole life, behind which the file grows.
pub(crate) struct Segment {
    /// Start of the mapping, which lives as long as `_map`.
    base: NonNull<u8>,
    _map: sys::Map,
    file: OwnedFd,
    /// The file's length as the kernel last told *this* process; never read from shared memory. It only grows.
    known: AtomicU64,
    plan: Plan,
    cap: u64,
    id: [u8; 16],
}

// SAFETY: the mapping is of shared memory that every thread may use through the checked views.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Turns an empty file into a segment. The caller is its only holder, by the operating system's choice.
    ///
    /// Killed in the middle: the magic is missing, and with it the segment; whoever has the name's lock next begins anew.
    pub(crate) fn initialise(file: OwnedFd, cap: u64, sealable: bool) -> Result<Segment> {
        let plan = Plan::of(cap).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, format!("a cap of {cap} bytes is out of range ({} to {})", layout::MIN_CAP, layout::MAX_CAP))
        })?;
        let reserve = |offset, len| sys::reserve_file(file.as_fd(), offset, len).map_err(|e| Error::os(e, format_args!("reserving {len} bytes for a fabric")));
        reserve(0, layout::FIXED as u64)?;
        // The heap is empty, but the file reaches to its beginning, so that a length tells where it ends.
        rustix::fs::ftruncate(&file, plan.heap).map_err(|e| Error::os(e, "setting the length of a fabric"))?;
        if sealable {
            sys::seal_against_shrinking(file.as_fd())?;
        }
        let map = sys::map(file.as_fd(), plan.reserve)?;
        let id = sys::random_id();
        let segment = Segment { base: map.base(), _map: map, file, known: AtomicU64::new(plan.heap), plan, cap, id };
        let fixed = segment.header();
        fixed.u32(at::VERSION).store(layout::LAYOUT_VERSION, Ordering::Relaxed);
        fixed.u32(at::ABI).store(layout::ABI, Ordering::Relaxed);
        fixed.u64(at::CAP).store(cap, Ordering::Relaxed);
        for (i, half) in id.chunks_exact(8).enumerate() {
            fixed.u64(at::ID + i * 8).store(u64::from_ne_bytes(half.try_into().expect("8 bytes")), Ordering::Relaxed);
        }
        fixed.u64(at::MAGIC).store(layout::MAGIC, Ordering::Release);
        Ok(segment)
    }

    /// Attaches to a segment that somebody else made; its stamp is checked before anything else is believed.
    pub(crate) fn attach(file: OwnedFd, label: &str) -> Result<Segment> {
        let refuse = |kind, why: String| Err(Error::new(kind, format!("{label} cannot be attached: {why}")));
        let len = sys::file_len(file.as_fd())?;
        let mut stamp = [0_u8; 40];
        let got = rustix::io::pread(&file, &mut stamp, 0).map_err(|e| Error::os(e, format_args!("reading the stamp of {label}")))?;
        let word = |at: usize| u64::from_ne_bytes(stamp[at..at + 8].try_into().expect("8 bytes"));
        let half = |at: usize| u32::from_ne_bytes(stamp[at..at + 4].try_into().expect("4 bytes"));
        if got < stamp.len() || word(at::MAGIC) != layout::MAGIC {
            if word(at::MAGIC) == layout::MAGIC.swap_bytes() {
                return refuse(ErrorKind::ForeignAbi, "it was made on a machine with the other byte order".into());
            }
            return refuse(ErrorKind::NotAFabric, "it does not begin with a fabric's magic number".into());
        }
        if half(at::ABI) != layout::ABI {
            return refuse(ErrorKind::ForeignAbi, format!("its ABI tag is {:#x}, this program's is {:#x}", half(at::ABI), layout::ABI));
        }
        if half(at::VERSION) != layout::LAYOUT_VERSION {
            return refuse(
                ErrorKind::ForeignVersion,
                format!(
                    "its layout version is {}, this program knows {}; use the same version of polyproc on both sides",
                    half(at::VERSION),
                    layout::LAYOUT_VERSION
                ),
            );
        }
        let cap = word(at::CAP);
        let Some(plan) = Plan::of(cap) else { return refuse(ErrorKind::Corrupt, format!("its cap of {cap} bytes is out of range")) };
        if len < plan.heap {
            return refuse(ErrorKind::Corrupt, format!("it has {len} bytes where its cap asks for at least {}", plan.heap));
        }
        let map = sys::map(file.as_fd(), plan.reserve)?;
        let mut id = [0; 16];
        id.copy_from_slice(&stamp[at::ID..at::ID + 16]);
        Ok(Segment { base: map.base(), _map: map, file, known: AtomicU64::new(len.min(plan.reserve)), plan, cap, id })
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    pub(crate) fn cap(&self) -> u64 {
        self.cap
    }

    pub(crate) fn plan(&self) -> Plan {
        self.plan
    }

    /// The fixed part.
    #[inline(always)]
    pub(crate) fn header(&self) -> Fixed<'_, { layout::FIXED }> {
        // SAFETY: the file is at least `plan.heap` long, which is more than FIXED, never shrinks, and is mapped while `self` lives.
        unsafe { Fixed::new(self.base) }
    }

    /// A range of the heap, checked; `offset` a multiple of 8.
    #[inline(always)]
    pub(crate) fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        let end = offset.wrapping_add(len);
        if offset < self.plan.heap || end < offset || end > self.known.load(Ordering::Relaxed) || !offset.is_multiple_of(8) {
            self.look_again(offset, len)?;
        }
        // SAFETY: inside the mapping, and inside the file, which never shrinks below a length once seen; 8-aligned as the base is page-aligned.
        Ok(unsafe { Span::new(self.base.add(offset as usize), len as usize) })
    }

    /// `N` bytes of the heap, checked; `offset` a multiple of 8.
    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(&self, offset: u64) -> Result<Fixed<'_, N>> {
        self.span(offset, N as u64)?.fixed()
    }

    /// The map entry of unit `index`: cell and info. The unit must exist (the map's prefix is reserved before the unit is).
    #[inline(always)]
    pub(crate) fn map_entry(&self, index: u64) -> Result<Fixed<'_, 16>> {
        if index >= self.units_in_file() {
            self.look_again(self.plan.heap.saturating_add(index.saturating_mul(layout::UNIT)), layout::UNIT)?;
        }
        // SAFETY: index < units in the file <= max_units, so the entry lies inside the mapping's map part, which was reserved before the unit's bytes.
        Ok(unsafe { Fixed::new(self.base.add(at::MAP + (index * layout::MAP_ENTRY) as usize)) })
    }

    /// Whole units that the file had when this process last looked.
    #[inline(always)]
    pub(crate) fn units_in_file(&self) -> u64 {
        (self.known.load(Ordering::Relaxed) - self.plan.heap) / layout::UNIT
    }

    /// Units in the heap: what the segment says, but never more than the file has. So a damaged count leads no walk astray.
    #[inline(always)]
    pub(crate) fn units(&self) -> u64 {
        let said = self.header().u64(at::UNITS).load(Ordering::Acquire);
        if said > self.units_in_file() {
            let _ = self.look_again(self.plan.heap, 0);
        }
        said.min(self.units_in_file())
    }

    /// Makes the heap `units` long: memory is reserved for the map entries first, then for the units. May be repeated.
    pub(crate) fn grow_to(&self, units: u64) -> Result<(), Errno> {
        debug_assert!(units <= self.plan.max_units);
        let had = self.units_in_file();
        let map_end = (units * layout::MAP_ENTRY).next_multiple_of(4096);
        sys::reserve_file(self.file.as_fd(), at::MAP as u64, map_end)?;
        if units > had {
            let from = self.plan.heap + had * layout::UNIT;
            sys::reserve_file(self.file.as_fd(), from, (units - had) * layout::UNIT)?;
        }
        self.known.fetch_max(self.plan.heap + units * layout::UNIT, Ordering::Relaxed);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn look_again(&self, offset: u64, len: u64) -> Result<()> {
        let size = sys::file_len(self.file.as_fd())?.min(self.plan.reserve);
        // The kernel rounds nothing: the length is heap start plus whole units, but for a growth cut short by a kill; only whole units count.
        let whole = self.plan.heap + size.saturating_sub(self.plan.heap) / layout::UNIT * layout::UNIT;
        self.known.fetch_max(whole, Ordering::Relaxed);
        let good = offset >= self.plan.heap && offset.is_multiple_of(8) && offset.checked_add(len).is_some_and(|end| end <= whole);
        if good { Ok(()) } else { Err(Error::corrupt(format_args!("a reference to {len} bytes at {offset:#x} leads outside the heap"))) }
    }
}
