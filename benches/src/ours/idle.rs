//! polyproc's idle `Pool`.

use polyproc::{Fabric, Pool};

use crate::harness::{Trouble, system};
use crate::scenarios::idle::{self, IdlePool};
use crate::scenarios::pool::WORKERS;

pub(crate) const ROLE: &str = "idle";

#[polyproc::task]
fn own_pid() -> u32 {
    std::process::id()
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    idle::work::<Pool>(arguments)
}

impl IdlePool for Pool {
    fn make() -> Result<Pool, Trouble> {
        Ok(Pool::new(WORKERS)?)
    }

    fn pids(&self) -> Result<Vec<u32>, Trouble> {
        let calls = (0..WORKERS).map(|_| self.submit(own_pid, ())).collect::<Result<Vec<_>, _>>()?;
        Ok(calls.into_iter().map(|call| call.get()).collect::<Result<_, _>>()?)
    }

    fn shared_bytes(&self) -> Result<u64, Trouble> {
        system::resident(Fabric::current()?.descriptor())
    }
}
