//! Every function of the header is called with NULL, 0 and false for everything: none may crash, and none may say that it did something.
//!
//! The program is made from the header, so that a new function is in it by itself.

use std::fmt::Write as _;
use std::fs;

use super::here;
use super::stage::Folder;

/// The functions that have nothing to refuse.
const DO_SOMETHING: &[&str] = &["pp_collect_names", "pp_process_active", "pp_active_children"];

/// A declaration: what it returns, its name and its parameters.
fn declarations(header: &str) -> Vec<(String, String, Vec<String>)> {
    // Comments and lines of the preprocessor do not count.
    let mut text = String::new();
    for piece in header.split("/*") {
        text.push_str(piece.split_once("*/").map_or(piece, |(_, rest)| rest));
    }
    let text: String = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("static inline")).map(|line| line.to_owned() + " ").collect();
    let mut all = Vec::new();
    for declaration in text.split([';', '}', '{']) {
        let Some((front, rest)) = declaration.split_once('(') else { continue };
        let Some((parameters, "")) = rest.trim_end().rsplit_once(')') else { continue };
        let front = front.trim();
        let Some(at) = front.find("pp_").and_then(|_| front.rfind("pp_")) else { continue };
        let (kind, name) = front.split_at(at);
        if kind.contains("typedef") || kind.trim().is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let parameters = parameters.split(',').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty() && p != "void").collect();
        all.push((kind.trim().to_owned(), name.to_owned(), parameters));
    }
    all
}

/// Nothing, of the type of a parameter.
fn nothing(parameter: &str) -> String {
    if parameter.contains('*') {
        return "NULL".into();
    }
    let kind = parameter.rsplit_once(' ').map_or(parameter, |(kind, _)| kind).trim();
    match kind {
        "pp_datum_t" => "nothing_datum".into(),
        "pp_slice_t" => "nothing_slice".into(),
        "pp_elements_t" => "nothing_elements".into(),
        kind if kind.starts_with("pp_") => "NULL".into(), // a pointer to a function
        "bool" => "false".into(),
        _ => "0".into(),
    }
}

#[test]
fn every_function_refuses_nothing_at_all() {
    let header = fs::read_to_string(here().join("include/polyproc.h")).unwrap();
    let declarations = declarations(&header);
    let mut missing = super::exports();
    missing.retain(|name| !declarations.iter().any(|(_, declared, _)| declared == name));
    assert!(missing.is_empty(), "declarations that were not understood: {missing:?}");
    let mut program = String::from(
        "#include \"check.h\"\nint main(void)\n{\n    pp_error_t *error;\n    int32_t status;\n    pp_datum_t nothing_datum;\n    pp_slice_t nothing_slice;\n    pp_elements_t nothing_elements;\n    memset(&nothing_datum, 0, sizeof nothing_datum);\n    memset(&nothing_slice, 0, sizeof nothing_slice);\n    memset(&nothing_elements, 0, sizeof nothing_elements);\n",
    );
    for (kind, name, parameters) in &declarations {
        let arguments: Vec<String> = parameters.iter().map(|parameter| nothing(parameter)).collect();
        let fallible = kind == "int32_t" && parameters.last().is_some_and(|last| last.contains("pp_error_t **"));
        if !fallible {
            let _ = writeln!(program, "    (void){name}({});", arguments.join(", "));
            continue;
        }
        let good = if DO_SOMETHING.contains(&name.as_str()) { "1" } else { "status != PP_OK" };
        let front = arguments[..arguments.len() - 1].iter().map(|argument| argument.clone() + ", ").collect::<String>();
        let _ = writeln!(
            program,
            "    error = NULL;\n    status = {name}({front}&error);\n    if (!({good}) || pp_error_kind(error) != status || status == PP_INTERNAL) {{\n        fprintf(stderr, \"{name}: %s, %s\\n\", pp_status_name(status), pp_error_message(error));\n        return 1;\n    }}\n    pp_error_free(error);\n    CHECK({name}({front}NULL) == status);"
        );
    }
    program.push_str("    return 0;\n}\n");
    let folder = Folder::new("nulls");
    let (source, out) = (folder.path().join("nulls.c"), folder.path().join("nulls"));
    fs::write(&source, program).unwrap();
    super::programs::compile_and_run(&source, &out);
}

#[test]
fn every_function_is_called_by_a_program() {
    let mut programs = String::new();
    for file in super::programs::programs() {
        programs.push_str(&fs::read_to_string(file).unwrap());
    }
    programs.push_str(&fs::read_to_string(here().join("trailer.h")).unwrap());
    let missing: Vec<String> = super::exports().into_iter().filter(|name| !programs.contains(&format!("{name}("))).collect();
    assert!(missing.is_empty(), "no program in tests/c calls {missing:?}");
}
