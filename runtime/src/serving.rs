//! Being the worker that a [`Starter`](crate::Starter) has started this process for: finds the pool by its line, waits to be told, works.
//!
//! Until it is told, it takes part in nothing. From its first step on it ends with the pool's process. Must not know what calls do, nor how this process was started.

use polyproc_ipc::{BytesQueue, ErrorKind as Ipc, Fabric, Owner};

use crate::child::Child;
use crate::error::{Error, ErrorKind, Result};
use crate::pool::worker as at_work;
use crate::process::current;
use crate::start::{Call, Entry, Post, life};

/// What a worker does when a signal came while it waited: nothing (`None`), or leave, with this exit code.
pub(crate) type OnSignal<'a> = &'a mut dyn FnMut() -> Option<i32>;

/// Makes this process the worker for which a [`Starter`](crate::Starter) was given `line`, and works until it is to leave. The answer is what the process is to exit with, soon and without doing anything else in the fabric.
///
/// The pool's fabric must be attached in this process already, as in a fork, or have a name, by which it is opened here. It is the [current](Fabric::current) one afterwards. The tasks that the pool's calls name must be
/// [offered](crate::offer()), or part of this program.
///
/// Signals are left as they are: ignore SIGINT before, if Ctrl-C in a terminal shall be the pool's process's alone. **When the pool's process dies**, this one ends at once, with code 1, whatever it does.
///
/// # Errors
///
/// `InvalidArgument` if it is no such line, or the pool's process is no member that can be watched from here; `NotFound` if its fabric is not here; `Gone` if the pool is over. The process should end then, too: the pool takes it for one that died
/// before it could do anything. Also `Corrupt` for damaged memory, later.
pub fn serve(line: &str) -> Result<i32> {
    be_worker(line, None)
}

/// As [`serve`], for programs whose language runs its signal handlers between calls: while the worker waits, `on_signal` is called at once for a signal, and now and then without one; it may make the worker leave, in order, with an exit code of its own.
///
/// # Errors
///
/// As there.
pub fn serve_with_signals(line: &str, mut on_signal: impl FnMut() -> Option<i32>) -> Result<i32> {
    be_worker(line, Some(&mut on_signal))
}

fn be_worker(line: &str, on_signal: Option<OnSignal<'_>>) -> Result<i32> {
    let post = Post::parse(line).ok_or_else(|| Error::argument("this is no line by which a pool's starter starts a worker"))?;
    let (fabric, mailbox) = find(&post)?;
    let parent = Child::of_member(&fabric, Owner::from_bits(post.owner), post.parent)?;
    end_with(parent)?;
    let call = told(&mailbox)?;
    let Entry::Worker { number, place, tickets } = &call.entry else { return Err(Error::argument("this process was told to be something else than a worker")) };
    current::become_what(&call);
    Fabric::set_current(&fabric);
    crate::panic::print(false);
    crate::panic::install();
    crate::worker::enter(*place);
    Ok(at_work::run(&fabric, *number, tickets, on_signal))
}

/// The fabric of the pool, and the queue in which this process is told.
fn find(post: &Post) -> Result<(Fabric, BytesQueue)> {
    let fabric = match (Fabric::attached(post.mailbox.fabric()), &post.fabric) {
        (Some(fabric), _) => fabric,
        (None, Some(name)) => Fabric::open(name)?,
        (None, None) => return Err(polyproc_ipc::Error::new(Ipc::NotFound, "the pool's fabric is private, and not attached in this process").into()),
    };
    let mailbox = BytesQueue::from_ticket(&post.mailbox)?;
    Ok((fabric, mailbox))
}

/// Waits for what this process is to be. A pool that is over has destroyed the mailbox.
fn told(mailbox: &BytesQueue) -> Result<Call> {
    let message = mailbox.get()?;
    let call = std::str::from_utf8(&message).ok().and_then(Call::parse);
    let _ = mailbox.destroy();
    call.ok_or_else(|| at_work::damaged("the call of a worker"))
}

/// A thread that ends this process with its parent.
fn end_with(parent: Child) -> Result<()> {
    let watch = move || {
        while !crate::child::readable(parent.sentinel(), None).unwrap_or(false) {}
        life::leave(1)
    };
    let thread = std::thread::Builder::new().name("polyproc-life".into()).stack_size(64 << 10).spawn(watch);
    thread.map(drop).map_err(|error| Error::new(ErrorKind::SpawnFailed, format!("cannot start a thread of a worker: {error}")))
}
