//! How calls are to be run: retries, limits, priority, and how many go together. Plain values. Must not know who carries them out.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::wire::Terms;

/// Lanes of the pool's task queue: one for each priority.
pub(super) const LANES: usize = 3;

/// Which calls go first. Among equals the order is that of submission. There is no ageing: as long as there are calls of a higher priority, the others wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// What calls have without a choice.
    #[default]
    Normal,
    /// When nothing else is there.
    Low,
}

/// How often, why and when a call that failed is run again.
///
/// A call that was begun and whose worker died may have had effects, so what is run again runs *at least once*. A call that its worker had taken and not yet begun is moved
/// to another worker in any case, and that is no attempt.
///
/// ```
/// use std::time::Duration;
/// use polyproc::Retry;
/// let patient = Retry::on_death(4).backoff(Duration::from_millis(10), 2.0, Duration::from_secs(1)); // after 10, 20, 40, 80 ms
/// let stubborn = Retry::on_death(2).or_error();
/// # let _ = (patient, stubborn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    times: u32,
    errors: bool,
    first: Duration,
    factor: f64,
    max: Duration,
}

impl Retry {
    /// Never: what calls have without a choice.
    pub const fn never() -> Retry {
        Retry::on_death(0)
    }

    /// Runs a call again if its worker died, at most `times` times after the first attempt, and at once.
    pub const fn on_death(times: u32) -> Retry {
        Retry { times, errors: false, first: Duration::ZERO, factor: 1.0, max: Duration::ZERO }
    }

    /// Also if the task panicked, or did not end within its hard limit. A task's own `Err` is a value, and no error here.
    #[must_use]
    pub const fn or_error(self) -> Retry {
        Retry { errors: true, ..self }
    }

    /// Waits before an attempt: `first` before the second, then each time `factor` times as long, but never longer than `max`. No worker waits meanwhile.
    #[must_use]
    pub const fn backoff(self, first: Duration, factor: f64, max: Duration) -> Retry {
        Retry { first, factor, max, ..self }
    }

    /// After what time the call whose attempt failed is run again; `None`: it has failed.
    pub(super) fn after(&self, attempt: u32, by_error: bool) -> Option<Duration> {
        if attempt > self.times || (by_error && !self.errors) {
            return None;
        }
        let grown = self.first.as_secs_f64() * self.factor.powi(i32::try_from(attempt - attempt.min(1)).unwrap_or(i32::MAX));
        Some(Duration::try_from_secs_f64(grown).unwrap_or(self.max).min(self.max))
    }
}

impl Default for Retry {
    fn default() -> Retry {
        Retry::never()
    }
}

/// How calls are to be run: given to [`Pool::with`](crate::Pool::with), or to a pool's builder for all its calls.
///
/// ```
/// use std::time::Duration;
/// use polyproc::{ErrorKind, Options, Pool, Priority, Retry, current_call, task};
///
/// #[task]
/// fn fails_at_first(n: u64) -> u64 {
///     if current_call().unwrap().attempt() == 1 {
///         std::process::abort();
///     }
///     n
/// }
///
/// #[task]
/// fn never_ends() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// let pool = Pool::new(2)?;
/// let again = Options::new().retry(Retry::on_death(2)).priority(Priority::High);
/// assert_eq!(pool.with(again).map(fails_at_first, 0..3)?, [0, 1, 2]);
///
/// let short = Options::new().hard_limit(Duration::from_millis(50));
/// assert_eq!(pool.with(short).apply(never_ends, ()).unwrap_err().kind(), ErrorKind::TimeLimit);
/// # Ok::<(), polyproc::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "options do nothing until they are given to `Pool::with` or to a builder"]
pub struct Options {
    pub(super) retry: Retry,
    soft: Option<Duration>,
    pub(super) hard: Option<Duration>,
    priority: Priority,
    pub(super) chunk: Option<usize>,
    pub(super) window: Option<usize>,
}

impl Options {
    /// No retry, no limit, [`Priority::Normal`].
    pub fn new() -> Options {
        Options::default()
    }

    /// Runs calls that failed again.
    pub fn retry(self, retry: Retry) -> Options {
        Options { retry, ..self }
    }

    /// After this time a call is told to stop: [`cancelled`](crate::cancelled) is true for it. It counts from the begin of each attempt.
    pub fn soft_limit(self, limit: Duration) -> Options {
        Options { soft: Some(limit), ..self }
    }

    /// After this time a call's worker is killed and replaced, and the call fails with [`ErrorKind::TimeLimit`](crate::ErrorKind::TimeLimit). It counts from the begin of each attempt, and is kept to
    /// about a millisecond.
    pub fn hard_limit(self, limit: Duration) -> Options {
        Options { hard: Some(limit), ..self }
    }

    /// Which calls go first.
    pub fn priority(self, priority: Priority) -> Options {
        Options { priority, ..self }
    }

    /// How many calls of a map a worker takes at once.
    pub fn chunk_size(self, calls: usize) -> Options {
        Options { chunk: Some(calls), ..self }
    }

    /// How many calls of an [`Imap`](crate::Imap) may be under way or wait to be taken. Without it: four chunks for each worker.
    pub fn window(self, calls: usize) -> Options {
        Options { window: Some(calls), ..self }
    }

    /// What does not make sense is an error before anything is submitted.
    pub(super) fn check(&self) -> Result<()> {
        let sentence = if self.chunk == Some(0) {
            "a chunk needs at least one call"
        } else if self.window == Some(0) {
            "a window needs room for at least one call"
        } else if self.soft == Some(Duration::ZERO) || self.hard == Some(Duration::ZERO) {
            "a limit of no time lets no call run"
        } else if self.retry.factor.is_nan() || self.retry.factor < 0.0 {
            "the factor of a back-off is a number of at least 0"
        } else {
            return Ok(());
        };
        Err(Error::argument(sentence))
    }

    /// What a first attempt's batch says of them.
    pub(super) fn terms(&self) -> Terms {
        let nanoseconds = |limit: Option<Duration>| limit.map_or(0, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        let bring_back = self.retry.errors && self.retry.times > 0;
        Terms { lane: self.priority as u8, attempt: 1, bring_back, soft: nanoseconds(self.soft), hard: nanoseconds(self.hard), reply: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_up_to_its_limit() {
        let ms = Duration::from_millis;
        let retry = Retry::on_death(5).backoff(ms(10), 3.0, ms(100));
        let waits: Vec<_> = (1..=6).map(|attempt| retry.after(attempt, false)).collect();
        assert_eq!(waits, [Some(ms(10)), Some(ms(30)), Some(ms(90)), Some(ms(100)), Some(ms(100)), None]);
        assert_eq!(Retry::on_death(9).backoff(ms(1), f64::INFINITY, ms(7)).after(3, false), Some(ms(7)));
        assert_eq!(Retry::on_death(u32::MAX).backoff(Duration::MAX, 2.0, Duration::MAX).after(u32::MAX, false), Some(Duration::MAX));
    }

    #[test]
    fn errors_are_another_reason() {
        assert_eq!(Retry::on_death(1).after(1, true), None);
        assert_eq!(Retry::on_death(1).or_error().after(1, true), Some(Duration::ZERO));
        assert_eq!(Retry::never().or_error().after(1, true), None);
        assert!(!Options::new().retry(Retry::never().or_error()).terms().bring_back);
    }

    #[test]
    fn senseless_options_are_refused() {
        let zero = Duration::ZERO;
        let nan = Retry::on_death(1).backoff(zero, f64::NAN, zero);
        for bad in [
            Options::new().chunk_size(0),
            Options::new().window(0),
            Options::new().soft_limit(zero),
            Options::new().hard_limit(zero),
            Options::new().retry(nan),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        let endless = Options::new().soft_limit(Duration::MAX).hard_limit(Duration::MAX);
        endless.check().unwrap();
        assert_eq!((endless.terms().soft, endless.terms().hard), (u64::MAX, u64::MAX));
    }
}
