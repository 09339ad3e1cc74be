//! procspawn's process for one function: this program again, its argument and its result by ipc-channel.

use crate::harness::Trouble;
use crate::scenarios::process::Job;

pub(crate) const ROLE: &str = "procspawn-process";

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    Job::enter(arguments)?.work(|| Ok(procspawn::spawn((), |()| ()).join()?))
}
