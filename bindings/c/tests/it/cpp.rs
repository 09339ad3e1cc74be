//! C++ over the C header: the headers of `bindings/cpp` alone, its programs and examples, and how CMake finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use polyproc_testkit::watchdog::watchdog;

use super::here;
use super::programs::{WARNINGS, compile, is_there, run};
use super::stage::{Folder, prefix};

fn cpp() -> PathBuf {
    here().join("../cpp")
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(cpp().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == ending));
    files.sort();
    assert!(!files.is_empty(), "there are files in {folder}");
    files
}

/// Compiles and runs the programs of `tests` whose names have `wanted` in them.
fn programs(test: &str, flags: &[&str], wanted: &str) {
    if !is_there("c++") {
        return;
    }
    let folder = Folder::new(test);
    let asked = std::env::var("POLYPROC_C_ONLY").unwrap_or_default();
    let tests = format!("-I{}", cpp().join("tests").display());
    let flags: Vec<&str> = flags.iter().copied().chain([tests.as_str()]).collect();
    let mut failed = Vec::new();
    for source in files("tests", "cpp") {
        let name = source.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.contains(wanted) || !name.contains(&asked) {
            continue;
        }
        let out = folder.path().join(&name);
        let result = compile("c++", &flags, &source, &out).and_then(|()| run(Command::new(&out).env("ASAN_OPTIONS", "detect_leaks=1:exitcode=9"), &name));
        failed.extend(result.err());
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn cpp_programs_in_cpp17() {
    programs("hpp17", &["-std=c++17", "-O0"], "");
}

#[test]
fn cpp_programs_in_cpp20() {
    programs("hpp20", &["-std=c++20", "-O2"], "objects");
}

#[test]
fn cpp_programs_under_the_address_sanitizer() {
    let folder = Folder::new("hpp-asan-probe");
    let probe = folder.path().join("probe.cpp");
    fs::write(&probe, "int main() { return 0; }\n").unwrap();
    let flags = ["-std=c++17", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    if compile("c++", &flags, &probe, &folder.path().join("probe")).is_err() {
        println!("skipped: c++ has no address sanitizer");
        return;
    }
    programs("hpp-asan", &flags, "");
}

#[test]
fn each_cpp_header_compiles_alone() {
    if !is_there("c++") {
        return;
    }
    let folder = Folder::new("hpp-alone");
    let source = folder.path().join("alone.cpp");
    let check = |standard: &str, header: &str| {
        fs::write(&source, format!("#include <{header}>\n#include <{header}>\n")).unwrap();
        let mut command = Command::new("c++");
        command.args(WARNINGS).args([standard, "-fsyntax-only", "-I"]).arg(prefix().join("include")).arg(&source);
        run(&mut command, header).unwrap_or_else(|why| panic!("{why}"));
    };
    for part in files("include/polyproc", "hpp") {
        let lines = fs::read_to_string(&part).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines: a file is one idea", part.display());
        check("-std=c++17", &format!("polyproc/{}", part.file_name().unwrap().to_str().unwrap()));
    }
    check("-std=c++17", "polyproc.hpp");
    check("-std=c++20", "polyproc.hpp");
}

fn say(command: &mut Command, what: &str) -> String {
    String::from_utf8(run(command, what).unwrap_or_else(|why| panic!("{why}")).stdout).unwrap()
}

#[test]
fn cpp_examples() {
    if !is_there("c++") {
        return;
    }
    let folder = Folder::new("hpp-examples");
    let build = |name: &str| {
        let out = folder.path().join(name);
        compile("c++", &["-std=c++17"], &cpp().join("examples").join(name).with_extension("cpp"), &out).unwrap_or_else(|why| panic!("{why}"));
        Command::new(out)
    };
    let survived = say(&mut build("survive"), "survive");
    assert!(survived.contains("its last owner died") && survived.contains("1000 is handed out for the 2. time"), "{survived}");
    let pool = say(&mut build("pool"), "pool");
    assert!(pool.contains("7 * 7 is 49\nthe longest is coffee\n13: task square, killed by signal 9\nthe others sum up to 2301\n"), "{pool}");
    let fabric = format!("cpp-shop-{}", std::process::id());
    let (mut producer, mut consumer) = (build("producer"), build("consumer"));
    let mut producer = producer.arg(&fabric).stdout(Stdio::piped()).spawn().unwrap();
    let orders = run(consumer.arg(&fabric), "consumer");
    if orders.is_err() {
        let _ = producer.kill(); // it waits for a consumer
    }
    let orders = String::from_utf8(orders.unwrap_or_else(|why| panic!("{why}")).stdout).unwrap();
    assert!(watchdog(Duration::from_secs(60), || producer.wait()).unwrap().success());
    assert_eq!(orders.lines().count(), 10, "{orders}");
    assert!(orders.starts_with("order 1 for 2.50\n") && orders.ends_with("order 10 for 25.00\n"), "{orders}");
}

#[test]
fn cmake_finds_the_package() {
    if !is_there("c++") || !is_there("cmake") {
        return;
    }
    let folder = Folder::new("hpp-cmake");
    let build = folder.path().join("build");
    let define = |name: &str, path: &Path| format!("-D{name}={}", path.display());
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(cpp().join("tests/cmake")).arg("-B").arg(&build);
    configure.arg(define("CMAKE_PREFIX_PATH", prefix())).arg(define("EXAMPLES", &cpp().join("examples")));
    say(&mut configure, "cmake");
    say(Command::new("cmake").arg("--build").arg(&build), "cmake --build");
    assert!(say(&mut Command::new(build.join("survive")), "survive").contains("its last owner died"));
}
