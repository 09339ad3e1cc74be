//! The book: makes `RESULTS.md` and its pictures out of the JSON lines of a run. It measures nothing and knows no scenario, only what the lines, the definitions and `targets.json` say.

mod bars;
mod curves;
mod headline;
mod page;
mod rows;
mod svg;
mod targets;

use std::path::Path;

use crate::harness::{Scenario, Trouble};
use rows::Run;
use targets::Target;

/// Reads the lines of `file`, and writes `RESULTS.md` and `pictures/` into `folder`.
pub(crate) fn write(file: &str, folder: &Path, known: &[Scenario]) -> Result<(), Trouble> {
    let run = Run::read(&std::fs::read_to_string(file)?)?;
    let targets = Target::all()?;
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures)?;
    let mut page = page::Page::new(&run, &targets, known);
    if let Some(picture) = headline::picture(&run, &targets) {
        std::fs::write(pictures.join("headline.svg"), picture)?;
        page.has_headline();
    }
    for chapter in run.chapters() {
        let (name, picture) = (chapter.replace('/', "-"), picture(&run, &chapter));
        std::fs::write(pictures.join(format!("{name}.svg")), picture)?;
        page.chapter(&chapter, &format!("pictures/{name}.svg"));
    }
    std::fs::write(folder.join("RESULTS.md"), page.text())?;
    println!("{} and {}", folder.join("RESULTS.md").display(), pictures.display());
    Ok(())
}

/// Curves where something grows, a distribution where each operation was timed, bars for all else.
fn picture(run: &Run, chapter: &str) -> String {
    let scenes: Vec<_> = run.of(chapter).collect();
    if scenes.iter().all(|scene| scene.along.is_some()) {
        curves::growth(&scenes)
    } else if scenes.iter().all(|scene| scene.subjects.iter().all(|subject| subject.each.is_some())) {
        curves::distribution(&scenes)
    } else {
        bars::picture(&scenes)
    }
}
