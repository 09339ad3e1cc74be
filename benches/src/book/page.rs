//! The text of the book: where it was made, the targets, and a table for each scenario. It reads what others found and draws nothing.

use std::fmt::Write as _;

use super::rows::{Run, Scene, Subject};
use super::targets::Target;
use crate::harness::machine::Machine;
use crate::harness::report::short;
use crate::harness::{Scenario, Whose};

/// The page in the making. Writing to a string does not fail.
pub(super) struct Page<'a> {
    run: &'a Run,
    targets: &'a [Target],
    known: &'a [Scenario],
    headline: bool,
    chapters: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(run: &'a Run, targets: &'a [Target], known: &'a [Scenario]) -> Page<'a> {
        Page { run, targets, known, headline: false, chapters: String::new() }
    }

    /// There is a picture of it.
    pub(super) fn has_headline(&mut self) {
        self.headline = true;
    }

    /// The scenarios of a chapter, behind its picture.
    pub(super) fn chapter(&mut self, name: &str, picture: &str) {
        let _ = writeln!(self.chapters, "\n## {name}\n\n![{name}]({picture})");
        let mut defined = "";
        for scene in self.run.of(name) {
            let _ = writeln!(self.chapters, "\n### {}\n", scene.full_name());
            if let Some(known) = self.known.iter().find(|known| known.name == scene.scenario && known.variant == scene.variant)
                && known.definition != defined
            {
                defined = known.definition;
                let _ = writeln!(self.chapters, "{defined}\n");
            }
            table(&mut self.chapters, scene);
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text =
            "# Results\n\nMade by `cargo run --release -p polyproc-benches -- --book FILE` out of one run's lines; nothing here is typed. What the scenarios \
                        are, and how they are kept fair: [README.md](README.md).\n"
                .to_owned();
        for machine in &self.run.machines {
            made(&mut text, machine);
        }
        if self.headline {
            text.push_str("\n![polyproc beside its peers](pictures/headline.svg)\n");
        }
        self.promises(&mut text);
        text + &self.chapters
    }

    fn promises(&self, text: &mut String) {
        text.push_str("\n## What must hold\n\nRatios of medians, turned so that above 1 is better for us whatever the unit.\n\n");
        text.push_str("| scenario | against | at least | measured | | ours | theirs |\n| --- | --- | ---: | ---: | --- | ---: | ---: |\n");
        let mut short_of = String::new();
        for target in self.targets {
            let aim = if target.aim { " (aim)" } else { "" };
            let _ = write!(text, "| {}, {} | {} | {:.2} x{aim} | ", target.scenario, target.subject, target.peer, target.at_least);
            let Some(measured) = target.measured(self.run) else {
                text.push_str("- | not measured | | |\n");
                continue;
            };
            let holds = target.holds(measured.ratio);
            let verdict = if holds { "holds" } else { "**short**" };
            let (ours, theirs, unit) = (short(measured.ours.median), short(measured.theirs.median), &measured.scene.unit);
            let _ = writeln!(text, "{:.2} x | {verdict} | {ours} {unit} | {theirs} {unit} |", measured.ratio);
            if !holds {
                let why = if target.why.is_empty() { "Not yet explained." } else { &target.why };
                let _ = writeln!(
                    short_of,
                    "- {}, {} against {}: {:.2} of {:.2} x. {why}",
                    target.scenario, target.subject, target.peer, measured.ratio, target.at_least
                );
            }
        }
        if !short_of.is_empty() {
            let _ = write!(text, "\nShort, and why:\n\n{short_of}");
        }
    }
}

/// Where and how a run was made.
fn made(text: &mut String, machine: &Machine) {
    let changed = if machine.changed { ", with changes" } else { "" };
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = write!(
        text,
        "\n| | |\n| --- | --- |\n| machine | {}, {} cores, {} GiB |\n| system | {}, {} |\n| compiler | {} |\n| commit | {}{changed} |\n| made | {}, load {} before the first round |\n\
         | rounds | {} in turn, each about {} ms |\n| versions | {} |\n",
        machine.cpu,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        machine.system,
        machine.rustc,
        machine.commit,
        machine.date,
        machine.load,
        machine.rounds,
        machine.round_ms,
        versions.join(", ")
    );
    if machine.rounds < 5 {
        text.push_str("\n**A quick run: it shows that everything works. These are not figures to quote.**\n");
    }
}

/// A line for everybody who took part, with a ratio beside each way of ours.
fn table(text: &mut String, scene: &Scene) {
    let ours: Vec<&Subject> = scene.subjects.iter().filter(|subject| subject.whose == Whose::Ours).collect();
    let each = scene.subjects.iter().any(|subject| subject.each.is_some());
    let _ = write!(text, "| {} | median | least - most |", scene.unit);
    let mut rule = "| --- | ---: | --- |".to_owned();
    if each {
        text.push_str(" p99 | longest |");
        rule.push_str(" ---: | ---: |");
    }
    let others = scene.subjects.len() > ours.len();
    for one in ours.iter().filter(|_| others) {
        let _ = write!(text, " {} is |", one.name);
        rule.push_str(" ---: |");
    }
    let _ = writeln!(text, "\n{rule}");
    for subject in &scene.subjects {
        let name = match subject.whose {
            Whose::Ours => format!("**{}**", subject.name),
            Whose::Peer => subject.name.clone(),
            Whose::Limit => format!("*{}*", subject.name),
        };
        let _ = write!(text, "| {name} | {} | {} - {} |", short(subject.median), short(subject.min), short(subject.max));
        if each {
            let tail = subject.each.map_or_else(|| " | |".to_owned(), |each| format!(" {} | {} |", short(each.p99), short(each.max)));
            text.push_str(&tail);
        }
        for one in ours.iter().filter(|_| others) {
            let ratio = scene.ratio(one, subject).filter(|_| subject.whose != Whose::Ours);
            let _ = write!(text, " {} |", ratio.map_or_else(String::new, |ratio| format!("{} x", short(ratio))));
        }
        text.push('\n');
    }
    for remark in &scene.remarks {
        let _ = write!(text, "\n- {remark}");
    }
    if !scene.remarks.is_empty() {
        text.push('\n');
    }
}
