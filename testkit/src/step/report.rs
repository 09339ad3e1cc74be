//! A row as one line of text for programs: what `cargo xtask kill-table` reads. Knows no table for people.
//!
//! Fields between tabs: object, operation, steps, states, points, strayed, stride, first point, seconds, number of broken points, outcomes. An outcome is
//! `label=count`; between outcomes stands `;`. Tabs and line breaks inside a field are spaces. A line is one write, so several processes may append to one file.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;

use super::Row;

/// Appends `row` to the file that `POLYPROC_KILL_OUT` names, if it names one.
///
/// # Panics
/// If the file cannot be written: a report with rows missing would be worse than none.
pub(crate) fn append(row: &Row) {
    let Ok(path) = env::var("POLYPROC_KILL_OUT") else { return };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(line(row).as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot write the report {path}: {error}"));
}

fn line(row: &Row) -> String {
    let outcomes: Vec<String> = row.outcomes.iter().map(|(label, count)| format!("{}={count}", plain(label).replace(['=', ';'], " "))).collect();
    let Row { object, operation, steps, states, points, strayed, stride, offset, seconds, .. } = row;
    format!(
        "{}\t{}\t{steps}\t{states}\t{points}\t{strayed}\t{stride}\t{offset}\t{seconds:.2}\t{}\t{}\n",
        plain(object),
        plain(operation),
        row.failures.len(),
        outcomes.join(";")
    )
}

fn plain(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_of_eleven_fields() {
        let mut row = Row::new("queue", "put\tof\nall", 7, 3);
        row.count("before=;".into(), 0);
        row.count("after".into(), 1);
        (row.steps, row.states) = (12, 9);
        let text = line(&row);
        assert_eq!(text, "queue\tput of all\t12\t9\t2\t0\t7\t3\t0.00\t0\tafter=1;before  =1\n");
    }
}
