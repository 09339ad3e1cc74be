//! condition.

use crate::error::Result;
use crate::fabric::kinds::Ops;
use crate::objects::Header;
use crate::shm::Shm;

pub(crate) const OPS: Ops = Ops { quiesce, outlive: None, hold: None };

fn quiesce(_: &Shm, _: Header<'_>) -> Result<()> {
    Ok(())
}
