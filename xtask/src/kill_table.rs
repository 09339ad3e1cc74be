//! `cargo xtask kill-table`: runs the kill tests of ipc, in several processes side by side, and writes what they found as a table for people.
//!
//! The rows come as text for programs (`testkit/src/step/report.rs`), or with `--from` from runs that were made before, in parts. A run with a broken point, or with a process that did not come to its end, writes no table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::time::Instant;

use crate::cargo;

/// Points of each row in a quick run.
pub(crate) const QUICK_POINTS: &str = "60";
const TABLE: &str = "docs/kill-table.md";
const QUICK_TABLE: &str = "target/kill-table.md";

/// What the arguments ask for.
struct Wish {
    quick: bool,
    stride: u64,
    jobs: usize,
    out: Option<PathBuf>,
    /// Reports of runs that were made before.
    from: Vec<PathBuf>,
}

pub(crate) fn run(root: &Path, arguments: &[&str]) -> ExitCode {
    let wish = match Wish::parse(arguments) {
        Ok(wish) => wish,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let rows = match if wish.from.is_empty() { wish.rows(root) } else { reports(&wish.from) } {
        Ok(rows) => rows,
        Err(why) => {
            eprintln!("no table was written: {why}");
            return ExitCode::FAILURE;
        }
    };
    let out = wish.out.unwrap_or_else(|| root.join(if wish.quick { QUICK_TABLE } else { TABLE }));
    let text = table(&fold(rows));
    if let Err(error) = fs::create_dir_all(out.parent().unwrap_or(root)).and_then(|()| fs::write(&out, text)) {
        eprintln!("cannot write {}: {error}", out.display());
        return ExitCode::FAILURE;
    }
    println!("wrote {} after {:.0} s", out.display(), began.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

impl Wish {
    fn parse(arguments: &[&str]) -> Result<Wish, String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut wish = Wish { quick: false, stride: 1, jobs: cores, out: None, from: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(&argument) = rest.next() {
            let mut value = || rest.next().copied().ok_or(format!("{argument} needs a value"));
            let number = |text: &str| text.parse::<u64>().ok().filter(|&n| n > 0).ok_or(format!("{argument} needs a number above 0, not \"{text}\""));
            match argument {
                "--quick" => wish.quick = true,
                "--stride" => wish.stride = number(value()?)?,
                "--jobs" => wish.jobs = number(value()?)? as usize,
                "--out" => wish.out = Some(PathBuf::from(value()?)),
                "--from" => wish.from.push(PathBuf::from(value()?)),
                other => return Err(format!("kill-table knows --quick, --stride N, --jobs N, --out FILE and --from FILE, not \"{other}\"")),
            }
        }
        Ok(wish)
    }

    /// Builds the kill tests and runs their parts side by side.
    fn rows(&self, root: &Path) -> Result<Vec<Row>, String> {
        let test = ["test", "--quiet", "--package", "polyproc-ipc", "--test", "kill"];
        let built = cargo(root).args(test).arg("--no-run").status().map_err(|error| format!("cannot run cargo: {error}"))?;
        if !built.success() {
            return Err("the kill tests do not build".into());
        }
        let report = root.join("target").join("kill-rows.tsv");
        fs::create_dir_all(root.join("target")).and_then(|()| fs::write(&report, "")).map_err(|error| format!("cannot write {}: {error}", report.display()))?;
        let start = |part: usize| -> Result<Child, String> {
            let mut command = cargo(root);
            command.args(test).env("POLYPROC_KILL_OUT", &report).env("POLYPROC_KILL_SHARD", format!("{part}/{}", self.jobs));
            if self.quick {
                command.env("POLYPROC_KILL_POINTS", QUICK_POINTS);
            } else {
                command.env("POLYPROC_KILL_STRIDE", self.stride.to_string());
            }
            command.spawn().map_err(|error| format!("cannot run cargo: {error}"))
        };
        let parts: Vec<Result<Child, String>> = (0..self.jobs).map(start).collect();
        // Each is waited for, also if one of them failed.
        let ends: Vec<Result<bool, String>> = parts.into_iter().map(|part| part?.wait().map(|status| status.success()).map_err(|e| e.to_string())).collect();
        let rows = read(&report)?;
        if !ends.into_iter().collect::<Result<Vec<bool>, String>>()?.into_iter().all(|good| good) {
            return Err("a process of the kill tests did not end well; its message is above".into());
        }
        if rows.is_empty() { Err("there are no rows".into()) } else { Ok(rows) }
    }
}

/// The rows of a report, none of them broken.
fn read(report: &Path) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(report).map_err(|error| format!("cannot read {}: {error}", report.display()))?;
    let rows = text.lines().map(|line| Row::parse(line).ok_or(format!("not a row: {line}"))).collect::<Result<Vec<Row>, String>>()?;
    for row in rows.iter().filter(|row| row.broken > 0) {
        eprintln!("BROKEN {}: {}, at {} points or more", row.object, row.operation, row.broken);
    }
    if rows.iter().any(|row| row.broken > 0) { Err("a point is broken; its message is above".into()) } else { Ok(rows) }
}

/// The rows of several reports, one run after the other: of a row that two of them have, the later one counts.
fn reports(from: &[PathBuf]) -> Result<Vec<Row>, String> {
    let mut rows = BTreeMap::new();
    for report in from {
        rows.extend(read(report)?.into_iter().map(|row| ((row.object.clone(), row.operation.clone()), row)));
    }
    Ok(rows.into_values().collect())
}

/// One line of the report, or several that were folded into one.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    object: String,
    operation: String,
    steps: u64,
    /// What a death in it can leave, in how many forms.
    states: u64,
    points: u64,
    strayed: u64,
    stride: u64,
    seconds: f64,
    broken: u64,
    outcomes: BTreeMap<String, u64>,
    /// First deaths that were tried before this operation; 0: there was none.
    deaths: u64,
}

impl Row {
    fn parse(line: &str) -> Option<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [object, operation, steps, states, points, strayed, stride, _first, seconds, broken, outcomes] = fields[..] else { return None };
        let outcome = |text: &str| text.rsplit_once('=').and_then(|(label, count)| Some((label.to_owned(), count.parse().ok()?)));
        Some(Row {
            object: object.to_owned(),
            operation: operation.to_owned(),
            steps: steps.parse().ok()?,
            states: states.parse().ok()?,
            points: points.parse().ok()?,
            strayed: strayed.parse().ok()?,
            stride: stride.parse().ok()?,
            seconds: seconds.parse().ok()?,
            broken: broken.parse().ok()?,
            outcomes: outcomes.split(';').filter(|text| !text.is_empty()).map(outcome).collect::<Option<_>>()?,
            deaths: 0,
        })
    }
}

/// Sorted; the rows of one second operation after several first deaths as one.
fn fold(rows: Vec<Row>) -> Vec<Row> {
    let mut folded: BTreeMap<(String, String), Row> = BTreeMap::new();
    for mut row in rows {
        if let Some((operation, _point)) = row.operation.clone().split_once(", killed at ") {
            operation.clone_into(&mut row.operation);
            row.deaths = 1;
        }
        let key = (row.object.clone(), row.operation.clone());
        let Some(sum) = folded.get_mut(&key) else {
            folded.insert(key, row);
            continue;
        };
        sum.steps = sum.steps.max(row.steps);
        sum.states = sum.states.max(row.states);
        sum.points += row.points;
        sum.strayed += row.strayed;
        sum.stride = sum.stride.max(row.stride);
        sum.seconds += row.seconds;
        sum.deaths += row.deaths;
        for (label, count) in row.outcomes {
            *sum.outcomes.entry(label).or_default() += count;
        }
    }
    folded.into_values().collect()
}

const OPENING: &str = "\
# Killed at every instruction

Generated by `cargo xtask kill-table`; not written by hand.

A row is one operation of one object. A process does the operation under ptrace, is killed with SIGKILL inside it, and the survivors then judge
what it left: the object is used, swept and destroyed, the whole heap is taken and given back, and the checker walks the segment. That is done once for each *kill point*, and for each
point three times, with the survivors' first steps in another order (they sweep, they use the object, they reshape the heap).

*Steps* are the instructions of the whole operation (a system call is one). What a dead process leaves is the memory that it shared, and what the kernel holds for it. So two deaths
with nothing between them that writes to shared memory or enters the kernel leave the same, and a death at *every instruction* is one of a countable number of *states*: one at the start, one after each instruction that writes to a
shared mapping or is a system call. The tests decode each instruction as it is run to find them (`testkit/src/step/outside.rs`; that nothing is missed, `testkit/tests/step.rs` proves by comparing the
memory after every instruction), and kill in each state. Of one string instruction that repeats itself, as in a copy, four states stand for all.

*Outcomes* say what the survivors found, and how often: as if it had not happened, as if it had, told
of the death, and so on; each is one of those that the test allows. Anything else is a broken point: a survivor that is stuck (a wait with no end in sight), a message or count lost or
doubled, a chunk leaked; **a run with a broken point writes no table**. Rows of *repair* have two deaths: the first one leaves something behind, and the second process is killed in the operation that
finds it; each row sums over the first deaths after which the second operation went different ways.

*Stride* 1 is every state, with all three orders; a larger one is every so many-th, from a random first one. A *strayed* victim took another way than the
traced one (it met a clock, or a survivor that was faster), and was killed there.

To repeat: `cargo xtask kill-table` (every state), `cargo xtask kill-table --quick` (a sample of every row; it is what `cargo xtask test` runs). One row:
`POLYPROC_KILL_STRIDE=1 cargo test -p polyproc-ipc --test kill -- \"lock: acquire\"`. With `POLYPROC_KILL_EVERY=1` each instruction is a kill point, whether it can be told from the one before or not: the same result, in many hours.
";

fn table(rows: &[Row]) -> String {
    let mut text = String::from(OPENING);
    let (all, whole): (u64, usize) = (rows.iter().map(|row| row.points).sum(), rows.iter().filter(|row| row.stride == 1).count());
    let (steps, states): (u64, u64) = (rows.iter().map(|row| row.steps).sum(), rows.iter().map(|row| row.states).sum());
    let _ = write!(
        text,
        "\n## Totals\n\n**{all} kills in {} operations ({steps} instructions, {states} states); stuck 0, lost 0, doubled 0, leaked 0.** ",
        rows.len()
    );
    let _ = match rows.iter().map(|row| row.stride).max() {
        Some(1) => writeln!(text, "Every row ran in every state."),
        most => writeln!(text, "{whole} rows ran in every state, the others at the stride that they show (at most {}).", most.unwrap_or(1)),
    };
    text.push_str("\n| object | operations | kill points | stuck | lost | doubled | leaked |\n| --- | --: | --: | --: | --: | --: | --: |\n");
    for group in rows.chunk_by(|a, b| a.object == b.object) {
        let points: u64 = group.iter().map(|row| row.points).sum();
        let _ = writeln!(text, "| {} | {} | {points} | 0 | 0 | 0 | 0 |", cell(&group[0].object), group.len());
    }
    text.push_str(
        "\n## Rows\n\n| object | operation | steps | states | kill points | stride | strayed | outcomes |\n| --- | --- | --: | --: | --: | --: | --: | --- |\n",
    );
    for row in rows {
        let outcomes: Vec<String> = row.outcomes.iter().map(|(label, count)| format!("{} {count}", cell(label))).collect();
        let deaths = if row.deaths > 0 { format!(" ({} first deaths)", row.deaths) } else { String::new() };
        let (object, operation) = (cell(&row.object), cell(&row.operation));
        let _ = writeln!(
            text,
            "| {object} | {operation}{deaths} | {} | {} | {} | {} | {} | {} |",
            row.steps,
            row.states,
            row.points,
            row.stride,
            row.strayed,
            outcomes.join(", ")
        );
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> Row {
        Row::parse(line).unwrap()
    }

    #[test]
    fn lines_are_read_and_nonsense_is_not() {
        let read = row("queue\tput\t12\t9\t3\t0\t7\t3\t0.50\t0\tafter=1;before, or so=2");
        assert_eq!((read.steps, read.states, read.points, read.stride, read.broken), (12, 9, 3, 7, 0));
        assert_eq!(read.outcomes, BTreeMap::from([("after".into(), 1), ("before, or so".into(), 2)]));
        assert_eq!(Row::parse("queue\tput\t12"), None);
        assert_eq!(Row::parse("queue\tput\tx\t9\t3\t0\t7\t3\t0.50\t0\t"), None);
    }

    #[test]
    fn second_deaths_are_summed_and_the_table_has_every_row() {
        let rows = fold(vec![
            row("repair\tput after put, killed at 12\t10\t8\t3\t0\t1\t0\t0.5\t0\twhole=3"),
            row("repair\tput after put, killed at 99\t20\t9\t4\t1\t1\t0\t0.5\t0\twhole=3;gone=1"),
            row("lock\tacquire\t5\t6\t6\t0\t1\t0\t0.5\t0\tfree=6"),
        ]);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].points, rows[1].steps, rows[1].deaths, rows[1].strayed), (7, 20, 2, 1));
        let text = table(&rows);
        assert!(text.contains("**13 kills in 2 operations (25 instructions, 15 states); stuck 0"), "{text}");
        assert!(text.contains("| repair | put after put (2 first deaths) | 20 | 9 | 7 | 1 | 1 | gone 1, whole 6 |"), "{text}");
        assert!(text.contains("Every row ran in every state."));
    }
}
