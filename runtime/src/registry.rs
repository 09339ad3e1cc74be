//! The tasks of this program, by name.
//!
//! Every `#[task]` submits an [`Entry`] by a constructor; the map is built at the first look-up, so nothing is paid by a process
//! that runs no task. Must not know who asks.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::error::{ErrorKind, Failure};
use crate::task::Exchange;

/// Runs a task on encoded arguments, and appends the encoded result.
pub(crate) type Run = fn(&mut Exchange<'_>) -> Result<(), Failure>;

/// One registered task.
#[doc(hidden)]
#[derive(Debug)]
pub struct Entry {
    name: &'static str,
    file: &'static str,
    line: u32,
    run: Run,
}

impl Entry {
    /// An entry, as `#[task]` submits it.
    pub const fn new(name: &'static str, file: &'static str, line: u32, run: Run) -> Entry {
        Entry { name, file, line, run }
    }
}

inventory::collect!(Entry);

/// The task called `name`; an unknown name, or one that two tasks have, is a failure that says so.
pub(crate) fn find(name: &str) -> Result<Run, Failure> {
    static TASKS: OnceLock<HashMap<&'static str, Vec<&'static Entry>>> = OnceLock::new();
    let tasks = TASKS.get_or_init(|| {
        let mut tasks = HashMap::<_, Vec<_>>::new();
        for entry in inventory::iter::<Entry> {
            tasks.entry(entry.name).or_default().push(entry);
        }
        tasks
    });
    match tasks.get(name).map(|entries| &entries[..]) {
        Some([one]) => Ok(one.run),
        Some([one, two, ..]) => Err(Failure::new(
            ErrorKind::AmbiguousTask,
            name,
            format!(
                "two tasks are called '{name}': {}:{} and {}:{}; give one of them another name with #[task(name = \"...\")]",
                one.file, one.line, two.file, two.line
            ),
        )),
        _ => Err(Failure::new(
            ErrorKind::UnknownTask,
            name,
            format!(
                "no task is called '{name}' in this program ({} tasks are known); the name is the full path of the function, as \
                 'my_crate::module::function', unless #[task(name = \"...\")] gives another",
                tasks.len()
            ),
        )),
    }
}
