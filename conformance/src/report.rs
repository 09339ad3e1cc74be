//! The matrix: what a run says in the terminal, as JSON lines, and as Markdown. Knows outcomes only.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use crate::case::Case;
use crate::language::Language;
use crate::play::Outcome;
use crate::{Play, plays};

pub(crate) struct Report<'a> {
    pub(crate) cases: &'a [Arc<Case>],
    pub(crate) languages: &'a [Arc<Language>],
    pub(crate) outcomes: &'a [Outcome],
}

#[derive(Clone, Copy, Default)]
struct Count {
    passed: usize,
    gaps: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Gap(_) => self.gaps += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
    }

    fn shown(self) -> String {
        let mut text = self.passed.to_string();
        if self.gaps > 0 {
            let _ = write!(text, " + {} gaps", self.gaps);
        }
        if self.failed > 0 {
            let _ = write!(text, ", {} FAILED", self.failed);
        }
        if self.passed + self.gaps + self.failed == 0 { "–".into() } else { text }
    }
}

impl Report<'_> {
    pub(crate) fn passed(&self) -> bool {
        !self.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    fn plays(&self) -> Vec<Play> {
        plays(self.cases, self.languages)
    }

    /// By rows of what `group` says of a case, and columns of `first > others`.
    fn counted(&self, group: impl Fn(&Case) -> String) -> BTreeMap<String, BTreeMap<(String, String), Count>> {
        let mut rows: BTreeMap<String, BTreeMap<(String, String), Count>> = BTreeMap::new();
        for (play, outcome) in self.plays().iter().zip(self.outcomes) {
            let column = (play.first.name.clone(), play.others.name.clone());
            rows.entry(group(&play.case)).or_default().entry(column).or_default().add(outcome);
        }
        rows
    }

    pub(crate) fn print(&self) {
        for (play, outcome) in self.plays().iter().zip(self.outcomes) {
            if let Outcome::Failed(why) = outcome {
                println!("FAILED {} ({} > {}): {}\n  {why}\n", play.case.name, play.first.name, play.others.name, play.case.about);
            }
        }
        let total = self.total();
        for (column, count) in self.counted(|_| String::new()).remove("").unwrap_or_default() {
            println!("{:<10} > {:<10} {}", column.0, column.1, count.shown());
        }
        println!("{} cases, {} plays: {}", self.cases.len(), self.outcomes.len(), total.shown());
    }

    fn total(&self) -> Count {
        let mut total = Count::default();
        for outcome in self.outcomes {
            total.add(outcome);
        }
        total
    }

    pub(crate) fn json(&self) -> String {
        let mut text = String::new();
        for (play, outcome) in self.plays().iter().zip(self.outcomes) {
            let (what, why) = match outcome {
                Outcome::Passed => ("passed", None),
                Outcome::Gap(why) => ("gap", Some(why)),
                Outcome::Failed(why) => ("failed", Some(why)),
            };
            let line = json!({"case": play.case.name, "first": play.first.name, "others": play.others.name, "outcome": what, "why": why});
            let _ = writeln!(text, "{line}");
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "# What every language does alike\n\nMade by `cargo run --release -p polyproc-conformance -- --markdown docs/conformance.md`; never edited by hand. \
             A column `a > b`: the objects were made by a program in `a`, and used by it and by programs in `b`. `cpython` is CPython's own `multiprocessing`, \
             asked where it knows the behaviour.\n\n",
        );
        let rows = self.counted(|case| case.name.split('/').next().unwrap_or_default().to_owned());
        let mut columns: Vec<(String, String)> = rows.values().flat_map(|row| row.keys().cloned()).collect();
        columns.sort();
        columns.dedup();
        let _ = writeln!(text, "| cases | {} |", columns.iter().map(|(first, others)| format!("{first} > {others}")).collect::<Vec<_>>().join(" | "));
        let _ = writeln!(text, "| --- |{}", " ---: |".repeat(columns.len()));
        for (name, row) in &rows {
            let cells: Vec<String> = columns.iter().map(|column| row.get(column).copied().unwrap_or_default().shown()).collect();
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        let _ = writeln!(text, "\n{} cases, {} plays: {}.", self.cases.len(), self.outcomes.len(), self.total().shown());
        self.write_gaps(&mut text);
        self.write_differences(&mut text);
        text
    }

    fn write_gaps(&self, text: &mut String) {
        let mut gaps: BTreeMap<&str, usize> = BTreeMap::new();
        for outcome in self.outcomes {
            if let Outcome::Gap(why) = outcome {
                *gaps.entry(why).or_default() += 1;
            }
        }
        if !gaps.is_empty() {
            text.push_str("\n## Gaps\n\n| language and reason | plays |\n| --- | ---: |\n");
            for (why, count) in gaps {
                let _ = writeln!(text, "| {why} | {count} |");
            }
        }
    }

    fn write_differences(&self, text: &mut String) {
        let differing: Vec<&Arc<Case>> = self.cases.iter().filter(|case| case.differs.is_some()).collect();
        if !differing.is_empty() {
            text.push_str("\n## Where we differ from `multiprocessing` on purpose\n\n| case | how |\n| --- | --- |\n");
            for case in differing {
                let _ = writeln!(text, "| {} | {} |", case.name, case.differs.as_deref().unwrap_or_default());
            }
        }
    }
}
