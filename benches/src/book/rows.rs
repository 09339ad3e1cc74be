//! The JSON lines of a run, put together again: a scene for each scenario, with all that took part. It knows nothing of pictures.

use serde::Deserialize;

use crate::harness::machine::Machine;
use crate::harness::{Percentiles, Trouble, Whose};

/// One line: a subject of ours beside a peer.
#[derive(Deserialize)]
struct Row {
    scenario: String,
    variant: String,
    subject: Option<String>,
    peer: Option<String>,
    unit: String,
    #[serde(default)]
    better: String,
    ours: Option<f64>,
    theirs: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    theirs_min: Option<f64>,
    theirs_max: Option<f64>,
    limit: Option<bool>,
    along: Option<String>,
    at: Option<f64>,
    percentiles: Option<Percentiles>,
    theirs_percentiles: Option<Percentiles>,
    #[serde(default)]
    remarks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Machine { machine: Box<Machine> },
    Row(Box<Row>),
}

/// One who took part in a scenario.
#[derive(Clone, PartialEq)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) whose: Whose,
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) each: Option<Percentiles>,
}

/// One scenario and all who took part, ours first, limits last.
pub(super) struct Scene {
    pub(super) scenario: String,
    pub(super) variant: String,
    pub(super) unit: String,
    pub(super) more_is_better: bool,
    pub(super) along: Option<(String, f64)>,
    pub(super) subjects: Vec<Subject>,
    pub(super) remarks: Vec<String>,
}

impl Scene {
    pub(super) fn full_name(&self) -> String {
        if self.variant.is_empty() { self.scenario.clone() } else { format!("{}/{}", self.scenario, self.variant) }
    }

    pub(super) fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == name)
    }

    /// Above 1: the first is better.
    pub(super) fn ratio(&self, one: &Subject, other: &Subject) -> Option<f64> {
        let ratio = if self.more_is_better { one.median / other.median } else { other.median / one.median };
        Some(ratio).filter(|ratio| ratio.is_finite() && *ratio > 0.0)
    }

    fn add(&mut self, name: Option<&String>, whose: Whose, figures: [Option<f64>; 3], each: Option<Percentiles>) {
        let (Some(name), [Some(median), Some(min), Some(max)]) = (name, figures) else { return };
        if self.subjects.iter().any(|subject| subject.name == *name && subject.whose == whose) {
            return;
        }
        self.subjects.push(Subject { name: name.clone(), whose, median, min, max, each });
    }
}

/// All that a run's lines say.
pub(super) struct Run {
    pub(super) machines: Vec<Machine>,
    pub(super) scenes: Vec<Scene>,
}

impl Run {
    pub(super) fn read(text: &str) -> Result<Run, Trouble> {
        let mut run = Run { machines: Vec::new(), scenes: Vec::new() };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str(line).map_err(|error| Trouble::failed(format!("line {number} is not one of a run: {error}")))? {
                Line::Machine { machine } => run.machines.push(*machine),
                Line::Row(row) => run.take(*row),
            }
        }
        if run.scenes.is_empty() {
            return Err(Trouble::failed("there are no figures in it"));
        }
        for scene in &mut run.scenes {
            scene.subjects.sort_by_key(|subject| match subject.whose {
                Whose::Ours => 0,
                Whose::Peer => 1,
                Whose::Limit => 2,
            });
        }
        Ok(run)
    }

    fn take(&mut self, row: Row) {
        let known = self.scenes.iter().position(|scene| scene.scenario == row.scenario && scene.variant == row.variant);
        let at = known.unwrap_or_else(|| {
            self.scenes.push(Scene {
                more_is_better: row.better == "more",
                along: row.along.zip(row.at),
                subjects: Vec::new(),
                scenario: row.scenario,
                variant: row.variant,
                unit: row.unit,
                remarks: row.remarks,
            });
            self.scenes.len() - 1
        });
        let whose = if row.limit == Some(true) { Whose::Limit } else { Whose::Peer };
        self.scenes[at].add(row.subject.as_ref(), Whose::Ours, [row.ours, row.min, row.max], row.percentiles);
        self.scenes[at].add(row.peer.as_ref(), whose, [row.theirs, row.theirs_min, row.theirs_max], row.theirs_percentiles);
    }

    pub(super) fn scene(&self, full_name: &str) -> Option<&Scene> {
        self.scenes.iter().find(|scene| scene.full_name() == full_name)
    }

    /// A chapter has one picture: scenarios whose names begin alike; what grows has one for each, as it is a series already.
    pub(super) fn chapters(&self) -> Vec<String> {
        let mut all = Vec::new();
        for scene in &self.scenes {
            let chapter = chapter(scene);
            if !all.contains(&chapter) {
                all.push(chapter);
            }
        }
        all
    }

    pub(super) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Scene> {
        self.scenes.iter().filter(move |scene| chapter(scene) == name)
    }
}

fn chapter(scene: &Scene) -> String {
    let first = scene.scenario.split('/').next().unwrap_or_default();
    // Many scenarios: a picture for each would be short, one for all too long.
    let by_two = matches!(first, "c" | "queue" | "python");
    if scene.along.is_some() || by_two { scene.scenario.clone() } else { first.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"machine": {"cpu": "one", "cores": 2}}
{"scenario":"queue/1to1","variant":"16B","subject":"put/get","peer":"limit","ratio":0.5,"ours":2.0,"theirs":4.0,"unit":"msg/s","min":1.0,"max":3.0,"theirs_min":4.0,"theirs_max":4.0,"rounds":5,"better":"more","limit":true}
{"scenario":"queue/1to1","variant":"16B","subject":"put/get","peer":"boost","ratio":2.0,"ours":2.0,"theirs":1.0,"unit":"msg/s","min":1.0,"max":3.0,"theirs_min":1.0,"theirs_max":1.0,"rounds":5,"better":"more","limit":false}
{"scenario":"grow/lock","variant":"8","subject":"Lock","peer":null,"ratio":null,"ours":2.0,"theirs":null,"unit":"ns","min":1.0,"max":3.0,"rounds":5,"better":"less","along":"processes","at":8.0}
"#;

    #[test]
    fn rows_become_scenes() {
        let run = Run::read(LINES).unwrap();
        assert_eq!(run.machines[0].cores, 2);
        assert_eq!(run.chapters(), ["queue/1to1", "grow/lock"]);
        let scene = run.scene("queue/1to1/16B").unwrap();
        let names: Vec<&str> = scene.subjects.iter().map(|subject| subject.name.as_str()).collect();
        assert_eq!(names, ["put/get", "boost", "limit"]);
        assert_eq!(scene.ratio(&scene.subjects[0], &scene.subjects[1]), Some(2.0));
        assert_eq!(run.scene("grow/lock/8").unwrap().along, Some(("processes".to_owned(), 8.0)));
    }

    #[test]
    fn what_is_no_run_is_refused() {
        assert!(Run::read("").is_err());
        assert!(Run::read("{\"scenario\": 1}").is_err());
    }
}
