//! x
use crate::harness::{Budget, Sample, Trouble};
pub(crate) const ROLE: &str = "wake";
#[derive(Clone, Copy)]
pub(crate) enum Kind { Event, Condition }
pub(crate) fn round(_: Kind, _: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
pub(crate) fn role(_: &[String]) -> Result<(), Trouble> { Ok(()) }
