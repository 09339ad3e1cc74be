//! What the system and the standard library offer for a process that does nothing, and a thread beside them.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::ptr::{null, null_mut};

use crate::harness::{NOTHING, Trouble};
use crate::scenarios::process::Job;

pub(crate) const ROLE: &str = "os-process";

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let job = Job::enter(arguments)?;
    let program = std::env::current_exe()?;
    match job.way.as_str() {
        "command" => job.work(|| ended(Command::new(&program).arg(NOTHING).status()?.success())),
        "posix-spawn" => {
            let (program, nothing) = (CString::new(program.as_os_str().as_bytes())?, CString::new(NOTHING)?);
            job.work(|| wait(posix_spawn(&program, &nothing)?))
        }
        "fork" => job.work(|| wait(fork()?)),
        "thread" => job.work(|| ended(std::thread::spawn(|| ()).join().is_ok())),
        _ => Err(job.unknown()),
    }
}

fn posix_spawn(program: &CString, argument: &CString) -> Result<libc::pid_t, Trouble> {
    unsafe extern "C" {
        static environ: *const *mut c_char;
    }
    let arguments = [program.as_ptr().cast_mut(), argument.as_ptr().cast_mut(), null_mut()];
    let mut pid = 0;
    // SAFETY: the strings and the array live through the call and end as they must; nobody here changes the environment.
    let refused = unsafe { libc::posix_spawn(&raw mut pid, program.as_ptr(), null(), null(), arguments.as_ptr(), environ) };
    if refused == 0 { Ok(pid) } else { Err(std::io::Error::from_raw_os_error(refused).into()) }
}

fn fork() -> Result<libc::pid_t, Trouble> {
    // SAFETY: the copy only calls `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: ends the copy without running anything of this process.
        unsafe { libc::_exit(0) };
    }
    if pid > 0 { Ok(pid) } else { Err(std::io::Error::last_os_error().into()) }
}

fn wait(pid: libc::pid_t) -> Result<(), Trouble> {
    let mut status = -1;
    // SAFETY: a child of this process that nobody else waits for; the status is ours to write to.
    if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
        return Err(std::io::Error::last_os_error().into());
    }
    ended(status == 0)
}

fn ended(well: bool) -> Result<(), Trouble> {
    if well { Ok(()) } else { Err(Trouble::failed("the process did not end well")) }
}
