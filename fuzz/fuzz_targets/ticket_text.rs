//! libFuzzer over tickets as text.
#![no_main]

#[allow(dead_code)]
#[path = "../../ipc/tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::ticket_text(bytes));
