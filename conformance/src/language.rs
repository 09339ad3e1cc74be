//! Languages: how the driver of each is built and started, and what it cannot do yet. Reads `drivers/<language>/`; knows no case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde::Deserialize;
use wildmatch::WildMatch;

/// A language as `drivers/<language>/driver.toml` has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Commands that must be there; else the language is not installed.
    #[serde(default)]
    needs: Vec<String>,
    /// A command that makes the driver; run in the workspace's folder.
    #[serde(default)]
    build: Vec<String>,
    /// The command that is the driver. `{target}` is the folder that cargo builds release programs into, `{here}` the driver's folder.
    run: Vec<String>,
    /// It is not ours but a model of what is right: it has a world of its own for all actors of a case.
    #[serde(default)]
    model: bool,
}

/// A language whose driver can be started.
pub(crate) struct Language {
    pub(crate) name: String,
    pub(crate) model: bool,
    pub(crate) run: Vec<String>,
    /// Cases (by pattern) that it cannot play, each with the reason.
    gaps: Vec<(WildMatch, String)>,
}

impl Language {
    /// Why this language does not play this case, if it is known not to.
    pub(crate) fn gap(&self, case: &str) -> Option<&str> {
        self.gaps.iter().find(|(pattern, _)| pattern.matches(case)).map(|(_, reason)| reason.as_str())
    }
}

/// Builds the drivers of the wanted languages, all of them unless told. One that is not installed is named and left out, but not where it was asked for, or in CI.
pub(crate) fn load(drivers: &Path, wanted: Option<&[String]>) -> Result<Vec<Arc<Language>>, String> {
    let mut names: Vec<String> = std::fs::read_dir(drivers)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
        .map_err(|error| format!("{}: {error}", drivers.display()))?;
    names.sort();
    if let Some(unknown) = wanted.unwrap_or_default().iter().find(|name| !names.contains(name)) {
        return Err(format!("{unknown}: there is no driver for it; there are {}", names.join(", ")));
    }
    let must = wanted.is_some() || std::env::var("CI").is_ok_and(|value| value == "true");
    let mut languages = Vec::new();
    for name in names.iter().filter(|name| wanted.is_none_or(|wanted| wanted.contains(name))) {
        match one(&drivers.join(name), name) {
            Ok(language) => languages.push(Arc::new(language)),
            Err(Fault::NotInstalled(command)) if !must => eprintln!("{name}: skipped, since {command} is not installed"),
            Err(Fault::NotInstalled(command)) => return Err(format!("{name}: {command} is not installed")),
            Err(Fault::Other(text)) => return Err(format!("{name}: {text}")),
        }
    }
    Ok(languages)
}

enum Fault {
    NotInstalled(String),
    Other(String),
}

fn one(folder: &Path, name: &str) -> Result<Language, Fault> {
    let file: File = read(&folder.join("driver.toml")).map_err(Fault::Other)?;
    let gaps: BTreeMap<String, String> = read(&folder.join("unsupported.toml")).map_err(Fault::Other)?;
    if let Some(missing) = file.needs.iter().find(|command| !is_there(command)) {
        return Err(Fault::NotInstalled(missing.clone()));
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("conformance lies in the workspace");
    let target = target();
    let fill = |word: &String| word.replace("{target}", &target.to_string_lossy()).replace("{here}", &folder.to_string_lossy());
    if let Some((program, arguments)) = file.build.split_first() {
        let status = Command::new(fill(program)).args(arguments.iter().map(fill)).current_dir(workspace).status();
        let built = status.map_err(|error| Fault::Other(format!("{program}: {error}")))?;
        if !built.success() {
            return Err(Fault::Other(format!("`{}`: {built}", file.build.join(" "))));
        }
    }
    Ok(Language {
        name: name.to_owned(),
        model: file.model,
        run: file.run.iter().map(fill).collect(),
        gaps: gaps.into_iter().map(|(pattern, reason)| (WildMatch::new(&pattern), reason)).collect(),
    })
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn is_there(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

/// The folder of release programs: this one's own, or its neighbour where this is a debug build.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a file");
    let profile = own.parent().expect("a program lies in a folder");
    profile.with_file_name("release")
}
