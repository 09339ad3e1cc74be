//! Bounded views of shared memory: the one file that turns an offset into memory.
//!
//! A [`Span`] is a range that was checked once against the length the kernel gave; every access is checked against the span.
//! Words are atomics, bulk bytes are copied. A [`Fixed`] is a span whose length is known to the compiler, so that accesses at constant
//! offsets cost no check at run time. No Rust reference to plain shared bytes is made here but by [`Span::as_slice`] and
//! [`Span::as_mut_slice`], whose callers hold the chunk alone.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use crate::error::{Error, Result};

/// A checked range of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    start: NonNull<u8>,
    len: usize,
    life: PhantomData<&'a [AtomicU64]>,
}

// SAFETY: a span gives access through atomics and copies only, which any thread may use.
unsafe impl Send for Span<'_> {}
// SAFETY: as above.
unsafe impl Sync for Span<'_> {}

#[cold]
fn outside(at: usize, len: usize, of: usize) -> Error {
    Error::corrupt(format_args!("{len} bytes at {at} lie outside their block of {of}"))
}

impl<'a> Span<'a> {
    /// # Safety
    /// `[start, start + len)` is mapped, readable and writable for `'a`, and backed by a file that will not shrink. `start` is 8-aligned.
    pub(super) unsafe fn new(start: NonNull<u8>, len: usize) -> Span<'a> {
        Span { start, len, life: PhantomData }
    }

    /// Bytes in the span.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    #[inline(always)]
    fn check(self, at: usize, len: usize, align: usize) -> Result<NonNull<u8>> {
        if at > self.len || len > self.len - at || !at.is_multiple_of(align) {
            return Err(outside(at, len, self.len));
        }
        // SAFETY: `at <= self.len`, so the result stays inside the mapped range.
        Ok(unsafe { self.start.add(at) })
    }

    /// The 64-bit word at `at` (a multiple of 8).
    #[inline(always)]
    pub(crate) fn u64(self, at: usize) -> Result<&'a AtomicU64> {
        let word = self.check(at, 8, 8)?;
        // SAFETY: inside the span, 8-aligned (the span's start is), mapped for 'a; an atomic is valid for any bits and other processes' writes.
        Ok(unsafe { AtomicU64::from_ptr(word.as_ptr().cast()) })
    }

    /// The byte at `at`.
    #[inline(always)]
    pub(crate) fn u8(self, at: usize) -> Result<&'a AtomicU8> {
        let word = self.check(at, 1, 1)?;
        // SAFETY: inside the span, mapped for 'a; an atomic is valid for any bits and other processes' writes.
        Ok(unsafe { AtomicU8::from_ptr(word.as_ptr()) })
    }

    /// The 16-bit word at `at` (a multiple of 2).
    #[inline(always)]
    pub(crate) fn u16(self, at: usize) -> Result<&'a AtomicU16> {
        let word = self.check(at, 2, 2)?;
        // SAFETY: inside the span, 2-aligned (the span's start is 8-aligned), mapped for 'a; valid for any bits and other processes' writes.
        Ok(unsafe { AtomicU16::from_ptr(word.as_ptr().cast()) })
    }

    /// The 32-bit word at `at` (a multiple of 4).
    #[inline(always)]
    pub(crate) fn u32(self, at: usize) -> Result<&'a AtomicU32> {
        let word = self.check(at, 4, 4)?;
        // SAFETY: inside the span, 4-aligned (the span's start is 8-aligned), mapped for 'a; valid for any bits and other processes' writes.
        Ok(unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) })
    }

    /// Where the span begins.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Makes every byte 0.
    pub(crate) fn zero(self) {
        // SAFETY: the whole span is mapped and writable.
        unsafe { std::ptr::write_bytes(self.start.as_ptr(), 0, self.len) };
    }

    /// A part of the span; `at` a multiple of 8.
    #[inline(always)]
    pub(crate) fn part(self, at: usize, len: usize) -> Result<Span<'a>> {
        let start = self.check(at, len, 8)?;
        Ok(Span { start, len, life: PhantomData })
    }

    /// The first `N` bytes as a view of that size.
    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(self) -> Result<Fixed<'a, N>> {
        let start = self.check(0, N, 8)?;
        Ok(Fixed { start, life: PhantomData })
    }

    /// Copies `from` to `at`.
    #[inline(always)]
    pub(crate) fn write(self, at: usize, from: &[u8]) -> Result<()> {
        let to = self.check(at, from.len(), 1)?;
        // SAFETY: the target lies inside the span, the source is private memory, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_ptr(), from.len()) };
        Ok(())
    }

    /// Copies from `at` into `to`.
    #[inline(always)]
    pub(crate) fn read(self, at: usize, to: &mut [u8]) -> Result<()> {
        let from = self.check(at, to.len(), 1)?;
        // SAFETY: the source lies inside the span, the target is private memory, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies from `at` into `to`, all of which is initialised then.
    #[inline(always)]
    pub(crate) fn read_to(self, at: usize, to: &mut [MaybeUninit<u8>]) -> Result<()> {
        let from = self.check(at, to.len(), 1)?;
        // SAFETY: the source lies inside the span, the target is private memory, so they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr().cast(), to.len()) };
        Ok(())
    }

    /// Appends `len` bytes from `at` to `to`.
    #[inline(always)]
    pub(crate) fn append_to(self, at: usize, len: usize, to: &mut Vec<u8>) -> Result<()> {
        let from = self.check(at, len, 1)?;
        to.reserve(len);
        // SAFETY: the source lies inside the span; the vector has room for `len` more bytes, which are all written before the length grows.
        unsafe {
            std::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr().add(to.len()), len);
            to.set_len(to.len() + len);
        }
        Ok(())
    }

    /// Copies `len` bytes from `other` at `from` to here at `at`; the two spans do not overlap.
    pub(crate) fn copy_from(self, at: usize, other: Span<'_>, from: usize, len: usize) -> Result<()> {
        let (to, from) = (self.check(at, len, 1)?, other.check(from, len, 1)?);
        // SAFETY: both ranges are inside their spans; `copy` allows an overlap all the same.
        unsafe { std::ptr::copy(from.as_ptr(), to.as_ptr(), len) };
        Ok(())
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// The chunk's cell says that this process alone holds it for `'b`, and nothing in this process writes it meanwhile.
    pub(crate) unsafe fn as_slice<'b>(self) -> &'b [u8] {
        // SAFETY: mapped and readable; not written by others, by the caller's duty.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes in place, to be written.
    ///
    /// # Safety
    /// As for [`Span::as_slice`], and no other reference to them exists.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn as_mut_slice<'b>(self) -> &'b mut [u8] {
        // SAFETY: mapped and writable; not touched by others, by the caller's duty.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

/// A checked range of exactly `N` bytes: words at constant offsets need no check.
#[derive(Clone, Copy)]
pub(crate) struct Fixed<'a, const N: usize> {
    start: NonNull<u8>,
    life: PhantomData<&'a [AtomicU64]>,
}

// SAFETY: as for `Span`.
unsafe impl<const N: usize> Send for Fixed<'_, N> {}
// SAFETY: as for `Span`.
unsafe impl<const N: usize> Sync for Fixed<'_, N> {}

impl<'a, const N: usize> Fixed<'a, N> {
    /// # Safety
    /// As for [`Span::new`] with `len` = `N`.
    pub(super) unsafe fn new(start: NonNull<u8>) -> Self {
        Fixed { start, life: PhantomData }
    }

    /// The 64-bit word at the constant offset `at`.
    ///
    /// # Panics
    /// If `at` is outside or not a multiple of 8: an error of this library's code, never of the data.
    #[inline(always)]
    pub(crate) fn u64(self, at: usize) -> &'a AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= N);
        // SAFETY: inside the range, 8-aligned, mapped for 'a; an atomic is valid for any bits and other processes' writes.
        unsafe { AtomicU64::from_ptr(self.start.add(at).as_ptr().cast()) }
    }

    /// The 32-bit word at the constant offset `at`; panics as [`Fixed::u64`].
    #[inline(always)]
    pub(crate) fn u32(self, at: usize) -> &'a AtomicU32 {
        assert!(at.is_multiple_of(4) && at + 4 <= N);
        // SAFETY: inside the range, 4-aligned, mapped for 'a; an atomic is valid for any bits and other processes' writes.
        unsafe { AtomicU32::from_ptr(self.start.add(at).as_ptr().cast()) }
    }

    /// The same range with checks at run time.
    #[inline(always)]
    pub(crate) fn span(self) -> Span<'a> {
        Span { start: self.start, len: N, life: PhantomData }
    }
}

/// A range that was checked once and is kept by somebody who keeps its segment too.
pub(crate) struct Pinned {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: as for `Span`.
unsafe impl Send for Pinned {}
// SAFETY: as for `Span`.
unsafe impl Sync for Pinned {}

impl Pinned {
    pub(crate) fn new(span: Span<'_>) -> Pinned {
        Pinned { start: span.start, len: span.len }
    }

    /// The first `N` bytes again.
    ///
    /// # Safety
    /// The segment that the span was of is attached for `'a`.
    ///
    /// # Panics
    /// If fewer bytes were pinned: an error of this library's code.
    #[inline(always)]
    pub(crate) unsafe fn fixed<'a, const N: usize>(&self) -> Fixed<'a, N> {
        assert!(N <= self.len);
        Fixed { start: self.start, life: PhantomData }
    }
}

/// What [`low_half`] answers.
pub(crate) type Half = AtomicU32;

/// The futex half (low 32 bits) of a 64-bit word.
#[inline(always)]
pub(crate) fn low_half(word: &AtomicU64) -> &Half {
    let at = word.as_ptr().cast::<u32>();
    let at = if cfg!(target_endian = "little") { at } else { at.wrapping_add(1) };
    // SAFETY: inside the 8-byte word, 4-aligned, lives as long as it; both views are atomic. The two sizes are mixed only in that the kernel
    // reads the half as a futex; this library reads and writes the whole word.
    unsafe { AtomicU32::from_ptr(at) }
}
