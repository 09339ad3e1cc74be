//! What the kills found: one row per case, printed as a table, and the verdict of a test main. Runs nothing itself.
//!
//! A row's name is `object: operation`, as in `queue: get_many, 3 inline`: the object in the word that the documents use, the operation as users call it, then
//! what is special. A second operation after a death is of the object `repair`, and ends in `, killed at <point>`.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::env;
use std::fmt;
use std::hash::BuildHasher;
use std::process::ExitCode;

use super::report;
use super::{Case, Mark, Point};

/// What one case found.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was operated on.
    pub object: String,
    /// What was done to it.
    pub operation: String,
    /// At how many points the victim was killed.
    pub points: u64,
    /// How many steps the whole operation takes.
    pub steps: u64,
    /// How many different things a death in it can leave: one for each kill point, whether it was taken or not.
    pub states: u64,
    /// How many victims went another way than the first run, and were killed there.
    pub strayed: u64,
    /// Every how many points one was taken.
    pub stride: u64,
    /// The first point that was taken.
    pub offset: u64,
    /// How often each outcome was found.
    pub outcomes: BTreeMap<String, u64>,
    /// What was broken, one sentence each.
    pub failures: Vec<String>,
    /// How long it all took.
    pub seconds: f64,
    numbers: BTreeMap<String, Vec<u64>>,
}

impl Row {
    pub(crate) fn new(object: &str, operation: &str, stride: u64, offset: u64) -> Row {
        Row {
            object: object.to_owned(),
            operation: operation.to_owned(),
            points: 0,
            steps: 0,
            states: 0,
            strayed: 0,
            stride,
            offset,
            outcomes: BTreeMap::new(),
            failures: Vec::new(),
            seconds: 0.0,
            numbers: BTreeMap::new(),
        }
    }

    /// The points at which the outcome was `label`, in the order they were run (the end of the operation is run first).
    pub fn points_of(&self, label: &str) -> &[u64] {
        self.numbers.get(label).map_or(&[], Vec::as_slice)
    }

    /// How many points were run in a second.
    pub fn points_per_second(&self) -> f64 {
        self.points as f64 / self.seconds.max(1e-9)
    }

    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.object, self.operation)
    }

    pub(crate) fn count(&mut self, label: String, number: u64) {
        self.points += 1;
        *self.outcomes.entry(label.clone()).or_default() += 1;
        self.numbers.entry(label).or_default().push(number);
    }

    pub(crate) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }
}

/// The rows of a test main.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    filters: Vec<String>,
    nothing: bool,
}

impl Table {
    /// An empty table. Takes the arguments that `cargo test` passes: names are filters, `--list` and `--ignored` run nothing.
    pub fn from_args() -> Table {
        let mut table = Table::default();
        for arg in env::args().skip(1) {
            match arg.as_str() {
                "--list" | "--ignored" => table.nothing = true,
                name if !name.starts_with('-') => table.filters.push(name.to_owned()),
                _ => {}
            }
        }
        table
    }

    /// Runs a case (see [`super::run`]), prints its row, and keeps it. A case that is filtered out leaves an empty row, not kept.
    pub fn run<S, L: Into<String>>(&mut self, case: &Case, setup: impl FnMut() -> S, victim: impl Fn(&S, &Mark), check: impl FnMut(S, &Point) -> L) -> Row {
        let empty = Row::new(&case.object, &case.operation, case.stride, 0);
        if !self.wants(&empty.name()) {
            return empty;
        }
        let row = super::run(case, setup, victim, check);
        let begin = if row.stride > 1 { format!(" (every {}th from {})", row.stride, row.offset) } else { String::new() };
        println!("{}: {} points{begin}, {:.0} points/s", row.name(), row.points, row.points_per_second());
        for failure in &row.failures {
            println!("BROKEN {}: {failure}", row.name());
        }
        report::append(&row);
        self.rows.push(row.clone());
        row
    }

    /// Whether a case of this name (`object: operation`, with or without the colon) is to be run by this process.
    pub fn wants(&self, name: &str) -> bool {
        let plain = |text: &str| text.replace(": ", " ");
        let (name, only) = (plain(name), plain(&env::var("POLYPROC_KILL_ONLY").unwrap_or_default()));
        !self.nothing && name.contains(&only) && (self.filters.is_empty() || self.filters.iter().any(|f| name.contains(&plain(f)))) && in_shard(&name)
    }

    /// Prints the table; failure if any point of any case was broken.
    pub fn finish(self) -> ExitCode {
        if !self.rows.is_empty() {
            println!("\n{self}");
        }
        if self.rows.iter().all(|row| row.failures.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![["object", "operation", "steps", "states", "points", "strayed", "seconds", "outcomes"].map(str::to_owned)];
        for row in &self.rows {
            let mut outcomes: Vec<String> = row.outcomes.iter().map(|(label, count)| format!("{label} {count}")).collect();
            if !row.failures.is_empty() {
                outcomes.push(format!("BROKEN {}", row.failures.len()));
            }
            lines.push([
                row.object.clone(),
                row.operation.clone(),
                row.steps.to_string(),
                row.states.to_string(),
                row.points.to_string(),
                row.strayed.to_string(),
                format!("{:.1}", row.seconds),
                outcomes.join(", "),
            ]);
        }
        let widths: Vec<usize> = (0..8).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
        for line in &lines {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                let cell = if (2..7).contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                text.push_str(&cell);
                text.push_str("  ");
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// The stride and first point of a case of so many points, from the case and the environment.
///
/// # Panics
/// If a variable is not a number.
pub(crate) fn density(case: &Case, points: u64) -> (u64, u64) {
    let most = number("POLYPROC_KILL_POINTS").map_or(case.sample, |most| most.min(case.sample));
    let of_case = case.stride.max(stride_for(points, most));
    let stride = number("POLYPROC_KILL_STRIDE").unwrap_or(of_case).max(1);
    let random = || RandomState::new().hash_one(std::process::id()) % stride;
    (stride, number("POLYPROC_KILL_OFFSET").unwrap_or_else(random))
}

/// The number that a variable of the environment holds.
///
/// # Panics
/// If it holds something else.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} must be a number, not \"{text}\"")))
}

/// The stride by which at most `most` of `points` are taken: 1, or neither even nor a multiple of three, so that what checks do in turns by a point's number all has its turn.
fn stride_for(points: u64, most: u64) -> u64 {
    let least = points.div_ceil(most.max(1)).max(1);
    (least..least + 6).find(|stride| *stride == 1 || !stride.is_multiple_of(2) && !stride.is_multiple_of(3)).unwrap_or(least)
}

/// Whether `POLYPROC_KILL_SHARD` (`k/n`, k from 0) leaves this case to this process. Names that differ only in their numbers go together, since some
/// numbers are found out at run time.
///
/// # Panics
/// If the variable is not of that form.
fn in_shard(name: &str) -> bool {
    let Ok(text) = env::var("POLYPROC_KILL_SHARD") else { return true };
    let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    let Some((k, n)) = parts.filter(|(k, n)| k < n) else { panic!("POLYPROC_KILL_SHARD must be k/n with k below n, not \"{text}\"") };
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    name.bytes().filter(|byte| !byte.is_ascii_digit()).fold(0xcbf2_9ce4_8422_2325, fnv) % n == k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut row = Row::new("queue", "put", 1, 0);
        row.count("before".into(), 0);
        row.count("after".into(), 1);
        let table = Table { rows: vec![row, Row::new("a long name", "get", 1, 0)], ..Table::default() };
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let column = lines[0].find("operation").unwrap();
        assert!(lines[1][column..].starts_with("put") && lines[2][column..].starts_with("get"), "{text}");
        assert!(lines[1].ends_with("after 1, before 1"), "{text}");
    }

    #[test]
    fn a_sample_has_at_most_so_many_points_and_every_turn() {
        for points in 1..2000 {
            let stride = stride_for(points, 60);
            assert!(points.div_ceil(stride) <= 60 && (stride == 1 || !stride.is_multiple_of(2) && !stride.is_multiple_of(3)), "{points}: {stride}");
            assert!(points > 60 || stride == 1, "a short operation is taken whole");
        }
    }
}
