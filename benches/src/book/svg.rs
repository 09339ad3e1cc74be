//! A picture as SVG text: lines, boxes, words, in colours that follow the reader's light or dark. A plotting crate would draw in fixed colours and need fonts to measure by; this file is
//! smaller than its use. It knows nothing of figures.

use std::fmt::Write as _;

/// Every picture's width; its height is what it comes to.
pub(super) const WIDTH: f64 = 860.0;
/// At least what a letter takes, in the widest of the usual fonts.
const LETTER: f64 = 7.4;

/// Colours of curves, ours first.
pub(super) const COLOURS: usize = 8;

const STYLE: &str = "\
text{font:13px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;fill:#1f2328}\
.bg{fill:#fff}.title{font-weight:600}.faint{fill:#59636e}.small{font-size:11px}\
.grid{stroke:#d1d9e0;stroke-width:1}.one{stroke:#59636e;stroke-width:1.5}.whisker{stroke:#1f2328;stroke-width:1.2}\
.ours{fill:#0969da}.peer{fill:#8c959f}.limit{fill:#eaeef2;stroke:#8c959f;stroke-dasharray:3 2}.worse{fill:#bc4c00}\
.curve{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}\
.thick{stroke-width:3.5}.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}.c4{stroke:#bf3989}.c5{stroke:#9a6700}.c6{stroke:#57606a}.c7{stroke:#1b7c83}\
.d0{fill:#0969da}.d1{fill:#bc4c00}.d2{fill:#1a7f37}.d3{fill:#8250df}.d4{fill:#bf3989}.d5{fill:#9a6700}.d6{fill:#57606a}.d7{fill:#1b7c83}\
@media(prefers-color-scheme:dark){\
text{fill:#f0f6fc}.bg{fill:#0d1117}.faint{fill:#9198a1}.grid{stroke:#3d444d}.one{stroke:#9198a1}.whisker{stroke:#f0f6fc}\
.ours{fill:#4493f8}.peer{fill:#6e7681}.limit{fill:#21262d;stroke:#6e7681}.worse{fill:#db6d28}\
.c0{stroke:#4493f8}.c1{stroke:#db6d28}.c2{stroke:#3fb950}.c3{stroke:#ab7df8}.c4{stroke:#db61a2}.c5{stroke:#d29922}.c6{stroke:#8b949e}.c7{stroke:#39c5cf}\
.d0{fill:#4493f8}.d1{fill:#db6d28}.d2{fill:#3fb950}.d3{fill:#ab7df8}.d4{fill:#db61a2}.d5{fill:#d29922}.d6{fill:#8b949e}.d7{fill:#39c5cf}\
}";

#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making. Writing to a string does not fail.
#[derive(Default)]
pub(super) struct Canvas(String);

impl Canvas {
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(self.0, r#"<text x="{x:.1}" y="{y:.1}" class="{class}" text-anchor="{anchor}">{}</text>"#, escaped(text));
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        let width = width.max(1.0);
        let _ = writeln!(self.0, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"/>"#);
    }

    pub(super) fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], class: &str) {
        let _ = writeln!(self.0, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#);
    }

    pub(super) fn curve(&mut self, points: &[[f64; 2]], class: &str) {
        let all: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.0, r#"<polyline points="{}" class="curve {class}"/>"#, all.join(" "));
    }

    pub(super) fn dot(&mut self, [x, y]: [f64; 2], class: &str) {
        let _ = writeln!(self.0, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" class="{class}"/>"#);
    }

    /// The picture's text, on a ground of its own: a page's light or dark need not be the reader's.
    pub(super) fn finish(self, height: f64, title: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" role=\"img\" aria-label=\"{}\">\n\
             <style>{STYLE}</style>\n<rect class=\"bg\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n{}</svg>\n",
            escaped(title),
            self.0
        )
    }
}

/// The room that a text needs, at most.
pub(super) fn room(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

/// As much of a text as has room, with a mark where it was cut.
pub(super) fn cut(text: &str, width: f64) -> String {
    let letters = (width / LETTER) as usize;
    if text.chars().count() <= letters { text.to_owned() } else { text.chars().take(letters.saturating_sub(1)).chain(['…']).collect() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where values lie along an axis.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Where the low end and the high end are drawn.
    pixels: [f64; 2],
}

impl Axis {
    /// From nothing up, where the values are near each other; by powers of ten, where they are not.
    pub(super) fn of(values: impl Iterator<Item = f64> + Clone, spread: f64, pixels: [f64; 2]) -> Axis {
        let high = values.clone().fold(0.0_f64, f64::max);
        let low = values.filter(|value| *value > 0.0).fold(high, f64::min);
        if high <= 0.0 || high / low <= spread {
            return Axis { low: 0.0, high: if high > 0.0 { high } else { 1.0 }, logarithmic: false, pixels };
        }
        // A little lower than the lowest: a bar has a length.
        Axis { low: low / 1.6, high, logarithmic: true, pixels }
    }

    pub(super) fn logarithmic(low: f64, high: f64, pixels: [f64; 2]) -> Axis {
        Axis { low, high: if high > low { high } else { low * 2.0 }, logarithmic: true, pixels }
    }

    pub(super) fn is_logarithmic(self) -> bool {
        self.logarithmic
    }

    pub(super) fn at(self, value: f64) -> f64 {
        let share = if self.logarithmic { (value.max(self.low) / self.low).ln() / (self.high / self.low).ln() } else { value / self.high };
        self.pixels[0] + share.clamp(0.0, 1.0) * (self.pixels[1] - self.pixels[0])
    }

    /// Round numbers along it, between three and a dozen.
    pub(super) fn ticks(self) -> Vec<f64> {
        if !self.logarithmic {
            let step = 10_f64.powf((self.high / 2.0).log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * step).into_iter().find(|step| self.high / step <= 5.0).unwrap_or(self.high);
            return (0..=(self.high / step) as u32).map(|index| f64::from(index) * step).collect();
        }
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = (decades / 8.0).ceil().max(1.0) as i32;
        let first = self.low.log10().floor() as i32;
        (first..=self.high.log10().ceil() as i32)
            .filter(|power| power % every == 0)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|tick| (self.low..=self.high * 1.0001).contains(tick))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_takes_its_ends_to_its_ends() {
        let linear = Axis::of([5.0, 10.0].into_iter(), 30.0, [100.0, 200.0]);
        assert_eq!((linear.at(0.0), linear.at(10.0), linear.is_logarithmic()), (100.0, 200.0, false));
        let powers = Axis::of([1.0, 1e6].into_iter(), 30.0, [200.0, 100.0]);
        assert_eq!((powers.at(1e6), powers.is_logarithmic()), (100.0, true));
        assert!(powers.at(1.0) < 200.0);
        assert!(Axis::of([0.0].into_iter(), 30.0, [0.0, 1.0]).at(0.0) < 0.1);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        for high in [0.07, 1.0, 3.0, 99.0, 5.4e6] {
            let ticks = Axis::of([high].into_iter(), 30.0, [0.0, 1.0]).ticks();
            assert!((3..=7).contains(&ticks.len()), "{high}: {ticks:?}");
        }
        for span in [40.0, 1e3, 1e6, 1e12] {
            let ticks = Axis::of([1.0, span].into_iter(), 30.0, [0.0, 1.0]).ticks();
            assert!((2..=12).contains(&ticks.len()), "{span}: {ticks:?}");
        }
    }

    #[test]
    fn words_are_cut_to_their_room_and_harmless() {
        assert_eq!(cut("abcdef", 3.0 * LETTER), "ab…");
        assert_eq!(escaped("a<b & \"c\""), "a&lt;b &amp; &quot;c&quot;");
    }
}
