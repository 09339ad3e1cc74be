//! Command lines: ordinary programs, and programs that contain polyproc.

use std::io::Read;
use std::time::Duration;

use polyproc::{ErrorKind, Fabric, Process, Queue, Stdio, ipc};

use crate::start::queue;
use crate::{kill, runs, until, watched};

/// This test program as a command that plays one role.
fn role(name: &str) -> polyproc::CommandBuilder {
    Process::command(std::env::current_exe().unwrap()).args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
}

#[test]
fn ordinary_programs_run() {
    watched(|| {
        assert!(Process::command("true").start().unwrap().join().unwrap().success());
        let exit = Process::command("/bin/sh").args(["-c", "exit 7"]).start().unwrap().join().unwrap();
        assert_eq!((exit.code, exit.success(), exit.failure.is_none()), (7, false, true));
        let process = Process::command("sh").arg("-c").arg("echo $0 $A; pwd; echo no >&2").env("A", "1 2").current_dir("/usr");
        let process = process.stdin(Stdio::Null).stdout(Stdio::Piped).stderr(Stdio::Piped).start().unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        process.take_stdout().unwrap().read_to_string(&mut out).unwrap();
        process.take_stderr().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((&*out, &*err), ("sh 1 2\n/usr\n", "no\n"));
        assert!(process.join().unwrap().success());
        let long = Process::command("sleep").arg("600").start().unwrap();
        assert!(long.join_timeout(Duration::from_millis(10)).unwrap().is_none());
        assert_eq!(long.terminate_within(Duration::from_secs(60)).unwrap().signal(), Some(15));
    });
}

#[test]
fn what_cannot_be_started_is_said_at_once() {
    watched(|| {
        let dir = polyproc_testkit::temp::TempDir::new("command");
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "no program").unwrap();
        let odd = dir.path().join("odd");
        std::fs::write(&odd, "no program").unwrap();
        std::fs::set_permissions(&odd, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let cases = [
            ("/nowhere/at all".into(), "/nowhere/at all"),
            ("polyproc-no-such-program".into(), "polyproc-no-such-program"),
            (plain.display().to_string(), "plain"),
            (odd.display().to_string(), "no program, and no script"),
            (dir.path().display().to_string(), "irectory"),
        ];
        for (program, words) in cases {
            let error = Process::command(&program).start().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SpawnFailed, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = Process::command("true").current_dir("/nowhere").start().unwrap_err();
        assert!(error.to_string().contains("/nowhere"), "{error}");
        for bad in [Process::command(""), Process::command("a\0b"), Process::command("true").arg("a\0b"), Process::command("true").env("A", "\0")] {
            assert_eq!(bad.start().unwrap_err().kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
        }
    });
}

#[test]
#[ignore = "a role"]
fn member() {
    // Started by itself, this is no child of anybody.
    let Some(parent) = polyproc::parent() else { return };
    assert_eq!(polyproc::current().name(), "the member");
    assert!(parent.is_alive() && std::env::var_os("POLYPROC_CHILD").is_none());
    let fabric = Fabric::current().unwrap();
    let (ready, go) = (Queue::<u32>::open(&fabric, "ready").unwrap(), Queue::<u32>::open(&fabric, "go").unwrap());
    ready.put(&std::process::id()).unwrap();
    go.get().unwrap();
}

#[test]
fn a_program_with_polyproc_is_in_the_fabric() {
    watched(|| {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let (ready, go) = (Queue::<u32>::create(&fabric, "ready", 0).unwrap(), Queue::<u32>::create(&fabric, "go", 0).unwrap());
        let start = |builder: polyproc::CommandBuilder| builder.name("the member").fabric(&fabric).stdout(Stdio::Null).start().unwrap();
        let process = start(role("command::member"));
        assert_eq!(ready.get().unwrap(), process.pid());
        go.put(&0).unwrap();
        assert!(process.join().unwrap().success());
        // Through a shell: not our child, but a member, and what it held is swept all the same.
        let exe = std::env::current_exe().unwrap();
        let line = format!("'{}' command::member --exact --ignored --nocapture --test-threads=1; exit $?", exe.display());
        let process = start(Process::command("sh").arg("-c").arg(line));
        let member = ready.get().unwrap();
        assert_ne!(member, process.pid());
        kill(member);
        assert_ne!(process.join().unwrap().code, 0);
        until(|| fabric.members().iter().filter(|member| member.alive).count() == 1);
        assert!(fabric.check().unwrap().is_whole());
    });
}

#[test]
fn a_program_with_polyproc_ends_with_its_parent() {
    watched(|| {
        let ready = queue();
        let process = Process::spawn(starts_a_member, (ready.clone(),)).unwrap();
        let member = ready.get().unwrap();
        assert!(runs(member));
        process.kill().unwrap();
        process.join().unwrap();
        until(|| !runs(member));
    });
}

#[polyproc::task]
fn starts_a_member(out: Queue<u32>) {
    let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
    let (ready, _go) = (Queue::<u32>::create(&fabric, "ready", 0).unwrap(), Queue::<u32>::create(&fabric, "go", 0).unwrap());
    let _process = role("command::member").name("the member").fabric(&fabric).stdout(Stdio::Null).start().unwrap();
    out.put(&ready.get().unwrap()).unwrap();
    loop {
        std::thread::park();
    }
}
