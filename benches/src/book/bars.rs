//! Bars: for each scenario one for everybody who took part, with the least and greatest round as a whisker.

use super::rows::{Scene, Subject};
use super::svg::{Anchor, Axis, Canvas, WIDTH, cut};
use crate::harness::Whose;
use crate::harness::report::short;

const LEFT: f64 = 236.0;
const RIGHT: f64 = WIDTH - 104.0;
const ROW: f64 = 22.0;
const BAR: f64 = 14.0;
/// Values farther apart than this stand on a logarithmic axis.
const SPREAD: f64 = 30.0;

pub(super) fn picture(scenes: &[&Scene]) -> String {
    let mut canvas = Canvas::default();
    let mut y = 24.0;
    legend(&mut canvas, y);
    for scene in scenes {
        y = panel(&mut canvas, scene, y + 34.0);
    }
    canvas.finish(y + 12.0, "figures of polyproc and its peers, as bars")
}

fn legend(canvas: &mut Canvas, y: f64) {
    let mut x = 20.0;
    for (class, words) in [("ours", "polyproc"), ("peer", "peers between processes"), ("limit", "limits: threads of one process, plain memory")] {
        canvas.rect(x, y - 11.0, 14.0, 14.0, class);
        canvas.text(x + 20.0, y, "", Anchor::Start, words);
        x += 44.0 + super::svg::room(words);
    }
}

/// Draws below `y`; where it ended.
fn panel(canvas: &mut Canvas, scene: &Scene, mut y: f64) -> f64 {
    let axis = Axis::of(scene.subjects.iter().flat_map(|subject| [subject.min, subject.median, subject.max]), SPREAD, [LEFT, RIGHT]);
    let better = if scene.more_is_better { "more" } else { "less" };
    let scale = if axis.is_logarithmic() { ", logarithmic" } else { "" };
    canvas.text(20.0, y, "title", Anchor::Start, &scene.full_name());
    canvas.text(WIDTH - 20.0, y, "faint small", Anchor::End, &format!("{}, {better} is better{scale}", scene.unit));
    y += 10.0;
    let bottom = y + ROW * scene.subjects.len() as f64;
    for tick in axis.ticks() {
        canvas.line([axis.at(tick), y], [axis.at(tick), bottom + 4.0], "grid");
        canvas.text(axis.at(tick), bottom + 17.0, "faint small", Anchor::Middle, &brief(tick));
    }
    for subject in in_order(scene) {
        let (middle, class) = (y + ROW / 2.0, class(subject.whose));
        canvas.text(LEFT - 8.0, middle + 4.5, "", Anchor::End, &cut(&subject.name, LEFT - 24.0));
        canvas.rect(LEFT, middle - BAR / 2.0, axis.at(subject.median) - LEFT, BAR, class);
        canvas.line([axis.at(subject.min), middle], [axis.at(subject.max), middle], "whisker");
        canvas.text(RIGHT + 12.0, middle + 4.5, if subject.whose == Whose::Ours { "title" } else { "" }, Anchor::Start, &short(subject.median));
        y += ROW;
    }
    bottom + 22.0
}

/// Ours, then the peers and the limits, the best of each first.
fn in_order(scene: &Scene) -> Vec<&Subject> {
    let mut all: Vec<&Subject> = scene.subjects.iter().collect();
    let rank = |subject: &Subject| match subject.whose {
        Whose::Ours => 0,
        Whose::Peer => 1,
        Whose::Limit => 2,
    };
    let better = |one: &Subject, other: &Subject| if scene.more_is_better { other.median.total_cmp(&one.median) } else { one.median.total_cmp(&other.median) };
    all.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| better(one, other)));
    all
}

fn class(whose: Whose) -> &'static str {
    match whose {
        Whose::Ours => "ours",
        Whose::Peer => "peer",
        Whose::Limit => "limit",
    }
}

/// A round number: 20 M, 500, 0.1.
pub(super) fn brief(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        size if size >= 1e12 => (value / 1e12, " T"),
        size if size >= 1e9 => (value / 1e9, " G"),
        size if size >= 1e6 => (value / 1e6, " M"),
        size if size >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    // What is left over of a multiplication of round numbers is not shown.
    format!("{}{suffix}", (scaled * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_are_short() {
        assert_eq!([0.1 + 0.2, 500.0, 20_000.0, 5e6, 2e9, 3e13].map(brief), ["0.3", "500", "20 k", "5 M", "2 G", "30 T"]);
    }
}
