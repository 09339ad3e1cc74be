//! What the library says of itself, as events of the crate `tracing` with the target `polyproc`; and `log_to_stderr`, which prints them.
//!
//! A program that has a subscriber of its own needs nothing of this file. A child has none, as nothing of `main` has run in it; so [`log_to_stderr`] is inherited: the parent puts the level into the
//! child's environment ([`VARIABLE`]), and the child does the same before it runs anything. Must not know pools or processes.

use std::sync::{PoisonError, RwLock};

/// The variable by which a child inherits its parent's [`log_to_stderr`].
pub(crate) const VARIABLE: &str = "POLYPROC_LOG";

/// The target of all events of this library.
pub(crate) const TARGET: &str = "polyproc";

static LEVEL: RwLock<Option<String>> = RwLock::new(None);

/// What the events of a task are in: a span with the task's name and the number of its job, its call and its attempt. It is shown wherever any event is; with nobody who listens, it is a look at one word.
pub(crate) fn span_of(task: &str, job: u64, call: u64, attempt: u32) -> tracing::span::EnteredSpan {
    tracing::error_span!(target: TARGET, "call", %task, job, call, attempt).entered()
}

/// What children are to find in [`VARIABLE`].
pub(crate) fn level() -> Option<String> {
    LEVEL.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// In a child, before it runs anything: logs as its parent does.
pub(crate) fn inherit(level: &str) {
    #[cfg(feature = "log")]
    if let Ok(level) = level.parse() {
        // A constructor of the program may have been faster: then it is the program's.
        let _ = stderr::install(level);
    }
    #[cfg(not(feature = "log"))]
    let _ = level;
}

#[cfg(feature = "log")]
pub use stderr::log_to_stderr;

#[cfg(feature = "log")]
mod stderr {
    use std::fmt;
    use std::sync::PoisonError;

    use polyproc_ipc::ErrorKind as Ipc;
    use tracing::level_filters::LevelFilter;
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
    use tracing_subscriber::registry::LookupSpan;

    use crate::error::Result;

    /// Prints on standard error what this library logs (and what the program and its tasks log with the crate `tracing`), from `level` on; also in the workers and processes
    /// that are started after this call.
    ///
    /// If the variable `RUST_LOG` is set, it says more exactly what is printed, as `RUST_LOG=polyproc=debug,my_program=info`, and `level` is for what it does not mention. A line is
    /// the level, the process's name and its pid, where it is from, and the message with its fields. What a task of a pool logs is in a span `call`, which tells the task, the numbers of its job and of
    /// the call in it, and the attempt; any subscriber sees that:
    ///
    /// ```text
    /// [INFO/MainProcess 4711] worker started worker=0 pid=4712
    /// [DEBUG/PoolWorker-1 4712] takes calls
    /// [WARN/PoolWorker-1 4712] my_program: call{task=my_program::load job=1 call=0 attempt=2}: slow disk seconds=7
    /// ```
    ///
    /// | level | what this library logs |
    /// | --- | --- |
    /// | `ERROR` | a pool gave up; shared memory is damaged |
    /// | `WARN` | a worker died; a worker cannot be started |
    /// | `INFO` | a worker is started, a worker left, a pool is closed, terminated, over |
    /// | `DEBUG` | a worker takes calls; calls of a dead worker are submitted again |
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the program has set a subscriber for `tracing`, by this call or by itself. Nothing has changed then.
    ///
    /// ```
    /// polyproc::log_to_stderr(polyproc::LogLevel::WARN)?;
    /// assert!(polyproc::log_to_stderr(polyproc::LogLevel::INFO).is_err());
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn log_to_stderr(level: Level) -> Result<()> {
        install(level)
    }

    pub(super) fn install(level: Level) -> Result<()> {
        let filter = EnvFilter::builder().with_default_directive(LevelFilter::from_level(level).into()).from_env_lossy();
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).event_format(Lines).finish();
        tracing::subscriber::set_global_default(subscriber).map_err(|_| {
            polyproc_ipc::Error::new(Ipc::AlreadyExists, "log_to_stderr: this program already has a subscriber for tracing; it gets what polyproc logs, too")
        })?;
        *super::LEVEL.write().unwrap_or_else(PoisonError::into_inner) = Some(level.to_string());
        Ok(())
    }

    /// One line for each event.
    struct Lines;

    impl<S, N> FormatEvent<S, N> for Lines
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
            let name = crate::process::current::name();
            write!(line, "[{}/{name} {}] ", event.metadata().level(), std::process::id())?;
            if event.metadata().target() != super::TARGET {
                write!(line, "{}: ", event.metadata().target())?;
            }
            for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
                write!(line, "{}", span.metadata().name())?;
                if let Some(fields) = span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                    write!(line, "{{{fields}}}")?;
                }
                write!(line, ": ")?;
            }
            context.field_format().format_fields(line.by_ref(), event)?;
            writeln!(line)
        }
    }
}
