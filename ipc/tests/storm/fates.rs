//! What became of numbered things, each of which is put once and ends once: the ledger that queues, lists, sets and buffers share.
//!
//! Where things end by name only (`END`), nothing may be missing at all. One `TAKE` that was killed may hide another thing's loss, so each kind that takes is there a second time without.

use std::collections::HashMap;

use crate::ledger::Act;

/// About to put the `b` things from number `a` on; done: how many were.
pub(crate) const PUT: u8 = 1;
/// About to take up to `a` things; their numbers are noted when they are known.
pub(crate) const TAKE: u8 = 2;
/// About to end thing `a`; done: 1 if it was, 0 if it was refused.
pub(crate) const END: u8 = 3;

#[derive(Default)]
pub(crate) struct Fates {
    all: HashMap<u64, Fate>,
    /// Things that the killed may have taken besides those that they noted.
    in_hand: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    put: u32,
    perhaps_put: u32,
    ends: u32,
    perhaps_ends: u32,
}

impl Fates {
    pub(crate) fn enter(&mut self, act: &Act) {
        match (act.op, act.done) {
            (PUT, done) => (0..act.b).for_each(|number| {
                let fate = self.all.entry(act.a + number).or_default();
                fate.put += u32::from(done.is_some_and(|count| number < count));
                fate.perhaps_put += u32::from(done.is_none());
            }),
            (TAKE, done) => {
                act.notes.iter().for_each(|&id| self.end(id));
                self.in_hand += if done.is_none() { act.a - act.notes.len() as u64 } else { 0 };
            }
            (_, Some(ended)) => self.all.entry(act.a).or_default().ends += ended as u32,
            (_, None) => self.all.entry(act.a).or_default().perhaps_ends += 1,
        }
    }

    /// One that was found at the end.
    pub(crate) fn end(&mut self, id: u64) {
        self.all.entry(id).or_default().ends += 1;
    }

    /// # Panics
    /// If something ended twice or was never put, or is lost though nobody was killed with it.
    pub(crate) fn verdict(&self, name: &str) -> String {
        let (mut put, mut ended, mut missing) = (0, 0, 0);
        for (id, fate) in &self.all {
            let there = fate.put + fate.perhaps_put;
            assert!(fate.ends <= 1 && fate.ends <= there, "{name}: {id:#x} was lost, doubled or made up: {fate:?}");
            put += u64::from(there > 0);
            ended += u64::from(fate.ends);
            missing += u64::from(fate.put == 1 && fate.ends == 0 && fate.perhaps_ends == 0);
        }
        assert!(missing <= self.in_hand, "{name}: {missing} are lost, and the killed can have had {} in their hands", self.in_hand);
        format!("{put} put, {ended} ended; {missing} went with the killed (of {} at most)", self.in_hand)
    }
}
