//! Curves: how a figure changes as something grows, and how times spread. Both are points in order along the bottom and a curve for everybody who took part.

use super::bars::brief;
use super::rows::{Scene, Subject};
use super::svg::{Anchor, Axis, COLOURS, Canvas, WIDTH, room};
use crate::harness::Whose;

const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 36.0;
const PLOT: f64 = 260.0;
/// Values farther apart than this stand on a logarithmic axis.
const SPREAD: f64 = 8.0;

struct Curve {
    name: String,
    whose: Whose,
    points: Vec<(f64, f64)>,
}

struct Panel {
    title: String,
    unit: String,
    below: String,
    ticks: Vec<(f64, String)>,
    /// What grows does so by factors.
    by_factors: bool,
    curves: Vec<Curve>,
}

/// One series: all its scenes have the same name.
pub(super) fn growth(scenes: &[&Scene]) -> String {
    let Some(first) = scenes.first() else { return String::new() };
    let along: Vec<(f64, &Scene)> = scenes.iter().filter_map(|scene| Some((scene.along.as_ref()?.1, *scene))).collect();
    let what = first.along.as_ref().map(|(what, _)| what.clone()).unwrap_or_default();
    let mut curves: Vec<Curve> = Vec::new();
    for (at, scene) in &along {
        for subject in &scene.subjects {
            curve(&mut curves, subject).points.push((*at, subject.median));
        }
    }
    let bytes = what.contains("bytes");
    let ticks = along.iter().map(|(at, _)| (*at, if bytes { binary(*at) } else { brief(*at) })).collect();
    let better = if first.more_is_better { "more" } else { "less" };
    let unit = format!("{}, {better} is better", first.unit);
    draw(&[Panel { title: first.scenario.clone(), unit, below: what, ticks, by_factors: true, curves }])
}

/// Percentiles from left to right; the tail is on the right.
pub(super) fn distribution(scenes: &[&Scene]) -> String {
    let names = ["p10", "p50", "p90", "p99", "p99.9", "max"];
    let panels: Vec<Panel> = scenes
        .iter()
        .map(|scene| {
            let mut curves = Vec::new();
            for subject in &scene.subjects {
                let Some(each) = subject.each else { continue };
                let values = [each.p10, each.p50, each.p90, each.p99, each.p999, each.max];
                curve(&mut curves, subject).points = (0..).map(f64::from).zip(values).collect();
            }
            let ticks = (0..).map(f64::from).zip(names.map(str::to_owned)).collect();
            let below = "percentiles of the messages, and the longest".to_owned();
            Panel { title: scene.full_name(), unit: format!("{}, less is better", scene.unit), below, ticks, by_factors: false, curves }
        })
        .collect();
    draw(&panels)
}

/// The curve of that name, made if there is none yet.
fn curve<'a>(curves: &'a mut Vec<Curve>, subject: &Subject) -> &'a mut Curve {
    let at = curves.iter().position(|curve| curve.name == subject.name).unwrap_or_else(|| {
        curves.push(Curve { name: subject.name.clone(), whose: subject.whose, points: Vec::new() });
        curves.len() - 1
    });
    &mut curves[at]
}

fn draw(panels: &[Panel]) -> String {
    let mut canvas = Canvas::default();
    let mut y = 0.0;
    for panel in panels {
        y = draw_panel(&mut canvas, panel, y + 28.0);
    }
    let titles: Vec<&str> = panels.iter().map(|panel| panel.title.as_str()).collect();
    canvas.finish(y + 12.0, &titles.join(", "))
}

/// Draws below `y`; where it ended.
fn draw_panel(canvas: &mut Canvas, panel: &Panel, y: f64) -> f64 {
    canvas.text(20.0, y, "title", Anchor::Start, &panel.title);
    let top = legend(canvas, &panel.curves, y + 24.0) + 16.0;
    let bottom = top + PLOT;
    let values = panel.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let vertical = Axis::of(values, SPREAD, [bottom, top]);
    let scale = if vertical.is_logarithmic() { ", logarithmic" } else { "" };
    canvas.text(WIDTH - 20.0, y, "faint small", Anchor::End, &format!("{}{scale}", panel.unit));
    for tick in vertical.ticks() {
        canvas.line([LEFT, vertical.at(tick)], [RIGHT, vertical.at(tick)], "grid");
        canvas.text(LEFT - 8.0, vertical.at(tick) + 4.0, "faint small", Anchor::End, &brief(tick));
    }
    let ends = panel.ticks.iter().map(|tick| tick.0);
    let (least, most) = (ends.clone().fold(f64::MAX, f64::min), ends.fold(0.0, f64::max));
    let inside = [LEFT + 20.0, RIGHT - 20.0];
    let factors = Axis::logarithmic(least, most, inside);
    let horizontal = |at: f64| if panel.by_factors { factors.at(at) } else { inside[0] + at / most.max(1.0) * (inside[1] - inside[0]) };
    for (at, name) in &panel.ticks {
        canvas.line([horizontal(*at), bottom], [horizontal(*at), bottom + 5.0], "grid");
        canvas.text(horizontal(*at), bottom + 19.0, "faint small", Anchor::Middle, name);
    }
    canvas.text(f64::midpoint(LEFT, RIGHT), bottom + 38.0, "faint small", Anchor::Middle, &panel.below);
    // Ours last: on top of the others.
    for (number, curve) in panel.curves.iter().enumerate().rev() {
        let points: Vec<[f64; 2]> = curve.points.iter().map(|&(at, value)| [horizontal(at), vertical.at(value)]).collect();
        canvas.curve(&points, &class(number, curve));
        for point in points {
            canvas.dot(point, &format!("d{}", number % COLOURS));
        }
    }
    bottom + 46.0
}

fn class(number: usize, curve: &Curve) -> String {
    format!(
        "c{}{}",
        number % COLOURS,
        match curve.whose {
            Whose::Ours => " thick",
            Whose::Peer => "",
            Whose::Limit => " dashed",
        }
    )
}

/// A name for each colour, in as many lines as they need; where the last one is.
fn legend(canvas: &mut Canvas, curves: &[Curve], mut y: f64) -> f64 {
    let mut x = 20.0;
    for (number, curve) in curves.iter().enumerate() {
        let name = if curve.whose == Whose::Limit { format!("{} (limit)", curve.name.replace(" (threads)", ", threads")) } else { curve.name.clone() };
        let width = 34.0 + room(&name) + 22.0;
        if x + width > WIDTH - 20.0 && x > 20.0 {
            x = 20.0;
            y += 20.0;
        }
        canvas.curve(&[[x, y - 4.5], [x + 26.0, y - 4.5]], &class(number, curve));
        canvas.text(x + 34.0, y, "", Anchor::Start, &name);
        x += width;
    }
    y
}

/// A number of bytes: 16, 4 Ki, 1 Mi.
fn binary(value: f64) -> String {
    match value {
        size if size >= f64::from(1 << 20) => format!("{} Mi", size / f64::from(1 << 20)),
        size if size >= 1024.0 => format!("{} Ki", size / 1024.0),
        size => format!("{size}"),
    }
}
