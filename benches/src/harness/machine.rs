//! Where a run was made: the machine, the system, the versions of all that took part, the commit. It knows no scenario.

use std::collections::BTreeMap;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::{Plan, member};

/// The first line of a run's JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) system: String,
    pub(crate) rustc: String,
    pub(crate) commit: String,
    /// Whether files differed from that commit.
    pub(crate) changed: bool,
    pub(crate) date: String,
    /// Of the machine, before the first round.
    pub(crate) load: String,
    pub(crate) rounds: usize,
    pub(crate) round_ms: u64,
    pub(crate) versions: BTreeMap<String, String>,
}

impl Machine {
    /// This one, now.
    pub(crate) fn look(plan: &Plan) -> Machine {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory = field(&file("/proc/meminfo"), "MemTotal", ':').and_then(|kib| kib.trim_end_matches(" kB").parse::<f64>().ok());
        Machine {
            cpu: field(&file("/proc/cpuinfo"), "model name", ':').unwrap_or_default(),
            cores: member::cpus().len(),
            memory_gib: memory.map_or(0.0, |kib| (kib / f64::from(1 << 20) * 10.0).round() / 10.0),
            kernel: format!("Linux {}", file("/proc/sys/kernel/osrelease").trim()),
            system: field(&file("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_default(),
            rustc: said("rustc", &["--version"]),
            commit: said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short=12", "HEAD"]),
            changed: !said("git", &["-C", env!("CARGO_MANIFEST_DIR"), "status", "--porcelain", "--untracked-files=no"]).is_empty(),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            load: file("/proc/loadavg").split(' ').next().unwrap_or("?").to_owned(),
            rounds: plan.rounds,
            round_ms: plan.time.as_millis() as u64,
            versions: versions(),
        }
    }

    /// One object on a line of its own, under a key that no row has.
    pub(crate) fn json_line(&self) -> String {
        format!("{}\n", serde_json::json!({ "machine": self }))
    }

    /// What the first line of a run says.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} CPUs, {}, load {} before the first round; {} rounds of about {} ms in turn; ratio above 1: ours is better",
            self.cores, self.kernel, self.load, self.rounds, self.round_ms
        )
    }
}

/// Crates that are peers, by Cargo.lock.
const CRATES: [&str; 11] =
    ["crossbeam-channel", "dashmap", "heed", "iceoryx2", "ipc-channel", "parking_lot", "procspawn", "rayon", "raw_sync", "rtrb", "shared_memory"];

fn versions() -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        CRATES.iter().filter_map(|name| Some(((*name).to_owned(), locked(include_str!("../../../Cargo.lock"), name)?))).collect();
    all.insert("g++".to_owned(), said("g++", &["-dumpfullversion"]));
    all.insert("redis-server".to_owned(), said("redis-server", &["--version"]).split(' ').find_map(|word| word.strip_prefix("v=")).unwrap_or("").to_owned());
    all.insert("Boost".to_owned(), defined("boost/version.hpp", "BOOST_LIB_VERSION").replace('_', "."));
    let zeromq = ["MAJOR", "MINOR", "PATCH"].map(|part| defined("zmq.h", &format!("ZMQ_VERSION_{part}")));
    all.insert("ZeroMQ".to_owned(), if zeromq[0].is_empty() { String::new() } else { zeromq.join(".") });
    all.insert("C library".to_owned(), said("getconf", &["GNU_LIBC_VERSION"]));
    all.retain(|_, version| !version.is_empty());
    all
}

/// The version of a crate in a lock file; of several, the newest, which is listed last.
fn locked(lock: &str, name: &str) -> Option<String> {
    let key = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&key)?;
    Some(rest.split('"').next()?.to_owned())
}

/// The value of a macro of a C++ header, without quotes. Empty: not there.
fn defined(header: &str, name: &str) -> String {
    let all = said("g++", &["-E", "-dM", "-x", "c++", "-include", header, "/dev/null"]);
    let key = format!("#define {name} ");
    all.lines().find_map(|line| line.strip_prefix(&key)).unwrap_or_default().trim_matches('"').to_owned()
}

/// What a program prints; nothing if it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => String::new(),
    }
}

fn field(text: &str, key: &str, separator: char) -> Option<String> {
    let (_, value) = text.lines().find_map(|line| line.split_once(separator).filter(|(name, _)| name.trim() == key))?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_by_the_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.1\"\n";
        assert_eq!(locked(lock, "a").as_deref(), Some("2.1"));
        assert_eq!(locked(lock, "b"), None);
        assert!(locked(include_str!("../../../Cargo.lock"), "rayon").is_some());
    }

    #[test]
    fn a_machine_survives_its_line() {
        let machine = Machine { cpu: "a \"quoted\" name".to_owned(), cores: 2, ..Machine::default() };
        let line: serde_json::Value = serde_json::from_str(&machine.json_line()).unwrap();
        assert_eq!(serde_json::from_value::<Machine>(line["machine"].clone()).unwrap(), machine);
    }
}
