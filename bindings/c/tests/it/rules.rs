//! What every file of the library keeps to: where pointers are trusted, that every export is guarded, and that every text has its parts.

use std::fs;

use super::sources;

/// The files whose code may be unsafe; everywhere else only the signatures of exports are.
const TRUSTING: &[&str] = &["boundary.rs"];
const PARTS: &[&str] = &["Parameters: ", "Returns: ", "Threads: ", "Death: "];

#[test]
fn pointers_are_trusted_in_one_file() {
    for file in sources() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        // `unsafe impl Options` is a promise about a structure, beside the structure.
        assert!(TRUSTING.contains(&name) || !code.contains("unsafe {"), "{name} uses a pointer itself; that is what boundary.rs is for");
    }
}

#[test]
fn every_export_is_guarded_and_says_everything() {
    let mut wrong = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[unsafe(no_mangle)]")) {
            let doc: Vec<&str> = lines[..at].iter().rev().take_while(|line| line.starts_with("///")).copied().collect();
            let missing: Vec<&&str> = PARTS.iter().filter(|part| !doc.iter().any(|line| line.trim_start_matches("/// ").starts_with(**part))).collect();
            if !missing.is_empty() {
                wrong.push(format!("{}: no {missing:?}", lines[at + 1]));
            }
            let body: String = lines[at + 1..].iter().take_while(|line| **line != "}").copied().collect::<Vec<_>>().join("\n");
            let plain = !lines[at + 1].contains("unsafe ");
            if !plain && !["guard(", "answer(", "free(", "remote(", "read("].iter().any(|guard| body.contains(guard)) {
                wrong.push(format!("{}: not guarded", lines[at + 1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
