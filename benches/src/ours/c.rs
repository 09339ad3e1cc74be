//! The C header: a C program (`c/member.c`) that is built against the C library on first use, and the same calls in Rust. It knows how to build and call it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use polyproc_ipc::{BytesQueue, Dict, Fabric, Lock, Ticket};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Trouble};
use crate::ours::queue;
use crate::scenarios::c::{Calls, KEYS};
use crate::scenarios::queue::Shape;

pub(crate) const ROLE: &str = "calls";

/// Who makes the calls, or stands at an end of the queue.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Language {
    C,
    Rust,
}

/// One round: a fresh fabric with one object, and one process that calls it.
pub(crate) fn calls(what: Calls, by: Language, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    // What it is keeps it alive until the round is over.
    let (lock, queue, dict);
    let ticket = match what {
        Calls::Lock => {
            lock = Lock::new(&fabric)?;
            lock.ticket()
        }
        Calls::Queue => {
            queue = BytesQueue::new(&fabric, 0)?;
            queue.ticket()
        }
        Calls::Dict => {
            dict = Dict::<i64, i64>::new(&fabric)?;
            dict.update((0..KEYS).map(|key| (key, key)))?;
            dict.ticket()
        }
    };
    let descriptor = Inherited::new(fabric.descriptor())?;
    let arguments = [what.name().to_owned(), budget.operations.to_string(), "0".to_owned(), descriptor.number(), ticket.to_string()];
    let mut crew = Crew::new()?;
    if by == Language::C {
        let mut command = Command::new(program()?);
        command.arg("call").args(&arguments);
        crew.command("c", command)?;
    } else {
        crew.role(ROLE, &arguments)?;
    }
    drop(descriptor);
    let reports = crew.run()?;
    match reports[..] {
        [Report { count, sum, .. }] if count == sum => Ok(Report::sample(&reports, &reports)),
        _ => Err(Trouble::failed("some calls answered something else than what had been put there")),
    }
}

/// One round of one to one: the producer in one language, the consumer in the other.
pub(crate) fn one_to_one(shape: Shape, from: Language, to: Language, budget: Budget) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    let object = BytesQueue::new(&fabric, shape.capacity())?;
    let descriptor = Inherited::new(fabric.descriptor())?;
    let mut crew = Crew::new()?;
    for job in shape.jobs(budget) {
        let mut arguments = job.arguments();
        arguments.extend(["one".to_owned(), descriptor.number(), object.ticket().to_string()]);
        if (if job.produces { from } else { to }) == Language::C {
            let mut command = Command::new(program()?);
            command.args(&arguments);
            crew.command("c", command)?;
        } else {
            crew.role(queue::ROLE, &arguments)?;
        }
    }
    drop(descriptor);
    shape.measure(crew)
}

/// The same calls in Rust.
pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let what: String = member::next(&mut arguments, "object")?;
    let count: u64 = member::next(&mut arguments, "count")?;
    member::enter(member::core(&member::next::<String>(&mut arguments, "core")?))?;
    // The ticket leads to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let ticket: Ticket = member::next(&mut arguments, "ticket")?;
    match what.as_str() {
        "lock" => {
            let lock = Lock::from_ticket(&ticket)?;
            repeat(count, |_| {
                lock.acquire(None)?;
                lock.release()?;
                Ok(true)
            })
        }
        "queue" => {
            let queue = BytesQueue::from_ticket(&ticket)?;
            let mut item = [0; 16];
            repeat(count, |i| {
                item[..8].copy_from_slice(&i.to_ne_bytes());
                queue.put(&item)?;
                let message = queue.get()?;
                Ok(message.len() == item.len() && message.first_chunk() == Some(&i.to_ne_bytes()))
            })
        }
        _ => {
            let dict = Dict::<i64, i64>::from_ticket(&ticket)?;
            repeat(count, |i| {
                let key = (i % KEYS as u64) as i64;
                Ok(dict.item(&key)? == key)
            })
        }
    }
}

/// Calls so many times, and reports how many were right.
fn repeat(count: u64, mut call: impl FnMut(u64) -> Result<bool, Trouble>) -> Result<(), Trouble> {
    let (start, mut sum) = (member::start()?, 0);
    for i in 0..count {
        sum += u64::from(call(i)?);
    }
    member::done(Report { start, end: member::now(), count, sum })
}

/// The program's path; the library and the program are built once per run.
fn program() -> Result<&'static Path, Trouble> {
    static PROGRAM: OnceLock<Result<PathBuf, Option<String>>> = OnceLock::new();
    let built = PROGRAM.get_or_init(|| build().map_err(|trouble| if let Trouble::Failed(text) = trouble { Some(text) } else { None }));
    match built {
        Ok(path) => Ok(path),
        Err(Some(text)) => Err(Trouble::Failed(text.clone())),
        Err(None) => Err(Trouble::Missing("needs a C compiler: apt-get install gcc".into())),
    }
}

fn build() -> Result<PathBuf, Trouble> {
    if Command::new("cc").arg("--version").output().is_err() {
        return Err(Trouble::Missing(String::new()));
    }
    let release = std::env::current_exe()?.with_file_name("");
    let target = release.parent().ok_or_else(|| Trouble::failed("this program lies in no folder"))?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or_else(|| Trouble::failed("benches lies in no workspace"))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut library = Command::new(cargo);
    library.args(["build", "--quiet", "--release", "--package", "polyproc-c", "--target-dir"]).arg(target).current_dir(workspace);
    succeed(&mut library)?;
    let folder = release.join("polyproc-bench-peers");
    std::fs::create_dir_all(&folder)?;
    // Under the name that it is linked by; under others first, so that a parallel run never sees half a program.
    let own = |what: &str| folder.join(format!("{}-{what}", std::process::id()));
    let (new, program, link) = (own("c"), folder.join("c"), own("so"));
    std::os::unix::fs::symlink(target.join("release/libpolyproc_c.so"), &link)?;
    std::fs::rename(&link, folder.join("libpolyproc.so.1"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-std=c11", "-Wall", "-I"]).arg(workspace.join("bindings/c/include")).arg("-o").arg(&new);
    compiler.arg(workspace.join("benches/c/member.c")).arg("-L").arg(&folder).args(["-l:libpolyproc.so.1", "-Wl,-rpath,$ORIGIN"]);
    succeed(&mut compiler)?;
    std::fs::rename(&new, &program)?;
    Ok(program)
}

fn succeed(command: &mut Command) -> Result<(), Trouble> {
    let output = command.output()?;
    let said = || format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(Trouble::failed(said())) }
}
