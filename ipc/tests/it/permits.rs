//! A semaphore's ledger against a model: random acquires and releases by several members, who leave and come back.

use std::collections::BTreeMap;
use std::time::Duration;

use polyproc_ipc::{BoundedSemaphore, ErrorKind, Fabric, Semaphore};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, capped, whole};

#[derive(Clone, Debug)]
enum Act {
    Acquire(usize, u32),
    Release(usize, u32),
    /// A guard that is dropped after somebody else released so many.
    Permits(usize, u32, usize, u32),
    Leave(usize),
}

const MEMBERS: usize = 4;

fn act() -> impl Strategy<Value = Act> {
    let who = 0..MEMBERS;
    prop_oneof![
        6 => (who.clone(), 0_u32..5).prop_map(|(who, count)| Act::Acquire(who, count)),
        5 => (who.clone(), 0_u32..6).prop_map(|(who, count)| Act::Release(who, count)),
        2 => (who.clone(), 1_u32..4, who.clone(), 0_u32..4).prop_map(|(who, count, other, given)| Act::Permits(who, count, other, given)),
        1 => who.prop_map(Act::Leave),
    ]
}

/// What a semaphore is: free permits, and how many each slot holds.
struct Model {
    free: u32,
    held: BTreeMap<usize, u32>,
    bound: Option<u32>,
}

impl Model {
    fn acquire(&mut self, slot: usize, count: u32) -> Result<(), ErrorKind> {
        if count == 0 || self.bound.is_some_and(|bound| count > bound) {
            // One permit at a time is not checked against the bound; nobody ever gets it then.
            return Err(if count == 1 { ErrorKind::Timeout } else { ErrorKind::InvalidArgument });
        }
        self.free = self.free.checked_sub(count).ok_or(ErrorKind::Timeout)?;
        *self.held.entry(slot).or_default() += count;
        Ok(())
    }

    fn release(&mut self, slot: usize, count: u32) -> Result<(), ErrorKind> {
        if count == 0 {
            return Err(ErrorKind::InvalidArgument);
        }
        if self.bound.is_some_and(|bound| self.free + count > bound) {
            return Err(ErrorKind::NotHeld);
        }
        self.free += count;
        let mut left = count;
        let mut from = Some(slot);
        while let Some(slot) = from.filter(|_| left > 0) {
            let held = self.held.entry(slot).or_default();
            let taken = left.min(*held);
            (*held, left) = (*held - taken, left - taken);
            // The largest holder; of equals the one with the lowest slot.
            from = self.held.iter().filter(|(_, held)| **held > 0).max_by_key(|(slot, held)| (**held, std::cmp::Reverse(**slot))).map(|(slot, _)| *slot);
        }
        Ok(())
    }

    fn leave(&mut self, slot: usize) {
        self.free += self.held.remove(&slot).unwrap_or(0);
    }
}

struct Member {
    fabric: Fabric,
    semaphore: Semaphore,
}

impl Member {
    fn join(fabric: &Fabric) -> Member {
        let fabric = Fabric::attach(fabric.descriptor().try_clone_to_owned().unwrap()).unwrap();
        let semaphore = Semaphore::open(&fabric, "s").unwrap();
        Member { fabric, semaphore }
    }

    fn slot(&self) -> usize {
        self.fabric.member().unwrap().slot()
    }
}

fn kind(result: polyproc_ipc::Result<()>) -> Result<(), ErrorKind> {
    result.map_err(|error| error.kind())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_semaphore_is_what_its_model_is(value in 0_u32..6, bounded in any::<bool>(), acts in prop::collection::vec(act(), 1..120)) {
        watchdog(LONG, || {
            let fabric = capped(8 << 20);
            if bounded {
                BoundedSemaphore::create(&fabric, "s", value).unwrap();
            } else {
                Semaphore::create(&fabric, "s", value).unwrap();
            }
            let mut members: Vec<Member> = (0..MEMBERS).map(|_| Member::join(&fabric)).collect();
            let mut model = Model { free: value, held: BTreeMap::new(), bound: bounded.then_some(value) };
            for act in acts {
                match act {
                    Act::Acquire(who, count) => {
                        let got = kind(members[who].semaphore.acquire_many(count, Some(Duration::ZERO)));
                        assert_eq!(got, model.acquire(members[who].slot(), count));
                    }
                    Act::Release(who, count) => {
                        let got = kind(members[who].semaphore.release(count));
                        assert_eq!(got, model.release(members[who].slot(), count));
                    }
                    Act::Permits(who, count, other, given) => {
                        let slot = members[who].slot();
                        let guard = members[who].semaphore.permits(count, Some(Duration::ZERO));
                        assert_eq!(guard.as_ref().map(drop).map_err(polyproc_ipc::Error::kind), model.acquire(slot, count));
                        let got = kind(members[other].semaphore.release(given));
                        assert_eq!(got, model.release(members[other].slot(), given));
                        if let Ok(guard) = guard {
                            drop(guard);
                            let still = count.min(model.held.get(&slot).copied().unwrap_or(0));
                            let _ = model.release(slot, still);
                        }
                    }
                    Act::Leave(who) => {
                        let slot = members[who].slot();
                        // The old one leaves before the new one joins: the slot may be the same.
                        members.remove(who);
                        model.leave(slot);
                        members.insert(who, Member::join(&fabric));
                    }
                }
                assert_eq!(members[0].semaphore.value().unwrap(), model.free);
                for member in &members {
                    assert_eq!(member.semaphore.held().unwrap(), model.held.get(&member.slot()).copied().unwrap_or(0));
                }
            }
            drop(members);
            let free = model.held.values().sum::<u32>() + model.free;
            assert_eq!(Semaphore::open(&fabric, "s").unwrap().value().unwrap(), free, "all is free once all have left");
            whole(&fabric);
        });
    }
}
