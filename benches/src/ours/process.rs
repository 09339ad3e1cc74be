//! polyproc's `Process`, by each start method.

use polyproc::{Process, StartMethod};

use crate::harness::Trouble;
use crate::scenarios::process::Job;

pub(crate) const ROLE: &str = "process";

#[polyproc::task]
fn nothing() {}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let job = Job::enter(arguments)?;
    let method = match job.way.as_str() {
        "spawn" => StartMethod::Spawn,
        "fork" => StartMethod::Fork,
        "fork-server" => StartMethod::ForkServer,
        _ => return Err(job.unknown()),
    };
    job.work(|| {
        let exit = Process::builder(nothing, ()).start_method(method).start()?.join()?;
        if exit.success() { Ok(()) } else { Err(Trouble::failed(format!("the process ended with {exit:?}"))) }
    })
}
