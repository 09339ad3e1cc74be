//! Waits as Python has them: without the interpreter's lock, and ended at once by a signal whose handler raises (PEP 475). Knows no object.

use std::time::{Duration, Instant};

use polyproc::ipc::{self, ErrorKind, interruptible};
use pyo3::prelude::*;

/// How long a wait lasts before it looks for a signal that came just before it slept: first, and at most. (Who waits for seconds sees to the dead, so slices must become long.)
const FIRST_SLICE: Duration = Duration::from_millis(250);
const LONGEST_SLICE: Duration = Duration::from_secs(8);
/// Longer than this nobody waits.
const EVER: f64 = 1e9;

/// `block` and `timeout` as the reference means them: `None` for ever, zero a try.
#[inline]
pub(crate) fn limit(block: bool, timeout: Option<f64>) -> Option<Duration> {
    match timeout {
        _ if !block => Some(Duration::ZERO),
        None => None,
        Some(seconds) if seconds > EVER => None,
        Some(seconds) if seconds > 0.0 => Some(Duration::from_secs_f64(seconds)),
        Some(_) => Some(Duration::ZERO),
    }
}

/// A timeout that may be absent.
#[inline]
pub(crate) fn within(timeout: Option<f64>) -> Option<Duration> {
    limit(true, timeout)
}

/// Runs a wait of up to `time` that answers `Timeout` (or `Empty`, `Full`) when time is up. Signals are handled meanwhile; one whose handler does not raise does not shorten the wait.
///
/// The outer error is a handler's exception.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    time: Option<Duration>,
    mut body: impl FnMut(Option<Duration>) -> ipc::Result<T> + Send,
) -> PyResult<ipc::Result<T>> {
    let is_over = |error: &ipc::Error| matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Empty | ErrorKind::Full | ErrorKind::Interrupted);
    until(py, time, |slice| match body(slice) {
        Err(error) if is_over(&error) => Err(error),
        other => Ok(other),
    })
    .map(|ended| ended.and_then(|result| result))
}

/// As [`wait`], of something that answers false when time is up.
pub(crate) fn wait_until(
    py: Python<'_>,
    time: Option<Duration>,
    mut body: impl FnMut(Option<Duration>) -> ipc::Result<bool> + Send,
) -> PyResult<ipc::Result<bool>> {
    let ended = until(py, time, |slice| match body(slice) {
        Ok(false) => Err(()),
        other => Ok(other),
    })?;
    Ok(ended.unwrap_or(Ok(false)))
}

/// Again and again in slices, until it is done or time is up: then the last answer of `body` that says so.
fn until<T: Send, N: Send>(py: Python<'_>, time: Option<Duration>, mut body: impl FnMut(Option<Duration>) -> Result<T, N> + Send) -> PyResult<Result<T, N>> {
    let end = time.and_then(|time| Instant::now().checked_add(time));
    let mut longest = FIRST_SLICE;
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let slice = left.map_or(longest, |left| left.min(longest));
        longest = (longest * 2).min(LONGEST_SLICE);
        let (result, _) = py.detach(|| interruptible(|| body(Some(slice))));
        match result {
            Ok(done) => return Ok(Ok(done)),
            Err(not_yet) => {
                py.check_signals()?;
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Ok(Err(not_yet));
                }
            }
        }
    }
}
