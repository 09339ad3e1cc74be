//! The picture of the README: for a few targets, how many times better than the peer. Bars to the right of the line are better, to the left worse.

use super::rows::Run;
use super::svg::{Anchor, Axis, Canvas, WIDTH, cut};
use super::targets::{Measured, Target};
use crate::harness::report::short;

const LEFT: f64 = 330.0;
const RIGHT: f64 = WIDTH - 84.0;
const ROW: f64 = 40.0;
const BAR: f64 = 18.0;

/// None: the run has nothing of it.
pub(super) fn picture(run: &Run, targets: &[Target]) -> Option<String> {
    let rows: Vec<(&str, &Target, Measured<'_>)> =
        targets.iter().filter_map(|target| Some((target.headline.as_deref()?, target, target.measured(run)?))).collect();
    let ratios = || rows.iter().map(|row| row.2.ratio);
    let (low, high) = (ratios().fold(0.5, f64::min), ratios().fold(2.0, f64::max));
    if rows.is_empty() {
        return None;
    }
    let axis = Axis::logarithmic(low / 1.1, high * 1.1, [LEFT, RIGHT]);
    let mut canvas = Canvas::default();
    canvas.text(20.0, 28.0, "title", Anchor::Start, "polyproc beside its peers: how many times better");
    canvas.text(WIDTH - 20.0, 28.0, "faint small", Anchor::End, "logarithmic; right of the line: better");
    let (top, bottom) = (44.0, 44.0 + ROW * rows.len() as f64);
    for tick in axis.ticks() {
        canvas.line([axis.at(tick), top], [axis.at(tick), bottom], "grid");
        canvas.text(axis.at(tick), bottom + 16.0, "faint small", Anchor::Middle, &format!("{tick} x"));
    }
    for (index, (title, target, measured)) in rows.iter().enumerate() {
        let middle = top + ROW * (index as f64 + 0.5);
        canvas.text(20.0, middle - 3.0, "", Anchor::Start, &cut(title, LEFT - 32.0));
        canvas.text(20.0, middle + 12.0, "faint small", Anchor::Start, &cut(&format!("beside {}", target.peer), LEFT - 32.0));
        let (from, to) = (axis.at(1.0).min(axis.at(measured.ratio)), axis.at(1.0).max(axis.at(measured.ratio)));
        canvas.rect(from, middle - BAR / 2.0, to - from, BAR, if measured.ratio >= 1.0 { "ours" } else { "worse" });
        canvas.text(RIGHT + 10.0, middle + 4.5, "title", Anchor::Start, &format!("{} x", short(measured.ratio)));
    }
    canvas.line([axis.at(1.0), top - 4.0], [axis.at(1.0), bottom], "one");
    let where_made = run.machines.first().map_or_else(String::new, |machine| {
        format!("{}, {} cores, {}; commit {}, {}", machine.cpu, machine.cores, machine.kernel, machine.commit, machine.date)
    });
    canvas.text(20.0, bottom + 38.0, "faint small", Anchor::Start, &cut(&where_made, (WIDTH - 40.0) * 1.2));
    Some(canvas.finish(bottom + 50.0, "polyproc beside its peers"))
}
