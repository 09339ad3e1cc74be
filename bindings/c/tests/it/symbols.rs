//! What the shared library exports is what `symbols.txt` lists, and nothing else. `cargo xtask header` writes it.

use std::fs;
use std::process::Command;

use super::{here, stage};

#[test]
fn the_library_exports_what_the_list_says() {
    let path = here().join("symbols.txt");
    if std::env::var_os("POLYPROC_WRITE").is_some() {
        let text: String = super::exports().into_iter().map(|name| name + "\n").collect();
        fs::write(path, format!("# What the shared library exports. Kept by `cargo xtask header`, checked by a test.\n{text}")).unwrap();
        return;
    }
    let list = fs::read_to_string(path).unwrap_or_default();
    let listed: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let answer = Command::new("nm").args(["-D", "--defined-only"]).arg(stage::built("libpolyproc_c.so")).output().expect("nm, of binutils");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answer = String::from_utf8(answer.stdout).unwrap();
    let mut found: Vec<&str> = answer.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    found.sort_unstable();
    let new: Vec<_> = found.iter().filter(|name| !listed.contains(name)).collect();
    let old: Vec<_> = listed.iter().filter(|name| !found.contains(name)).collect();
    assert!(
        new.is_empty() && old.is_empty(),
        "exported and not listed: {new:?}; listed and not exported: {old:?}. A symbol that goes is a new PP_ABI; run `cargo xtask header`"
    );
}
