//! What the tests of polyproc share. Not published, and it knows nothing of polyproc: the crates under test depend on it
//! for their tests, so it must depend on none of them.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`peer`] | other processes: the test binary runs itself again, in a role |
//! | [`helper`] | other processes: forked by a single-threaded test main, running a closure |
//! | [`step`] | kills a process at every instruction of an operation, in turn |
//! | [`watchdog`] | a test that hangs ends with a message instead |
//! | [`dice`] | numbers that look random and can be repeated |
//! | [`leak`] | descriptors, children, files and memfds before and after |
//! | [`temp`] | names and directories that nobody else uses |
//!
//! Linux only, as the kill tests need ptrace and procfs.

pub mod dice;
pub mod helper;
pub mod leak;
pub mod peer;
mod procfs;
pub mod step;
pub mod temp;
pub mod watchdog;
