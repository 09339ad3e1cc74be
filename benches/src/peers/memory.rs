//! Memory itself: a plain shared mapping and the instructions of the language.
#![allow(unsafe_code)]
#![allow(clippy::cast_ptr_alignment)] // a mapping begins at a page

use std::fs::File;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::MemfdFlags;

use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::cells::{COPIED, ELEMENTS, roll};
use crate::scenarios::payload::{Run, add_one, add_up};

fn mapped(elements: usize) -> Result<MmapRaw, Trouble> {
    let file = File::from(rustix::fs::memfd_create("polyproc-bench", MemfdFlags::CLOEXEC)?);
    file.set_len(8 * elements as u64)?;
    let map = MmapOptions::new().len(8 * elements).map_raw(&file)?;
    for element in 0..elements {
        // SAFETY: inside the mapping, aligned, and nobody else has it.
        unsafe { map.as_mut_ptr().cast::<f64>().add(element).write_volatile(element as f64) };
    }
    Ok(map)
}

fn timed(operations: u64, mut once: impl FnMut()) -> Sample {
    let start = Instant::now();
    for _ in 0..operations {
        once();
    }
    Sample::Timed { operations, elapsed: start.elapsed() }
}

pub(crate) fn add_atomic(budget: Budget) -> Result<Sample, Trouble> {
    let map = mapped(1)?;
    // SAFETY: inside the mapping, aligned, alive as long as `map`, and used as an atomic only.
    let number = unsafe { AtomicU64::from_ptr(map.as_mut_ptr().cast()) };
    Ok(timed(budget.operations, || {
        black_box(number.fetch_add(1, Ordering::SeqCst));
    }))
}

pub(crate) fn get(budget: Budget) -> Result<Sample, Trouble> {
    let map = mapped(ELEMENTS)?;
    let mut random = 1;
    Ok(timed(budget.operations, || {
        // SAFETY: `roll` stays below the length, and nobody writes.
        black_box(unsafe { map.as_ptr().cast::<f64>().add(roll(&mut random)).read_volatile() });
    }))
}

pub(crate) fn copy(budget: Budget) -> Result<Sample, Trouble> {
    let map = mapped(COPIED)?;
    let mut out = vec![0.0_f64; COPIED];
    Ok(timed(budget.operations, || {
        // SAFETY: both are `COPIED` elements long and apart.
        unsafe { std::ptr::copy_nonoverlapping(map.as_ptr().cast::<f64>(), out.as_mut_ptr(), COPIED) };
        black_box(&mut out);
    }))
}

/// Payloads copied to where a task would find them, and back.
pub(crate) fn payload(run: &Run) -> Result<Sample, Trouble> {
    run.measure(|count| {
        for number in 0..count {
            let mut arrived = black_box(run.payload(number)).clone();
            let sum = if run.out {
                add_one(&mut arrived);
                add_up(&black_box(arrived).clone())
            } else {
                add_up(&arrived)
            };
            run.check(number, sum)?;
        }
        Ok(())
    })
}

/// A vector of so many, under a mutex; its length.
pub(crate) fn fill(items: u64) -> Result<u64, Trouble> {
    let list = Mutex::new(Vec::new());
    for number in 0..items {
        list.lock().map_err(|_| Trouble::failed("a poisoned mutex"))?.push(black_box(number));
    }
    list.into_inner().map_or_else(|_| Err(Trouble::failed("a poisoned mutex")), |all| Ok(all.len() as u64))
}
