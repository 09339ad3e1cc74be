//! polyproc's dict.
use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::dict::Shape;
pub(crate) const ROLE: &str = "dict";
pub(crate) struct Side;
impl Side {
    pub(crate) fn new() -> Side { Side }
    pub(crate) fn round(&mut self, _: Shape, _: Budget) -> Result<Sample, Trouble> { Err(Trouble::failed("later")) }
}
pub(crate) fn role(_: &[String]) -> Result<(), Trouble> { Ok(()) }
