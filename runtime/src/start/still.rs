//! A fork by other means than ours: what this library must not be in the midst of while another language copies the process.
//!
//! A copy has one thread, and every lock as it was. Memory in the fabric is none of it: there, locks are kept by owner. Must not know who forks.

use std::any::Any;
use std::fmt;

use polyproc_ipc::Fabric;

use super::server;
use crate::process::{current, family};
use crate::{panic, registry};

/// Keeps every thread of this process out of this library's own locks until it is dropped: for programs that fork by themselves, or whose language does, and use the library in the copy. Taken before the fork, and
/// dropped behind it, in both processes, by the thread that forks.
///
/// ```
/// use polyproc::StillForFork;
///
/// let still = StillForFork::hold();
/// // fork(); in both processes:
/// drop(still);
/// ```
#[must_use = "what is held is given back at once otherwise"]
pub struct StillForFork {
    // In this order, which is that of a fork by this library.
    _panic: panic::Entered,
    _locks: [Box<dyn Any>; 7],
}

impl StillForFork {
    /// Waits until nobody has them. The thread that calls this has none of them, as outside of this library it never has.
    pub fn hold() -> StillForFork {
        let panic = panic::hold_still();
        let (out, err) = (Box::new(std::io::stdout().lock()), Box::new(std::io::stderr().lock()));
        let server = Box::new(server::be_still());
        let [family, current, registry]: [Box<dyn Any>; 3] = [Box::new(family::be_still()), Box::new(current::be_still()), Box::new(registry::be_still())];
        StillForFork { _panic: panic, _locks: [out, err, server, family, current, registry, Box::new(Fabric::be_still())] }
    }
}

impl fmt::Debug for StillForFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StillForFork")
    }
}
