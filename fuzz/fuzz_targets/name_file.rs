//! libFuzzer over the file of a fabric's name (set `POLYPROC_DIR` to a directory for this alone).
#![no_main]

#[allow(dead_code)]
#[path = "../../ipc/tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::name_file(bytes));
