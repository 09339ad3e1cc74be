//! Programs in `tests/c`: each is compiled as C99 and C11 (and as C++17, which the header allows) with all warnings as errors, and run; where the tools are there, also under the address
//! sanitizer and Valgrind, which find what was not freed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use polyproc_testkit::watchdog::watchdog;

use super::here;
use super::stage::{Folder, prefix};

/// Not for Valgrind, which (3.19) knows no pidfd: no process can be watched there. The address sanitizer looks for their leaks.
const STARTS_PROCESSES: &[&str] = &["pool", "process", "worker"];
pub(crate) const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"];

pub(crate) fn programs() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(here().join("tests/c")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "c"));
    files.sort();
    assert!(!files.is_empty(), "there are programs");
    files
}

pub(crate) fn compile(compiler: &str, flags: &[&str], source: &Path, out: &Path) -> Result<(), String> {
    let lib = prefix().join("lib");
    let mut command = Command::new(compiler);
    command.args(WARNINGS).args(flags).arg("-I").arg(prefix().join("include")).arg("-I").arg(here().join("tests/c")).arg("-o").arg(out);
    if compiler == "c++" {
        command.args(["-x", "c++"]);
    }
    command.arg(source).args(["-x", "none"]).arg("-L").arg(&lib).args(["-lpolyproc", "-lpthread"]).arg(format!("-Wl,-rpath,{}", lib.display()));
    let answer = command.output().map_err(|error| format!("{compiler}: {error}"))?;
    if answer.status.success() { Ok(()) } else { Err(format!("{}: {}", source.display(), String::from_utf8_lossy(&answer.stderr))) }
}

pub(crate) fn run(command: &mut Command, what: &str) -> Result<Output, String> {
    let answer = watchdog(Duration::from_secs(300), || command.stdin(Stdio::null()).output()).map_err(|error| format!("{what}: {error}"))?;
    if answer.status.success() {
        return Ok(answer);
    }
    Err(format!("{what}: {}\n{}{}", answer.status, String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr)))
}

/// Compiles a program as C11 and runs it.
pub(crate) fn compile_and_run(source: &Path, out: &Path) {
    let result =
        compile("cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L"], source, out).and_then(|()| run(&mut Command::new(out), &source.display().to_string()));
    result.unwrap_or_else(|why| panic!("{why}"));
}

/// Compiles and runs all programs; `launch` makes the command of one.
fn all(test: &str, compiler: &str, flags: &[&str], launch: impl Fn(&Path) -> Command) {
    let folder = Folder::new(test);
    let wanted = std::env::var("POLYPROC_C_ONLY").unwrap_or_default();
    let mut failed = Vec::new();
    for source in programs() {
        let name = source.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.contains(&wanted) || (test == "valgrind" && STARTS_PROCESSES.contains(&&*name)) {
            continue;
        }
        let out = folder.path().join(&name);
        let result = compile(compiler, flags, &source, &out).and_then(|()| run(&mut launch(&out), &format!("{test}: {name}")));
        failed.extend(result.err());
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

pub(crate) fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        println!("skipped: {tool} is not installed");
    }
    there
}

#[test]
fn c99() {
    all("c99", "cc", &["-std=c99", "-D_POSIX_C_SOURCE=200809L"], |program| Command::new(program));
}

#[test]
fn c11() {
    all("c11", "cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2"], |program| Command::new(program));
}

#[test]
fn cpp17() {
    if is_there("c++") {
        all("cpp17", "c++", &["-std=c++17"], |program| Command::new(program));
    }
}

#[test]
fn the_header_compiles_alone() {
    let folder = Folder::new("alone");
    for (compiler, standard, name) in [("cc", "-std=c99", "alone.c"), ("cc", "-std=c11", "alone.c"), ("c++", "-std=c++17", "alone.cpp")] {
        if is_there(compiler) {
            let source = folder.path().join(name);
            fs::write(&source, "#include <polyproc.h>\n#include <polyproc.h>\n").unwrap();
            let mut command = Command::new(compiler);
            command.args(WARNINGS).args([standard, "-fsyntax-only", "-I"]).arg(here().join("include")).arg(&source);
            run(&mut command, &format!("{compiler} {standard}")).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

#[test]
fn address_sanitizer() {
    let folder = Folder::new("asan-probe");
    let probe = folder.path().join("probe.c");
    fs::write(&probe, "int main(void) { return 0; }\n").unwrap();
    if compile("cc", &["-fsanitize=address,undefined"], &probe, &folder.path().join("probe")).is_err() {
        println!("skipped: cc has no address sanitizer");
        return;
    }
    all("asan", "cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], |program| {
        let mut command = Command::new(program);
        command.env("ASAN_OPTIONS", "detect_leaks=1:exitcode=9");
        command
    });
}

#[test]
fn valgrind() {
    if is_there("valgrind") {
        all("valgrind", "cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L"], under_valgrind);
    }
}

/// The tools would tell: a program that frees nothing fails under each of them.
#[test]
fn leaks_are_found() {
    let folder = Folder::new("leak");
    let (source, out) = (folder.path().join("leak.c"), folder.path().join("leak"));
    let text = "#include \"check.h\"\nint main(void)\n{\n    pp_fabric_t *fabric = check_fabric();\n    (void)fabric;\n    fabric = NULL;\n    check_fabric();\n    return 0;\n}\n";
    fs::write(&source, text).unwrap();
    if compile("cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-fsanitize=address"], &source, &out).is_ok() {
        let answer = Command::new(&out).env("ASAN_OPTIONS", "detect_leaks=1:exitcode=9").output().unwrap();
        assert_eq!(answer.status.code(), Some(9), "the address sanitizer found no leak");
    }
    if is_there("valgrind") {
        compile("cc", &["-std=c11", "-D_POSIX_C_SOURCE=200809L"], &source, &out).unwrap();
        let answer = under_valgrind(&out).output().unwrap();
        assert_eq!(answer.status.code(), Some(9), "valgrind found no leak");
    }
}

fn under_valgrind(program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    let leaks = ["--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--show-leak-kinds=definite,indirect"];
    command.args(["--quiet", "--error-exitcode=9", "--num-callers=30"]).args(leaks).arg(program);
    command
}

/// The examples, compiled as their first lines say, do what they say.
#[test]
fn examples() {
    let folder = Folder::new("examples");
    let build = |name: &str| {
        let out = folder.path().join(name);
        let mut flags = vec!["-I".to_owned(), prefix().join("include").display().to_string()];
        let mut libraries = vec!["-L".to_owned(), prefix().join("lib").display().to_string(), "-lpolyproc".to_owned()];
        if is_there("pkg-config") {
            let ask = |what: &str| {
                let answer = Command::new("pkg-config").args([what, "polyproc"]).env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig")).output().unwrap();
                assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
                String::from_utf8(answer.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
            };
            (flags, libraries) = (ask("--cflags"), ask("--libs"));
        }
        let mut command = Command::new("cc");
        command.args(WARNINGS).args(["-std=gnu11"]).args(flags).arg(here().join("examples").join(name).with_extension("c")).args(libraries).arg("-o").arg(&out);
        run(&mut command, &format!("compiling {name}")).unwrap_or_else(|why| panic!("{why}"));
        let mut command = Command::new(out);
        command.env("LD_LIBRARY_PATH", prefix().join("lib"));
        command
    };
    let say = |mut command: Command, what: &str| String::from_utf8(run(&mut command, what).unwrap_or_else(|why| panic!("{why}")).stdout).unwrap();
    assert_eq!(say(build("points"), "points"), "the last point is at 999, -999\n");
    let survived = say(build("survive"), "survive");
    assert!(survived.contains("its last owner died") && survived.contains("1000 is handed out for the 2. time"), "{survived}");
    let fabric = format!("c-shop-{}", std::process::id());
    let mut producer = build("producer");
    let mut producer = producer.arg(&fabric).stdout(Stdio::piped()).spawn().unwrap();
    let mut consumer = build("consumer");
    consumer.arg(&fabric);
    let orders = say(consumer, "consumer");
    let ended = watchdog(Duration::from_secs(60), || producer.wait()).unwrap();
    assert!(ended.success());
    assert_eq!(orders.lines().count(), 10, "{orders}");
    assert!(orders.starts_with("order 1\n") && orders.ends_with("order 10\n"));
}
