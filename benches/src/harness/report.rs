//! Figures as a table for people and as JSON lines for programs. It knows numbers and names only.

use std::fmt::Write as _;

use super::{Percentiles, Scenario, Whose};

/// One subject's rounds, in its scenario's unit.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) whose: Whose,
    sorted: Vec<f64>,
    /// Where each operation was timed on its own.
    each: Option<Percentiles>,
}

impl Figures {
    pub(crate) fn new(name: &'static str, whose: Whose, mut values: Vec<f64>, each: Option<Percentiles>) -> Self {
        values.sort_by(f64::total_cmp);
        Figures { name, whose, sorted: values, each }
    }

    fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        if self.sorted.len().is_multiple_of(2) { f64::midpoint(self.sorted[middle - 1], self.sorted[middle]) } else { self.sorted[middle] }
    }

    fn min(&self) -> f64 {
        self.sorted[0]
    }

    fn max(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }

    fn cell(&self) -> String {
        format!("{} ({} - {})", short(self.median()), short(self.min()), short(self.max()))
    }
}

/// What a scenario's run found.
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) figures: Vec<Figures>,
    pub(crate) remarks: Vec<String>,
    pub(crate) failed: usize,
    pub(crate) missing: usize,
}

impl Outcome {
    /// A row per subject of ours and peer; a subject without anything to compare with still has its row.
    pub(crate) fn table(&self) -> String {
        let better = self.better();
        let mut text = format!("\n{} [{}, {better} is better]\n", self.scenario.full_name(), self.scenario.unit.name());
        for pair in self.pairs() {
            let side = |figures: Option<&Figures>| match figures {
                Some(figures) => format!("{:<28} {:<28}", figures.name, figures.cell()),
                None => format!("{:<57}", "-"),
            };
            let ratio = pair.ratio.map_or_else(String::new, |ratio| format!("{} x", short(ratio)));
            let row = format!("  {} | {} {ratio:>9}", side(pair.ours), side(pair.theirs));
            let _ = writeln!(text, "{}", row.trim_end());
        }
        for figures in &self.figures {
            if let Some(each) = &figures.each {
                let _ = writeln!(text, "  {}: {each} {}", figures.name, self.scenario.unit.name());
            }
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "  {remark}");
        }
        text
    }

    fn better(&self) -> &'static str {
        if self.scenario.unit.more_is_better() { "more" } else { "less" }
    }

    /// The same rows as JSON, one object per line.
    pub(crate) fn json_lines(&self) -> String {
        let mut text = String::new();
        for pair in self.pairs() {
            let first = pair.ours.or(pair.theirs);
            let object = serde_json::json!({
                "scenario": self.scenario.name,
                "variant": self.scenario.variant,
                "subject": pair.ours.map(|figures| figures.name),
                "peer": pair.theirs.map(|figures| figures.name),
                "ratio": pair.ratio,
                "ours": pair.ours.map(Figures::median),
                "theirs": pair.theirs.map(Figures::median),
                "unit": self.scenario.unit.name(),
                "min": pair.ours.map(Figures::min),
                "max": pair.ours.map(Figures::max),
                "theirs_min": pair.theirs.map(Figures::min),
                "theirs_max": pair.theirs.map(Figures::max),
                "rounds": first.map(|figures| figures.sorted.len()),
                "better": self.better(),
                "limit": pair.theirs.map(|figures| figures.whose == Whose::Limit),
                "along": self.scenario.along.map(|(what, _)| what),
                "at": self.scenario.along.map(|(_, at)| at),
                "percentiles": pair.ours.and_then(|figures| figures.each),
                "theirs_percentiles": pair.theirs.and_then(|figures| figures.each),
                "remarks": self.remarks,
            });
            let _ = writeln!(text, "{object}");
        }
        text
    }

    fn pairs(&self) -> Vec<Pair<'_>> {
        let ours = || self.figures.iter().filter(|figures| figures.whose == Whose::Ours);
        let theirs = || self.figures.iter().filter(|figures| figures.whose != Whose::Ours);
        let mut pairs = Vec::new();
        for one in ours() {
            for other in theirs() {
                let ratio = self.scenario.unit.ratio(one.median(), other.median());
                // Nothing against nothing (0 descriptors each) has no ratio.
                pairs.push(Pair { ours: Some(one), theirs: Some(other), ratio: Some(ratio).filter(|r| r.is_finite()) });
            }
            if theirs().next().is_none() {
                pairs.push(Pair { ours: Some(one), theirs: None, ratio: None });
            }
        }
        if ours().next().is_none() {
            pairs.extend(theirs().map(|other| Pair { ours: None, theirs: Some(other), ratio: None }));
        }
        pairs
    }
}

struct Pair<'a> {
    ours: Option<&'a Figures>,
    theirs: Option<&'a Figures>,
    ratio: Option<f64>,
}

/// Three digits that matter: 5.51 M, 375 k, 12.2, 0.08.
pub(crate) fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 999.5e6 => (value / 1e9, " G"),
        size if size >= 999.5e3 => (value / 1e6, " M"),
        size if size >= 9995.0 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{scaled:.digits$}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::super::Unit;
    use super::*;

    #[test]
    fn three_digits() {
        let shown = [0.084, 5.0, 12.25, 375.4, 1049.0, 41_800.0, 999_600.0, 5.51e6, 1.2e9].map(short);
        assert_eq!(shown, ["0.08", "5.00", "12.2", "375", "1049", "41.8 k", "1.00 M", "5.51 M", "1.20 G"]);
    }

    #[test]
    fn above_one_is_better_for_us_whatever_the_unit() {
        assert!(Unit::PerSecond("msg/s").ratio(2.0, 1.0) > 1.0);
        assert!(Unit::Flow("bytes/s", 16.0).ratio(2.0, 1.0) > 1.0);
        assert!(Unit::Each("ns", 1e-9).ratio(1.0, 2.0) > 1.0);
        assert!(Unit::Amount("bytes").ratio(1.0, 2.0) > 1.0);
    }

    #[test]
    fn a_line_has_every_key() {
        let scenario = Scenario::new("queue/1to1", "16B", Unit::PerSecond("msg/s"), "");
        let figures = vec![Figures::new("a", Whose::Ours, vec![3.0, 1.0, 2.0], None), Figures::new("b", Whose::Peer, vec![1.0, 1.0, 4.0], None)];
        let outcome = Outcome { scenario, figures, remarks: Vec::new(), failed: 0, missing: 0 };
        let line: serde_json::Value = serde_json::from_str(&outcome.json_lines()).unwrap();
        for key in ["scenario", "variant", "subject", "peer", "ratio", "ours", "theirs", "unit", "min", "max", "rounds"] {
            assert!(!line[key].is_null(), "{key}");
        }
        assert_eq!((line["ours"].as_f64(), line["ratio"].as_f64()), (Some(2.0), Some(2.0)));
    }
}
