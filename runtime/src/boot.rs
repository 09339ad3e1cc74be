//! How a child finds that it is one, before `main`, and what every child does first.
//!
//! A constructor of this crate looks for the record that [`crate::start`] left in the environment. Tasks are registered by constructors too,
//! in no certain order, so the constructors behind ours are called from here first; then the child's body runs, and the
//! process ends without ever reaching `main`. A program whose tasks are offered while it runs has a mark among its constructors, and its children begin where its `main` says so. A command only attaches what it inherited, and goes on to its `main`. Must not know what a child's body does.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use polyproc_ipc::Fabric;
use rustix::io::FdFlags;

use crate::process::current;
pub(crate) use crate::start::Entry;
use crate::start::life::{self, give_up, give_up_for, leave};
use crate::start::tail::{self, Told};
use crate::start::{Call, LIFE, MEMORY, TOLD, VARIABLE, serve, set_start_method};

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
    match from_environment() {
        Some(Call { entry: Entry::Command { memory, life }, .. }) if !inherited(memory, life) => {}
        Some(call) if matches!(call.entry, Entry::Command { .. }) => command(&call),
        Some(call) => child(call),
        None => {}
    }
}

/// Whether this process was started as a child, and has not become one: its constructors did not run.
pub(crate) fn pending() -> bool {
    std::env::var_os(VARIABLE).is_some() && from_environment().is_some_and(|call| !matches!(call.entry, Entry::Command { .. }) && parent_lives(&call))
}

type Constructor = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

#[used]
// SAFETY: the section holds functions that the C library calls once, before `main`, with these arguments.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: Constructor = at_start;

extern "C" fn at_start(count: c_int, arguments: *const *const c_char, variables: *const *const c_char) {
    let Some(call) = from_environment() else { return };
    if matches!(call.entry, Entry::Command { .. }) {
        return init();
    }
    // Where our place among the constructors is unknown, tasks may still be unregistered: then it is for `init` in main.
    let Some(rest) = constructors_behind_ours() else { return };
    for constructor in rest {
        constructor(count, arguments, variables);
    }
    child(call);
}

static BOOTS_IN_MAIN: AtomicBool = AtomicBool::new(false);

/// That this stands among the program's constructors says that its tasks are complete only at some line of `main`, where [`boot_here!`](crate::boot_here) stands.
#[doc(hidden)]
#[inline(never)]
pub extern "C" fn boots_in_main() {
    // So that it is no other function's equal, and has an address of its own.
    BOOTS_IN_MAIN.store(true, Ordering::Relaxed);
}

/// As [`init`]: the place in `main` where this program, if it was started as a child, does what it was started for, and never returns. In any other process it does nothing.
///
/// For programs that [offer](crate::offer()) tasks while they run: they offer all of them, and then say this, before anything else. By its being in the program, children do not begin before `main`.
///
/// A child of a program that does not come by here runs all of `main`, and is only kept from starting processes of its own.
#[macro_export]
macro_rules! boot_here {
    () => {{
        #[allow(unsafe_code)]
        #[used]
        #[unsafe(link_section = ".init_array")]
        static LATE: extern "C" fn() = $crate::__private::boots_in_main;
        ::core::hint::black_box(&LATE);
        $crate::init()
    }};
}

/// The constructors of the main program that the C library would call after ours. None if they cannot be found, or if the program's tasks come later.
fn constructors_behind_ours() -> Option<Vec<Constructor>> {
    let mut all: &[usize] = &[];
    // SAFETY: `main_program` takes the pointer as what it is, and both live until the call returns.
    unsafe { libc::dl_iterate_phdr(Some(main_program), (&raw mut all).cast()) };
    if all.contains(&(boots_in_main as *const () as usize)) {
        return None;
    }
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

fn from_environment() -> Option<Call> {
    Call::parse(std::env::var_os(VARIABLE)?.to_str()?)
}

/// Whether the parent that wrote the record is still the parent.
fn parent_lives(call: &Call) -> bool {
    rustix::process::getppid().is_some_and(|parent| parent.as_raw_nonzero().get() as u32 == call.parent)
}

/// The whole life of a child that was started from its beginning.
fn child(call: Call) -> ! {
    forget_record();
    if !parent_lives(&call) {
        leave(1);
    }
    open_standard_descriptors();
    let told = if call.traits.tail > 0 { told() } else { None };
    let Some((memory, life)) = claim(MEMORY).and_then(|memory| claim(LIFE).map(|life| (memory, life))) else {
        give_up("descriptors 3 and 4 are not open, so it was not started by polyproc");
    };
    take_own_name();
    if matches!(call.entry, Entry::Server) {
        // Ctrl-C goes to the whole group; the server ends with its parent.
        for signal in [libc::SIGPIPE, libc::SIGINT] {
            handle(signal, libc::SIG_IGN);
        }
        leave(serve::serve(memory, life));
    }
    if let Err(error) = life::be_child_of(life, !call.traits.outlives) {
        give_up(&format!("no thread can be started: {error}"));
    }
    let fabric = attach(memory);
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&call, &fabric, told)));
    // The process ends with what the body leaves behind, so nothing broken can be seen.
    std::process::exit(code.unwrap_or(1));
}

/// The start of a command that contains this crate: what it inherited is its own, and `main` comes next.
fn command(call: &Call) {
    forget_record();
    let Some((memory, life)) = claim(MEMORY).and_then(|memory| claim(LIFE).map(|life| (memory, life))) else { return };
    if let Err(error) = life::be_child_of(life, !call.traits.outlives) {
        give_up(&format!("no thread can be started: {error}"));
    }
    let fabric = attach(memory);
    set_up(call, &fabric);
}

/// Whether descriptors 3 and 4 are what the record of a command says. Programs pass their environment on, and not always their descriptors.
fn inherited(memory: u64, life: u64) -> bool {
    [(MEMORY, memory), (LIFE, life)].into_iter().all(|(number, inode)| {
        // SAFETY: the number is only used for this call, which fails if it is not open.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        rustix::fs::fstat(fd).is_ok_and(|stat| stat.st_ino == inode)
    })
}

/// Attaches the fabric whose memory a child was given.
pub(crate) fn attach(memory: OwnedFd) -> Fabric {
    match Fabric::attach(memory) {
        Ok(fabric) => fabric,
        Err(error) => give_up_for(&error.into()),
    }
}

/// The body of a child, however it was started. The answer is its exit code.
pub(crate) fn run(call: &Call, fabric: &Fabric, told: Option<Told>) -> i32 {
    set_up(call, fabric);
    let worker = matches!(call.entry, Entry::Worker { .. });
    handle(libc::SIGPIPE, libc::SIG_IGN);
    if worker {
        // Ctrl-C goes to the whole group; a worker ends when its pool says so, or with its parent.
        handle(libc::SIGINT, libc::SIG_IGN);
    }
    let teller = told.map(|told| tail::begin(told, call.traits.tail));
    crate::panic::print(!worker);
    crate::panic::install();
    let code = body(call, fabric);
    if let Some(teller) = teller {
        // Seen before the end is.
        teller.flush();
    }
    code
}

fn body(call: &Call, fabric: &Fabric) -> i32 {
    match &call.entry {
        Entry::Process { mailbox } => crate::process::child(mailbox),
        Entry::Worker { number, place, tickets } => {
            crate::worker::enter(*place);
            crate::pool::worker::run(fabric, *number, tickets, None)
        }
        // They have no body here.
        Entry::Server | Entry::Command { .. } => 1,
    }
}

/// What every child is told: who it is, its fabric, and how it starts its own children.
fn set_up(call: &Call, fabric: &Fabric) {
    current::become_what(call);
    Fabric::set_current(fabric);
    set_start_method(call.traits.method);
    if let Ok(level) = std::env::var(crate::logging::VARIABLE) {
        // SAFETY: the child has one thread that reads the environment, and it is this one.
        unsafe { std::env::remove_var(crate::logging::VARIABLE) };
        crate::logging::inherit(&level);
    }
}

/// In a child of the fork server, which ignores what its children should not.
pub(crate) fn end_ignoring_interrupts() {
    handle(libc::SIGINT, libc::SIG_DFL);
}

/// So that no program started from here takes it for its own.
fn forget_record() {
    // SAFETY: the program has not reached main, or is at its first line: no other thread reads the environment.
    unsafe { std::env::remove_var(VARIABLE) };
}

/// Takes an inherited descriptor, which programs started from here must not inherit in turn.
fn claim(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: the number is only used for this call, which fails if it is not open.
    let open = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(open, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and was left to this process for this purpose; the record that says so was removed, so nobody takes it twice.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// What a child inherits whose standard error is kept.
fn told() -> Option<Told> {
    Some([claim(TOLD)?, claim(TOLD + 1)?, claim(TOLD + 2)?])
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

/// Ignores a signal, or lets it do what it does by default.
fn handle(signal: c_int, how: libc::sighandler_t) {
    debug_assert!(how == libc::SIG_IGN || how == libc::SIG_DFL);
    // SAFETY: neither installs any code.
    unsafe { libc::signal(signal, how) };
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
