//! What every worker of a pool is told when it starts, beside its queues: hooks and limits, as bytes in the fabric.
//!
//! ```text
//! setup    kind 32 | 0 | 0 u16 | 0 u32 | most calls u64, 0: any | soft memory limit u64, 0: none | 2 * (length u64 | batch of one call, or nothing)
//! ```
//!
//! The two are `on_start` and `on_exit`. The pool writes it once before it starts anybody, and nobody changes it. Everything is checked when it is read. Must not know what hooks do.

use polyproc_ipc::{Array, Fabric, Locking, Ticket};

use crate::error::Result;
use crate::wire::{self, Damaged};

const SETUP: u8 = 32;

/// See the file's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Setup {
    /// After so many calls a worker leaves.
    pub(crate) most_calls: Option<u64>,
    /// With so many bytes of its own it leaves.
    pub(crate) soft_memory: Option<u64>,
    /// The hooks, each as a batch of one call.
    pub(crate) on_start: Option<Vec<u8>>,
    pub(crate) on_exit: Option<Vec<u8>>,
}

impl Setup {
    /// Puts it where workers find it; a pool that says nothing needs none.
    pub(super) fn share(&self, fabric: &Fabric) -> Result<Option<Array<u8>>> {
        if *self == Setup::default() {
            return Ok(None);
        }
        Ok(Some(Array::new_with(fabric, &self.encode(), Locking::None)?))
    }

    /// What the pool of this worker said.
    pub(super) fn read(ticket: Option<&Ticket>) -> Result<Setup> {
        let Some(ticket) = ticket else { return Ok(Setup::default()) };
        let bytes = Array::<u8>::from_ticket(ticket)?.unlocked().to_vec()?;
        Setup::parse(&bytes).map_err(|Damaged| super::worker::damaged("the setup of the pool's workers"))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![SETUP, 0, 0, 0, 0, 0, 0, 0];
        for number in [self.most_calls, self.soft_memory] {
            out.extend_from_slice(&number.unwrap_or(0).to_le_bytes());
        }
        for hook in [&self.on_start, &self.on_exit] {
            let bytes = hook.as_deref().unwrap_or_default();
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    fn parse(bytes: &[u8]) -> Result<Setup, Damaged> {
        let mut rest = bytes;
        if wire::word::<8>(&mut rest)? != [SETUP, 0, 0, 0, 0, 0, 0, 0] {
            return Err(Damaged);
        }
        let [most_calls, soft_memory] =
            [wire::word(&mut rest)?, wire::word(&mut rest)?].map(|word| Some(u64::from_le_bytes(word)).filter(|&number| number != 0));
        let [on_start, on_exit] = [wire::sized(&mut rest)?, wire::sized(&mut rest)?].map(|hook| Some(hook.to_vec()).filter(|hook| !hook.is_empty()));
        for hook in [&on_start, &on_exit].into_iter().flatten() {
            if wire::Batch::parse(hook)?.count != 1 {
                return Err(Damaged);
            }
        }
        if rest.is_empty() { Ok(Setup { most_calls, soft_memory, on_start, on_exit }) } else { Err(Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::BatchBuilder;

    fn hook(calls: u32) -> Vec<u8> {
        let mut batch = BatchBuilder::new(0, 0, "a::b", crate::wire::Terms::PLAIN);
        for _ in 0..calls {
            batch.push_encoded(b"args");
        }
        batch.finish().body
    }

    #[test]
    fn a_setup_reads_as_it_was_written() {
        let full = Setup { most_calls: Some(7), soft_memory: Some(1 << 30), on_start: Some(hook(1)), on_exit: Some(hook(1)) };
        for setup in [full.clone(), Setup { on_start: None, ..full.clone() }, Setup { most_calls: None, on_exit: None, ..full }, Setup::default()] {
            assert_eq!(Setup::parse(&setup.encode()), Ok(setup));
        }
    }

    #[test]
    fn bad_bytes_are_an_error_and_never_a_panic() {
        let good = Setup { most_calls: Some(7), soft_memory: None, on_start: Some(hook(1)), on_exit: None }.encode();
        for end in 0..good.len() {
            assert_eq!(Setup::parse(&good[..end]), Err(Damaged));
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = good.clone();
                changed[at] = value;
                let _ = Setup::parse(&changed);
            }
        }
        for calls in [0, 2] {
            assert_eq!(Setup::parse(&Setup { on_exit: Some(hook(calls)), ..Setup::default() }.encode()), Err(Damaged));
        }
    }
}
