//! How a child finds that it is one, before `main`.
//!
//! A constructor of this crate looks for the record that [`crate::spawn`] left in the environment. Tasks are registered by constructors too,
//! in no certain order, so the constructors behind ours are called from here first; then the child's body runs, and the
//! process ends without ever reaching `main`. Must not know what a child's body does.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::str::FromStr;

use polyproc_ipc::{Fabric, Ticket};
use rustix::io::{Errno, FdFlags};

use crate::spawn::{LIFE, MEMORY, VARIABLE};

/// What a child is told in its environment: `1:<parent's pid>:process:<ticket>`, or
/// `1:<parent's pid>:worker:<number>:<place>` and six tickets, of which the last two may be missing: `-`.
pub(crate) struct Call {
    pub(crate) parent: u32,
    pub(crate) entry: Entry,
    /// Variables that are set in the child, beside the parent's.
    pub(crate) environment: Vec<(String, String)>,
}

/// What a child does.
#[expect(clippy::large_enum_variant, reason = "one is made for each child")]
pub(crate) enum Entry {
    /// Run the one call in this queue, and put the outcome there.
    Process { mailbox: Ticket },
    /// Take batches of calls from the one queue, and put records into the other, as this worker of the pool, with this page of its desk; and record events.
    Worker { number: u32, place: u32, tasks: Ticket, results: Ticket, page: Ticket, cancelled: Ticket, setup: Option<Ticket>, events: Option<Ticket> },
}

impl Call {
    /// The record for a child of this process.
    pub(crate) fn new(entry: Entry) -> Call {
        Call { parent: std::process::id(), entry, environment: Vec::new() }
    }

    fn parse(text: &str) -> Option<Call> {
        let mut fields = text.split(':');
        let ("1", parent, entry) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?) else { return None };
        let ticket = |field: Option<&str>| Ticket::from_str(field?).ok();
        let entry = match entry {
            "process" => Entry::Process { mailbox: ticket(fields.next())? },
            "worker" => {
                let (number, place) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                let mut next = || ticket(fields.next());
                let [tasks, results, page, cancelled] = [next()?, next()?, next()?, next()?];
                let mut maybe = || match fields.next()? {
                    "-" => Some(None),
                    text => ticket(Some(text)).map(Some),
                };
                Entry::Worker { number, place, tasks, results, page, cancelled, setup: maybe()?, events: maybe()? }
            }
            _ => return None,
        };
        fields.next().is_none().then_some(Call { parent, entry, environment: Vec::new() })
    }

    fn from_environment() -> Option<Call> {
        let value = std::env::var_os(VARIABLE)?;
        Call::parse(value.to_str()?)
    }

    /// Whether the parent that wrote the record is still the parent.
    fn parent_lives(&self) -> bool {
        rustix::process::getppid().is_some_and(|parent| parent.as_raw_nonzero().get() as u32 == self.parent)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1:{}:", self.parent)?;
        match &self.entry {
            Entry::Process { mailbox } => write!(f, "process:{mailbox}"),
            Entry::Worker { number, place, tasks, results, page, cancelled, setup, events } => {
                write!(f, "worker:{number}:{place}:{tasks}:{results}:{page}:{cancelled}")?;
                [setup, events].into_iter().try_for_each(|ticket| match ticket {
                    Some(ticket) => write!(f, ":{ticket}"),
                    None => f.write_str(":-"),
                })
            }
        }
    }
}

/// Runs the child's body if this process was started as a child, and then never returns; in any other process it does nothing.
///
/// There is no need to call it: a constructor of this crate does the same before `main`. Call it first in `main` in a
/// program whose constructors are dropped (a static executable without relocations, or a linker script that leaves `.init_array`
/// out), or where this crate is part of a shared library that the program loads. A child of such a program runs `main` up to this call; without the
/// call it would run all of it, and only be kept from starting processes of its own.
///
/// ```
/// polyproc::init();
/// // the program
/// ```
pub fn init() {
    if let Some(call) = Call::from_environment() {
        child(call);
    }
}

/// Whether this process was started as a child, and has not become one: its constructors did not run.
pub(crate) fn pending() -> bool {
    Call::from_environment().is_some_and(|call| call.parent_lives())
}

type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

#[used]
// SAFETY: the section holds functions that the C library calls once, before `main`, with these arguments.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: Constructor = at_start;

extern "C" fn at_start(count: c_int, arguments: *const *const c_char, variables: *const *const c_char) {
    let Some(call) = Call::from_environment() else { return };
    // Where our place among the constructors is unknown, tasks may still be unregistered: then it is for `init` in main.
    let Some(rest) = constructors_behind_ours() else { return };
    for constructor in rest {
        constructor(count, arguments, variables);
    }
    child(call);
}

/// The constructors of the main program that the C library would call after ours.
fn constructors_behind_ours() -> Option<Vec<Constructor>> {
    let mut all: &[usize] = &[];
    // SAFETY: `main_program` takes the pointer as what it is, and both live until the call returns.
    unsafe { libc::dl_iterate_phdr(Some(main_program), (&raw mut all).cast()) };
    let ours = all.iter().position(|&entry| entry == at_start as *const () as usize)?;
    let rest = all[ours + 1..].iter().filter(|&&entry| entry != 0 && entry != usize::MAX);
    // SAFETY: the C library takes every other entry of this array for a function of this type, too.
    Some(rest.map(|&entry| unsafe { std::mem::transmute::<usize, Constructor>(entry) }).collect())
}

/// An entry of a program's dynamic section.
#[repr(C)]
struct Dynamic {
    tag: usize,
    value: usize,
}

const DT_NULL: usize = 0;
const DT_INIT_ARRAY: usize = 25;
const DT_INIT_ARRAYSZ: usize = 27;

/// Called for the first loaded object, which is the program itself; finds its constructors, and stops there.
unsafe extern "C" fn main_program(info: *mut libc::dl_phdr_info, _size: usize, answer: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid record.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: the loader's record says how many headers there are.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let Some(dynamic) = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC) else { return 1 };
    let base = info.dlpi_addr as usize;
    let mut entry = (base + dynamic.p_vaddr as usize) as *const Dynamic;
    let (mut start, mut size) = (0, 0);
    loop {
        // SAFETY: the dynamic section of a loaded program is mapped, and ends with an entry DT_NULL.
        let Dynamic { tag, value } = unsafe { entry.read() };
        match tag {
            DT_NULL => break,
            DT_INIT_ARRAY => start = base + value,
            DT_INIT_ARRAYSZ => size = value,
            _ => {}
        }
        entry = entry.wrapping_add(1);
    }
    if start != 0 {
        // SAFETY: the loader calls these very entries, so they are mapped, aligned and relocated; the program is never unloaded.
        let all = unsafe { std::slice::from_raw_parts(start as *const usize, size / size_of::<usize>()) };
        // SAFETY: `answer` is the pointer that `constructors_behind_ours` passed.
        unsafe { answer.cast::<&[usize]>().write(all) };
    }
    1
}

/// The whole life of a child.
fn child(call: Call) -> ! {
    // SAFETY: the program has not reached main, or is at its first line: no other thread reads the environment.
    unsafe { std::env::remove_var(VARIABLE) };
    let log = std::env::var(crate::logging::VARIABLE).ok();
    // SAFETY: as above.
    unsafe { std::env::remove_var(crate::logging::VARIABLE) };
    if !call.parent_lives() {
        leave(1);
    }
    open_standard_descriptors();
    let memory = claim(MEMORY).and_then(|memory| claim(LIFE).map(|life| (memory, life)));
    let Some((memory, life)) = memory else {
        give_up("descriptors 3 and 4 are not open, so it was not started by polyproc");
    };
    let worker = matches!(call.entry, Entry::Worker { .. });
    ignore(libc::SIGPIPE);
    if worker {
        // Ctrl-C goes to the whole group; a worker ends when its pool says so, or with its parent.
        ignore(libc::SIGINT);
    }
    take_own_name();
    let name = match &call.entry {
        Entry::Process { .. } => "Process".into(),
        Entry::Worker { number, .. } => format!("Worker-{number}"),
    };
    crate::logging::inherit(log.as_deref(), name);
    let watch = std::thread::Builder::new().name("polyproc-life".into()).stack_size(64 << 10).spawn(move || end_with_parent(life));
    if let Err(error) = watch {
        give_up(&format!("no thread can be started: {error}"));
    }
    let fabric = match Fabric::attach(memory) {
        Ok(fabric) => fabric,
        Err(error) => give_up(&format!("the fabric cannot be attached: {error}")),
    };
    Fabric::set_current(&fabric);
    crate::panic::install(!worker);
    // The process ends with what the body leaves behind, so nothing broken can be seen.
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match call.entry {
        Entry::Process { mailbox } => crate::process::child(&mailbox),
        Entry::Worker { number, place, tasks, results, page, cancelled, setup, events } => {
            crate::worker::enter(place);
            crate::pool::worker::run(&fabric, number, [&tasks, &results, &page, &cancelled], setup.as_ref(), events.as_ref())
        }
    }));
    std::process::exit(code.unwrap_or(1));
}

/// Waits until the parent is gone, however it ended, and goes with it.
fn end_with_parent(life: OwnedFd) {
    let mut byte = [0];
    // Nobody writes into a life pipe; it is read to learn that its one writer is gone.
    while rustix::io::read(&life, &mut byte) == Err(Errno::INTR) {}
    leave(1);
}

/// Ends the process at once: no destructor, no buffer written.
fn leave(code: c_int) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

fn give_up(why: &str) -> ! {
    eprintln!("polyproc: a child process (pid {}) cannot start: {why}", std::process::id());
    leave(1);
}

/// Takes an inherited descriptor, which programs started from here must not inherit in turn.
fn claim(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the number is only used for this call, which fails if it is not open.
    let open = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(open, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and was left to this process for this purpose; the record that says so was removed, so nobody takes it twice.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A closed standard descriptor would be given to the next file that is opened, as std prevents before `main`.
fn open_standard_descriptors() {
    for number in 0..3 {
        // SAFETY: plain calls on numbers and a constant string; a descriptor opened here is meant to stay open.
        unsafe {
            if libc::fcntl(number, libc::F_GETFD) == -1 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
}

fn ignore(signal: c_int) {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Process lists would show `exe`, the name of the link that was started.
fn take_own_name() {
    let Some(path) = std::env::args_os().next() else { return };
    let Some(name) = std::path::Path::new(&path).file_name() else { return };
    let mut short = [0; 16];
    for (to, from) in short[..15].iter_mut().zip(name.as_encoded_bytes()) {
        *to = *from;
    }
    if let Ok(name) = CStr::from_bytes_until_nul(&short) {
        let _ = rustix::thread::set_name(name);
    }
}
