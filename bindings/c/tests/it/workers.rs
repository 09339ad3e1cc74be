//! A worker in C that a Rust pool calls, and the other examples with processes: compiled from `examples`, and run.

use std::process::Command;
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Options, Pool, Process, Retry};
use polyproc_testkit::temp::unique_name;
use polyproc_testkit::watchdog::watchdog;

use super::here;
use super::programs::compile;
use super::stage::{Folder, built};

fn example(folder: &Folder, name: &str) -> std::path::PathBuf {
    let out = folder.path().join(name);
    compile("cc", &["-std=c99", "-D_POSIX_C_SOURCE=200809L"], &here().join("examples").join(format!("{name}.c")), &out).unwrap_or_else(|why| panic!("{why}"));
    out
}

#[test]
fn a_rust_pool_calls_a_worker_in_c() {
    watchdog(Duration::from_secs(120), rust_calls_c);
}

fn rust_calls_c() {
    let folder = Folder::new("worker");
    let program = example(&folder, "worker");
    let name = unique_name("sums");
    let fabric = Fabric::builder().cap(64 << 20).create(&name).unwrap();
    let pool = Pool::builder().fabric(&fabric).name("sums").workers(0).build().unwrap();
    let start = || Process::command(&program).arg(&name).start().unwrap();
    let first = start();
    assert_eq!(pool.call::<i64>("c.sum", (1, 2, 3)).unwrap(), 6);
    assert_eq!(pool.call::<i64>("c.sum", ()).unwrap(), 0);
    let error = pool.call::<i64>("c.sum", (i64::MAX, 1)).unwrap_err();
    assert_eq!((error.kind(), error.message(), error.backtrace()), (ErrorKind::Panicked, Some("the sum is too large"), Some("sum, in worker.c")));
    assert_eq!(error.to_string(), "task 'c.sum' failed: the sum is too large");
    assert_eq!(pool.call::<i64>("c.sum", (1, "two")).unwrap_err().kind(), ErrorKind::BadArguments);
    let error = pool.call::<i64>("c.product", (1, 2)).unwrap_err();
    assert!(error.kind() == ErrorKind::UnknownTask && error.to_string().contains("it offers c.sum"), "{error}");
    assert_eq!(pool.call::<String>("c.sum", (1, 2)).unwrap_err().kind(), ErrorKind::BadResult);
    // Killed, it costs nobody a call that may be run again.
    let again = pool.with(Options::new().retry(Retry::on_death(3)));
    let many: Vec<_> = (0..200_i64).map(|n| again.submit_by_name::<i64>("c.sum", (n, 1)).unwrap()).collect();
    first.kill().unwrap();
    let second = start();
    assert!(many.into_iter().zip(1..).all(|(sum, expected)| sum.get().unwrap() == expected));
    pool.close();
    pool.join().unwrap();
    assert!(second.join().unwrap().success());
    assert_eq!(first.join().unwrap().signal(), Some(9));
}

#[test]
fn a_pool_in_c_survives_a_sigkill() {
    watchdog(Duration::from_secs(120), c_survives);
}

fn c_survives() {
    let folder = Folder::new("pool");
    let answer = Command::new(example(&folder, "pool")).output().unwrap();
    let said = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.status.success(), "{said}{}", String::from_utf8_lossy(&answer.stderr));
    assert!(said.contains("13: task square, killed by signal 9") && said.contains("2301"), "{said}");
}

/// With the library inside of the program, its constructors are the program's: its children must wait for `pp_main` all the same.
#[test]
fn a_static_program_begins_in_main() {
    let folder = Folder::new("static");
    let out = folder.path().join("pool");
    let mut command = Command::new("cc");
    command.args(["-std=gnu11", "-I"]).arg(here().join("include")).arg(here().join("examples/pool.c")).arg(built("libpolyproc_c.a"));
    let answer = command.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&out).output().unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answer = watchdog(Duration::from_secs(120), || Command::new(&out).output()).unwrap();
    assert!(answer.status.success(), "{}{}", String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
}
