//! What a pool is made with, checked, and the start of its workers and threads. Must not know what they do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use polyproc_ipc::Fabric;

use super::table::Shared;
use super::{Pool, supervisor};
use crate::error::{Error, ErrorKind, Result};
use crate::start::StartMethod;

/// What a pool is made with. See [`Pool::builder`].
#[derive(Default)]
#[must_use = "no worker is started before `build`"]
pub struct PoolBuilder {
    workers: Option<usize>,
    fabric: Option<Fabric>,
    chunk: Option<usize>,
    program: Option<PathBuf>,
    method: StartMethod,
}

/// What the user chose, checked, with the rest filled in. It does not change while the pool lives.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// How many workers.
    pub(super) workers: usize,
    /// How many calls of a map a worker takes at once, if that was said.
    pub(super) chunk: Option<usize>,
    /// The workers' program; this one if none was given.
    pub(super) program: Option<PathBuf>,
    /// How they are started.
    pub(super) method: StartMethod,
}

impl PoolBuilder {
    /// How many workers. Without it: one for each processor that this process may use, by affinity and by its cgroup's quota.
    pub fn workers(mut self, count: usize) -> PoolBuilder {
        self.workers = Some(count);
        self
    }

    /// The fabric through which calls and results travel, and which is `Fabric::current()` in the workers. Without it: this process's current one.
    pub fn fabric(mut self, fabric: &Fabric) -> PoolBuilder {
        self.fabric = Some(fabric.clone());
        self
    }

    /// How many calls of a map a worker takes at once. Without it: a quarter of each worker's share.
    pub fn chunk_size(mut self, calls: usize) -> PoolBuilder {
        self.chunk = Some(calls);
        self
    }

    /// Another program for the workers; it must contain polyproc and the tasks. Without it: this program.
    pub fn program(mut self, path: impl Into<PathBuf>) -> PoolBuilder {
        self.program = Some(path.into());
        self
    }

    /// How workers are started: by [`StartMethod::Spawn`] (which it is without this) or [`StartMethod::ForkServer`]. `Fork` is refused: a pool has threads, whose locks a copy of
    /// this process would inherit.
    pub fn start_method(mut self, method: StartMethod) -> PoolBuilder {
        self.method = method;
        self
    }

    /// Starts the workers, and returns without waiting until they are up.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for no workers or chunks of nothing, [`ErrorKind::SpawnFailed`], or an error of the fabric. Nothing is left running then.
    pub fn build(self) -> Result<Pool> {
        let settings = self.settings()?;
        let fabric = self.fabric.map_or_else(Fabric::current, Ok)?;
        let shared = Arc::new(Shared::new(fabric, settings)?);
        let mut live = Vec::with_capacity(shared.settings.workers);
        let mut failed = None;
        for _ in 0..shared.settings.workers {
            match shared.start_worker() {
                Ok(worker) => live.push(worker),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = &failed {
            shared.stop(error);
        }
        let body = {
            let shared = shared.clone();
            move || supervisor::run(&shared, live)
        };
        match std::thread::Builder::new().name("polyproc-supervise".into()).spawn(body) {
            Ok(supervisor) => {
                // Also after a failure: the supervisor ends at once then, and takes what was started with it.
                let pool = Pool { shared, supervisor: Mutex::new(Some(supervisor)) };
                failed.map_or(Ok(pool), Err)
            }
            Err(error) => {
                supervisor::clear_away(&shared);
                Err(Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of the pool: {error}")))
            }
        }
    }

    fn settings(&self) -> Result<Settings> {
        let workers = self.workers.unwrap_or_else(polyproc_ipc::available_cpus);
        if workers == 0 {
            return Err(Error::argument("a pool needs at least one worker"));
        }
        if self.chunk == Some(0) {
            return Err(Error::argument("a chunk needs at least one call"));
        }
        if self.method == StartMethod::Fork {
            return Err(Error::argument("workers cannot be forks of a process with threads, as a pool has: use StartMethod::Spawn or StartMethod::ForkServer"));
        }
        Ok(Settings { workers, chunk: self.chunk, program: self.program.clone(), method: self.method })
    }
}
