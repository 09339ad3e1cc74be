//! The other way to add up: every worker adds its counts to one dict in shared memory, and nothing comes back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use polyproc::{Dict, Fabric, Pool, task};

use crate::count::{Batch, count_batch};
use crate::walk;

/// Runs in a worker. One increment for each different word of the batch.
#[task]
fn count_into(batch: Batch, dict: Dict<String, u64>) -> Result<(), String> {
    let counted = count_batch(&batch);
    counted.words.iter().try_for_each(|(word, count)| dict.increment(word, count as i64).map(drop)).map_err(|error| error.to_string())
}

/// Counts all files on a pool of so many workers, into a dict: the words with their counts, and how long it took.
///
/// A worker that dies has added a part of its batch: then the counts are no use, and that is the error.
pub(crate) fn count(files: Vec<(PathBuf, u64)>, workers: usize) -> Result<(BTreeMap<String, u64>, Duration), String> {
    let text = |error: polyproc::Error| error.to_string();
    let ipc = |error: polyproc::ipc::Error| error.to_string();
    let start = Instant::now();
    let pool = Pool::new(workers).map_err(text)?;
    let dict = Dict::<String, u64>::new(&Fabric::current().map_err(ipc)?).map_err(ipc)?;
    let calls = walk::batches(files, workers).into_iter().map(|batch| (batch, dict.clone()));
    for added in pool.starmap(count_into, calls).map_err(text)? {
        added?;
    }
    let time = start.elapsed();
    let words = dict.items().collect::<polyproc::ipc::Result<_>>().map_err(ipc)?;
    Ok((words, time))
}
