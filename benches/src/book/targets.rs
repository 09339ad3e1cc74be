//! What must hold: the ratios that were promised, with the reason where one is not reached yet (`targets.json`, filled in by hand). It knows no figure.

use serde::Deserialize;

use super::rows::{Run, Scene, Subject};
use crate::harness::Trouble;

/// One promise: our subject of that scenario beside that peer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// Its full name.
    pub(super) scenario: String,
    pub(super) subject: String,
    pub(super) peer: String,
    pub(super) at_least: f64,
    /// Hoped for, not promised.
    #[serde(default)]
    pub(super) aim: bool,
    /// Its line in the headline picture, if it has one.
    pub(super) headline: Option<String>,
    /// Why it falls short.
    #[serde(default)]
    pub(super) why: String,
}

/// What a run says of a target.
pub(super) struct Measured<'a> {
    pub(super) scene: &'a Scene,
    pub(super) ours: &'a Subject,
    pub(super) theirs: &'a Subject,
    pub(super) ratio: f64,
}

impl Target {
    pub(super) fn all() -> Result<Vec<Target>, Trouble> {
        serde_json::from_str(include_str!("../../targets.json")).map_err(|error| Trouble::failed(format!("targets.json: {error}")))
    }

    /// None: that run does not have both.
    pub(super) fn measured<'a>(&self, run: &'a Run) -> Option<Measured<'a>> {
        let scene = run.scene(&self.scenario)?;
        let (ours, theirs) = (scene.subject(&self.subject)?, scene.subject(&self.peer)?);
        Some(Measured { scene, ours, theirs, ratio: scene.ratio(ours, theirs)? })
    }

    pub(super) fn holds(&self, ratio: f64) -> bool {
        // As it is shown: two digits behind the point.
        (ratio * 100.0).round() >= (self.at_least * 100.0).round()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Whose;
    use crate::scenarios;

    #[test]
    fn every_target_names_what_there_is() {
        let known = scenarios::all(false);
        for target in Target::all().unwrap() {
            let scenario = known.iter().find(|scenario| scenario.full_name() == target.scenario);
            let scenario = scenario.unwrap_or_else(|| panic!("no scenario {}", target.scenario));
            assert!(
                scenario.subjects.iter().any(|subject| subject.whose == Whose::Ours && subject.name == target.subject),
                "{}: {}",
                target.scenario,
                target.subject
            );
            // Built only on demand.
            let heavy = target.peer.starts_with("iceoryx2") && !crate::peers::heavy::HERE;
            assert!(
                heavy || scenario.subjects.iter().any(|subject| subject.whose != Whose::Ours && subject.name == target.peer),
                "{}: {}",
                target.scenario,
                target.peer
            );
        }
    }
}
