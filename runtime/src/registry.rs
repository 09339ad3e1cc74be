//! The tasks of this program, by name: those of `#[task]`, and those that were offered while it ran.
//!
//! Every `#[task]` submits an [`Entry`] by a constructor; the map of them is built at the first look-up, so nothing is paid by a process
//! that runs no task. What is offered comes beside them and stays. Must not know who asks.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::error::{Error, ErrorKind, Failure, Result as Answered};
use crate::task::Exchange;

/// A task's function as `#[task]` makes it: runs it on encoded arguments, and appends the encoded result.
type Fixed = fn(&mut Exchange<'_>) -> Result<(), Failure>;
/// The same as it is offered.
pub(crate) type Offered = dyn Fn(&mut Exchange<'_>) -> Result<(), Failure> + Send + Sync;

/// How many names a message has at most.
const MOST_NAMES: usize = 20;

static OFFERED: RwLock<BTreeMap<Arc<str>, Arc<Offered>>> = RwLock::new(BTreeMap::new());

/// What runs a task.
#[derive(Clone)]
pub(crate) enum Run {
    Fixed(Fixed),
    Offered(Arc<Offered>),
}

impl Run {
    #[inline]
    pub(crate) fn call(&self, exchange: &mut Exchange<'_>) -> Result<(), Failure> {
        match self {
            Run::Fixed(run) => run(exchange),
            Run::Offered(run) => run(exchange),
        }
    }
}

/// One registered task.
#[doc(hidden)]
#[derive(Debug)]
pub struct Entry {
    name: &'static str,
    file: &'static str,
    line: u32,
    run: Fixed,
}

impl Entry {
    /// An entry, as `#[task]` submits it.
    pub const fn new(name: &'static str, file: &'static str, line: u32, run: Fixed) -> Entry {
        Entry { name, file, line, run }
    }
}

inventory::collect!(Entry);

fn fixed() -> &'static HashMap<&'static str, Vec<&'static Entry>> {
    static TASKS: OnceLock<HashMap<&'static str, Vec<&'static Entry>>> = OnceLock::new();
    TASKS.get_or_init(|| {
        let mut tasks = HashMap::<_, Vec<_>>::new();
        for entry in inventory::iter::<Entry> {
            tasks.entry(entry.name).or_default().push(entry);
        }
        tasks
    })
}

/// From now on `name` leads to `run`. A name that leads somewhere already is refused.
pub(crate) fn enter(name: &str, run: Arc<Offered>) -> Answered<()> {
    let mut offered = OFFERED.write().unwrap_or_else(PoisonError::into_inner);
    if offered.contains_key(name) || fixed().contains_key(name) {
        return Err(Error::new(ErrorKind::AmbiguousTask, format!("a task called '{name}' is offered by this program already")));
    }
    offered.insert(name.into(), run);
    Ok(())
}

/// The task called `name`; an unknown name, or one that two tasks have, is a failure that says so.
pub(crate) fn find(name: &str) -> Result<Run, Failure> {
    match fixed().get(name).map(|entries| &entries[..]) {
        Some([one]) => Ok(Run::Fixed(one.run)),
        Some([one, two, ..]) => Err(Failure::new(
            ErrorKind::AmbiguousTask,
            name,
            format!(
                "two tasks are called '{name}': {}:{} and {}:{}; give one of them another name with #[task(name = \"...\")]",
                one.file, one.line, two.file, two.line
            ),
        )),
        _ => {
            let offered = OFFERED.read().unwrap_or_else(PoisonError::into_inner);
            offered.get(name).cloned().map(Run::Offered).ok_or_else(|| Failure::new(ErrorKind::UnknownTask, name, unknown(name, offered.keys())))
        }
    }
}

fn unknown<'a>(name: &str, offered: impl ExactSizeIterator<Item = &'a Arc<str>>) -> String {
    let (tasks, offers) = (fixed().len(), offered.len());
    let mut sentence = format!("no task is called '{name}' in this program ({tasks} tasks are known");
    if offers > 0 {
        let names: Vec<&str> = offered.take(MOST_NAMES).map(|name| &**name).collect();
        let more = if offers > names.len() { format!(" and {} more", offers - names.len()) } else { String::new() };
        let _ = fmt::Write::write_fmt(&mut sentence, format_args!(", and it offers {}{more}", names.join(", ")));
    }
    sentence.push(')');
    if tasks > 0 {
        sentence += "; the name is the full path of the function, as 'my_crate::module::function', unless #[task(name = \"...\")] gives another";
    } else {
        sentence += "; a task is offered before the program says that it is ready to be a worker";
    }
    sentence
}

/// Runs `body` with the lock held, so that a fork finds it free.
pub(crate) fn hold_still<R>(body: impl FnOnce() -> R) -> R {
    let _held = OFFERED.write().unwrap_or_else(PoisonError::into_inner);
    body()
}

/// As [`hold_still`], until what it gives is dropped.
pub(crate) fn be_still() -> impl Sized + 'static {
    OFFERED.write().unwrap_or_else(PoisonError::into_inner)
}
