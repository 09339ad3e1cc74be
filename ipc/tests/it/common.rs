//! What the modules share: small fabrics, peers that inherit one, and how errors are looked at.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use polyproc_ipc::{Error, ErrorKind, Fabric, Report};
pub(crate) use polyproc_testkit::dice::Dice;
use polyproc_testkit::peer::{Builder, Peer};

/// Longer than anything takes on a slow and busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Long enough that a wait by it is a wait.
pub(crate) const SHORT: Duration = Duration::from_millis(20);
/// The number under which a peer inherits the fabric.
const HANDED: i32 = 40;

/// A private fabric that is never large.
pub(crate) fn small() -> Fabric {
    capped(64 << 20)
}

/// A private fabric with this cap.
pub(crate) fn capped(cap: u64) -> Fabric {
    Fabric::builder().cap(cap).private().expect("a private fabric")
}

/// A peer that inherits `fabric`.
pub(crate) fn peer_in<'a>(fabric: &'a Fabric, role: &str) -> Builder<'a> {
    Peer::builder(role).fd(fabric.descriptor(), HANDED)
}

/// In a peer: the fabric that it inherited.
pub(crate) fn inherited() -> Fabric {
    let file = OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{HANDED}")).expect("the inherited descriptor");
    Fabric::attach(OwnedFd::from(file)).expect("the inherited fabric")
}

/// Runs `role` in a peer with `dir` as its runtime directory, to its end.
pub(crate) fn play(role: &str, dir: &Path) {
    let mut peer = Peer::builder(role).arg("POLYPROC_DIR", dir.to_str().expect("a path of text")).start();
    let status = peer.wait(LONG * 2);
    assert!(status.success(), "{role}: {status}");
}

/// The kind of a call's error.
///
/// # Panics
/// If there was none.
#[track_caller]
pub(crate) fn kind<T>(result: Result<T, impl Into<Error>>) -> ErrorKind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.into().kind(),
    }
}

/// The checker's report, which must name no problem.
#[track_caller]
pub(crate) fn whole(fabric: &Fabric) -> Report {
    let report = fabric.check().expect("a segment that can be walked");
    assert!(report.is_whole(), "{:#?}", report.problems);
    report
}

/// The file behind `fabric`, by an opening of its own.
pub(crate) fn reopened(fabric: &Fabric) -> File {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fabric.descriptor().as_raw_fd());
    OpenOptions::new().read(true).write(true).open(path).expect("the memory of a fabric")
}

/// The two numbers of the file.
pub(crate) fn pair_of(file: &File) -> [u64; 2] {
    let mut pair = [0; 16];
    file.read_exact_at(&mut pair, 0).expect("the file of the pair");
    [0, 8].map(|at| u64::from_ne_bytes(pair[at..at + 8].try_into().expect("8 bytes")))
}

/// Adds 1 to both numbers of the file, one after the other; whoever is let in meanwhile sees them differ.
pub(crate) fn add_to_pair(file: &File) {
    let [a, b] = pair_of(file);
    assert_eq!(a, b, "a torn pair: two are inside");
    file.write_all_at(&(a + 1).to_ne_bytes(), 0).expect("the file of the pair");
    std::thread::yield_now();
    file.write_all_at(&(b + 1).to_ne_bytes(), 8).expect("the file of the pair");
}
