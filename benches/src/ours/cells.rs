//! polyproc's `Value` and `Array` in a private fabric.

use std::hint::black_box;
use std::time::Instant;

use polyproc_ipc::{Array, Error, Fabric, Value};

use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::cells::{COPIED, ELEMENTS, roll};

fn timed(operations: u64, mut once: impl FnMut() -> Result<(), Error>) -> Result<Sample, Trouble> {
    let start = Instant::now();
    for _ in 0..operations {
        once()?;
    }
    Ok(Sample::Timed { operations, elapsed: start.elapsed() })
}

pub(crate) fn add_locked(budget: Budget) -> Result<Sample, Trouble> {
    let number = Value::new(&Fabric::new()?, 0_u64)?;
    timed(budget.operations, || Ok(number.update(|number| *number += 1)?))
}

pub(crate) fn add_atomic(budget: Budget) -> Result<Sample, Trouble> {
    let number = Value::new(&Fabric::new()?, 0_u64)?;
    timed(budget.operations, || {
        black_box(number.fetch_add(1)?);
        Ok(())
    })
}

fn array(elements: usize) -> Result<Array<f64>, Trouble> {
    let contents: Vec<f64> = (0..elements).map(|element| element as f64).collect();
    Ok(Array::new(&Fabric::new()?, &contents)?)
}

pub(crate) fn get(budget: Budget) -> Result<Sample, Trouble> {
    let array = array(ELEMENTS)?;
    let (elements, mut random) = (array.unlocked(), 1);
    timed(budget.operations, || {
        black_box(elements.get(roll(&mut random))?);
        Ok(())
    })
}

pub(crate) fn copy(budget: Budget) -> Result<Sample, Trouble> {
    let array = array(COPIED)?;
    let mut out = vec![0.0_f64; COPIED];
    timed(budget.operations, || {
        array.read_into(0, &mut out)?;
        black_box(&mut out);
        Ok(())
    })
}
