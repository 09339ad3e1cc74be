//! Where the standard error of a pool's workers leads: seen or not, and how much of it is kept for errors. How that is done is in `start/tail.rs`; must not know it.

use super::PoolBuilder;
use super::builder::Settings;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::start::{Options, Stdio};

/// What was chosen. The default is that it is seen, and nothing is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stderr {
    keep: u32,
    hide: bool,
}

impl PoolBuilder {
    /// Keeps the last `bytes` bytes of what each worker writes to its standard error, for the errors that tell of its death: [`Error::stderr`]. 0: nothing is kept, as without this, and costs nothing.
    ///
    /// It is the worker's: text of calls before the one that failed, or of libraries and programs that the worker started, is in it, too. Each worker begins anew. It is seen as well, where it would be without this, unless the
    /// pool is to [hide](PoolBuilder::hide_stderr) it. A thread of the worker sees to both, so a worker never waits for the pool to read, also while this process is stopped; and what it had
    /// written when it was killed is there. What was just on its way then may be seen twice. A worker that [joined](crate::Worker) by itself keeps its own standard error; a
    /// [client](crate::PoolClient) gets the last 4 KiB.
    ///
    /// It costs each worker a thread and some descriptors, and so much memory as it has written, up to twice `bytes` and 64 KiB; a line that is written goes through a pipe on its way.
    ///
    /// ```
    /// use polyproc::{ErrorKind, Pool, task};
    ///
    /// #[task]
    /// fn complains() {
    ///     eprintln!("the licence has run out");
    ///     std::process::exit(3);
    /// }
    ///
    /// let pool = Pool::builder().workers(1).capture_stderr(4096).hide_stderr(true).build()?;
    /// let error = pool.apply(complains, ()).unwrap_err();
    /// assert_eq!((error.kind(), error.exit_code()), (ErrorKind::WorkerDied, Some(3)));
    /// assert_eq!(error.stderr(), Some("the licence has run out\n"));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn capture_stderr(mut self, bytes: usize) -> PoolBuilder {
        self.stderr.keep = u32::try_from(bytes).unwrap_or(u32::MAX);
        self
    }

    /// Whether what workers write to their standard error is not seen. It is kept all the same, if the pool [captures](PoolBuilder::capture_stderr) it.
    pub fn hide_stderr(mut self, hide: bool) -> PoolBuilder {
        self.stderr.hide = hide;
        self
    }
}

impl Stderr {
    /// Nothing is kept or hidden.
    pub(super) fn is_plain(self) -> bool {
        self.keep == 0 && !self.hide
    }

    pub(super) fn check(self) -> Result<()> {
        let mut options = Options::for_task();
        self.apply(&mut options);
        options.check()
    }

    fn apply(self, options: &mut Options) {
        options.tail = self.keep;
        if self.hide {
            options.stdio[2] = Stdio::Null;
        }
    }
}

impl Settings {
    /// How a worker is started.
    pub(super) fn options_of_workers(&self) -> Options {
        let mut options = Options::for_task();
        for (name, value) in &self.environment {
            options.environment.set(name.as_ref(), value.as_ref());
        }
        self.stderr.apply(&mut options);
        options
    }
}

/// So much goes to a client, whose errors travel through the fabric.
const FOR_CLIENTS: usize = 4096;

/// The last of a text that a client is told.
pub(super) fn for_client(text: &str) -> &str {
    let mut from = text.len().saturating_sub(FOR_CLIENTS);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
