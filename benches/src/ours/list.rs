//! polyproc's list in a private fabric, by its face for bytes.

use polyproc_ipc::{BytesList, Fabric};

use crate::harness::{Sample, Trouble, system};

fn filled(items: u64) -> Result<(Fabric, BytesList), Trouble> {
    let fabric = Fabric::new()?;
    let list = BytesList::new(&fabric)?;
    for number in 0..items {
        list.append(&number.to_le_bytes())?;
    }
    Ok((fabric, list))
}

/// A list of so many; its length.
pub(crate) fn fill(items: u64) -> Result<u64, Trouble> {
    Ok(filled(items)?.1.len()? as u64)
}

/// Bytes of memory of a filled list, for each of its items.
pub(crate) fn bytes(items: u64) -> Result<Sample, Trouble> {
    let (fabric, _list) = filled(items)?;
    Ok(Sample::Amount(system::resident(fabric.descriptor())? as f64 / items as f64))
}
