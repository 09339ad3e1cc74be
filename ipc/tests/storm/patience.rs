//! Waits without end, in a crowd of which anybody may be killed: at most so many wait at once, the others do what those wait for. Whoever waits too long is stuck.
//!
//! The places to wait in are permits of a semaphore, so those of the killed come back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use polyproc_ipc::{BoundedSemaphore, ErrorKind, Fabric};

use crate::LONG;
use crate::kinds::unless;

const NAME: &str = "patience";
/// Half of the workers.
const PLACES: u32 = 4;
/// So often one who waits looks whether the storm is over.
const SLICE: Duration = Duration::from_secs(1);

pub(crate) struct Patience {
    places: BoundedSemaphore,
    stop: PathBuf,
}

impl Patience {
    pub(crate) fn new(fabric: &Fabric, dir: &Path) -> Patience {
        Patience { places: BoundedSemaphore::open_or_create(fabric, NAME, PLACES).expect("a semaphore"), stop: dir.join("stop") }
    }

    /// Calls `wait` until it answers, if there is a place to wait in. `None`: there is none, or the storm is over.
    ///
    /// # Panics
    /// If nobody did what it waits for in a long time.
    pub(crate) fn wait<T>(&self, what: &str, mut wait: impl FnMut(Duration) -> Option<T>) -> Option<T> {
        let _place = unless(self.places.try_permit(), &[ErrorKind::Timeout, ErrorKind::OutOfMemory])?;
        let begin = Instant::now();
        while !self.stop.exists() {
            if let Some(answer) = wait(SLICE) {
                return Some(answer);
            }
            assert!(begin.elapsed() < LONG, "{what}: nothing came, though the others were at work");
        }
        None
    }
}
