//! x
use crate::harness::{Budget, Sample, Trouble};
pub(crate) fn add_locked(_: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
pub(crate) fn add_atomic(_: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
pub(crate) fn get(_: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
pub(crate) fn copy(_: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
