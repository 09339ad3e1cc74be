//! procspawn's idle pool.

use procspawn::{JoinHandle, Pool};

use crate::harness::Trouble;
use crate::scenarios::idle::{self, IdlePool};
use crate::scenarios::pool::WORKERS;

pub(crate) const ROLE: &str = "procspawn-idle";

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    idle::work::<Pool>(arguments)
}

impl IdlePool for Pool {
    fn make() -> Result<Pool, Trouble> {
        Ok(Pool::new(WORKERS)?)
    }

    fn pids(&self) -> Result<Vec<u32>, Trouble> {
        let handles: Vec<JoinHandle<u32>> = (0..WORKERS).map(|_| self.spawn((), |()| std::process::id())).collect();
        Ok(handles.into_iter().map(JoinHandle::join).collect::<Result<_, _>>()?)
    }

    fn shared_bytes(&self) -> Result<u64, Trouble> {
        Err(Trouble::failed("procspawn's processes share no memory"))
    }
}
