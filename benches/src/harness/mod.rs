//! What every scenario stands on: what a scenario and a subject are, rounds in turn, processes that start together, the table.
//! It knows no subject: neither ours nor a peer.

pub(crate) mod crew;
pub(crate) mod machine;
pub(crate) mod member;
pub(crate) mod percentiles;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod shared;
pub(crate) mod system;

use std::fmt;
use std::time::Duration;

pub(crate) use crew::{NOTHING, ROLE};
pub(crate) use percentiles::Percentiles;
pub(crate) use report::Outcome;

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds of each subject, taken in turn.
    pub(crate) rounds: usize,
    /// About how long one round of one subject lasts.
    pub(crate) time: Duration,
}

/// What one round is asked to do. A subject keeps to `operations` (calibrated so that they last about `time`), or to `time` itself where
/// processes compete and a fixed count would leave the last one alone.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) operations: u64,
    pub(crate) time: Duration,
}

/// What one round found.
#[derive(Clone, Copy)]
pub(crate) enum Sample {
    /// So many operations in so long.
    Timed { operations: u64, elapsed: Duration },
    /// The same by processes that competed; what the least-served one got of an even share.
    Shared { operations: u64, elapsed: Duration, least: f64 },
    /// So many operations, each timed on its own, in nanoseconds.
    Spread { operations: u64, elapsed: Duration, each: Percentiles },
    /// A count or a size; nothing was timed.
    Amount(f64),
}

/// What a scenario's numbers mean, and which way is better.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    /// Operations per second; more is better.
    PerSecond(&'static str),
    /// The same where an operation is so many of the unit: bytes per second.
    Flow(&'static str, f64),
    /// Time per operation: its name and its length in seconds; less is better.
    Each(&'static str, f64),
    /// A size or a count; less is better.
    Amount(&'static str),
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::PerSecond(name) | Unit::Flow(name, _) | Unit::Each(name, _) | Unit::Amount(name) => name,
        }
    }

    pub(crate) fn value(self, sample: Sample) -> f64 {
        let (operations, elapsed) = match sample {
            Sample::Amount(amount) => return amount,
            Sample::Spread { each, .. } => return each.median(),
            Sample::Timed { operations, elapsed } | Sample::Shared { operations, elapsed, .. } => (operations, elapsed),
        };
        match self {
            Unit::Each(_, length) => elapsed.as_secs_f64() / operations as f64 / length,
            Unit::Flow(_, share) => operations as f64 * share / elapsed.as_secs_f64(),
            _ => operations as f64 / elapsed.as_secs_f64(),
        }
    }

    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Unit::PerSecond(_) | Unit::Flow(..))
    }

    /// Ours over the peer's, turned so that above 1 is better for us whatever the unit.
    pub(crate) fn ratio(self, ours: f64, theirs: f64) -> f64 {
        if self.more_is_better() { ours / theirs } else { theirs / ours }
    }
}

type Round = Box<dyn FnMut(Budget) -> Result<Sample, Trouble>>;

/// Whose a figure is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Whose {
    Ours,
    /// Does what ours does, between processes.
    Peer,
    /// Does less (threads of one process, plain memory): what could be had at most.
    Limit,
}

/// One side of a comparison: ours or a peer's.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) whose: Whose,
    pub(crate) round: Round,
    /// Operations of the first, calibrating round.
    pub(crate) first: u64,
}

/// A comparison: `name/variant`, what is done, in which unit, by whom.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) variant: String,
    pub(crate) definition: &'static str,
    pub(crate) unit: Unit,
    /// Where it lies in a series of scenarios of one name: what grows, and how far it has.
    pub(crate) along: Option<(&'static str, f64)>,
    pub(crate) subjects: Vec<Subject>,
}

impl Scenario {
    pub(crate) fn new(name: &'static str, variant: impl Into<String>, unit: Unit, definition: &'static str) -> Self {
        Scenario { name, variant: variant.into(), definition, unit, along: None, subjects: Vec::new() }
    }

    /// One of a series in which `what` grows, here to `at`: a point of a curve.
    pub(crate) fn along(mut self, what: &'static str, at: f64) -> Self {
        self.along = Some((what, at));
        self
    }

    pub(crate) fn ours(self, name: &'static str, first: u64, round: impl FnMut(Budget) -> Result<Sample, Trouble> + 'static) -> Self {
        self.subject(Subject { name, whose: Whose::Ours, round: Box::new(round), first })
    }

    pub(crate) fn peer(self, name: &'static str, first: u64, round: impl FnMut(Budget) -> Result<Sample, Trouble> + 'static) -> Self {
        self.subject(Subject { name, whose: Whose::Peer, round: Box::new(round), first })
    }

    pub(crate) fn limit(self, name: &'static str, first: u64, round: impl FnMut(Budget) -> Result<Sample, Trouble> + 'static) -> Self {
        self.subject(Subject { name, whose: Whose::Limit, round: Box::new(round), first })
    }

    fn subject(mut self, subject: Subject) -> Self {
        self.subjects.push(subject);
        self
    }

    pub(crate) fn full_name(&self) -> String {
        if self.variant.is_empty() { self.name.to_owned() } else { format!("{}/{}", self.name, self.variant) }
    }
}

/// Why a subject has no figure.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The peer is not installed; the text says how to install it.
    Missing(String),
    /// It went wrong; the text says what.
    Failed(String),
}

impl Trouble {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Trouble::Failed(text.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Trouble::Missing(text) | Trouble::Failed(text)) = self;
        out.write_str(text)
    }
}

// `Trouble` is not an `Error` itself, so that `?` takes every error there is.
impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        Trouble::Failed(error.to_string())
    }
}
