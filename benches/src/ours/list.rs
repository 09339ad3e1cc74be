//! polyproc's list in a private fabric, by its face for bytes.

use polyproc_ipc::{BytesList, Fabric};

use crate::harness::{Sample, Trouble, system};

/// A list of so many; its length.
pub(crate) fn fill(items: u64) -> Result<u64, Trouble> {
    filled(&Fabric::new()?, items)
}

fn filled(fabric: &Fabric, items: u64) -> Result<u64, Trouble> {
    let list = BytesList::new(fabric)?;
    for number in 0..items {
        list.append(&number.to_le_bytes())?;
    }
    Ok(list.len()? as u64)
}

/// Bytes of memory of a filled list, for each of its items.
pub(crate) fn bytes(items: u64) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    let before = system::resident(fabric.descriptor())?;
    filled(&fabric, items)?; // given back, but its pages stay
    Ok(Sample::Amount((system::resident(fabric.descriptor())? - before) as f64 / items as f64))
}
