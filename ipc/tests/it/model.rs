//! Queues with lanes, limits on leases and deliveries, dead letters and joining, against a model.

use std::collections::BTreeMap;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, DeadReason, ErrorKind, Lease};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, capped, whole};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
enum Act {
    Put(usize, usize),
    Get,
    Done,
    Lease,
    /// With a limit that is over at once, or not for an hour.
    LeaseFor(bool),
    Ack(usize),
    Drop(usize),
    Nak(usize, bool),
    /// To nothing, or to an hour.
    Extend(usize, bool),
    Bury(usize),
    GetLetter,
    CloseLetters,
}

fn act() -> impl Strategy<Value = Act> {
    let size = prop_oneof![4 => 1_usize..200, 2 => 2030_usize..2070, 1 => 3000_usize..70_000];
    prop_oneof![
        80 => (0_usize..3, size).prop_map(|(lane, size)| Act::Put(lane, size)),
        40 => Just(Act::Get),
        30 => Just(Act::Done),
        40 => Just(Act::Lease),
        30 => any::<bool>().prop_map(Act::LeaseFor),
        20 => any::<usize>().prop_map(Act::Ack),
        20 => any::<usize>().prop_map(Act::Drop),
        30 => (any::<usize>(), any::<bool>()).prop_map(|(index, now)| Act::Nak(index, now)),
        20 => (any::<usize>(), any::<bool>()).prop_map(|(index, now)| Act::Extend(index, now)),
        10 => any::<usize>().prop_map(Act::Bury),
        20 => Just(Act::GetLetter),
        1 => Just(Act::CloseLetters),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Item {
    number: u64,
    size: usize,
    deliveries: u32,
}

/// What a queue ought to hold. A lease's time is over as soon as anything looks at the clock: every act that gets or counts does.
#[derive(Default)]
struct Model {
    there: BTreeMap<(usize, u64), Item>,
    leased: BTreeMap<u64, (usize, Item, bool)>,
    delayed: usize,
    taken: usize,
    letters: BTreeMap<u64, (Item, DeadReason)>,
    buried: BTreeMap<u64, (Item, DeadReason)>,
    closed_letters: bool,
    most: u32,
    next: u64,
}

impl Model {
    fn look(&mut self) {
        let over: Vec<u64> = self.leased.iter().filter(|(_, (_, _, over))| *over).map(|(number, _)| *number).collect();
        for number in over {
            self.back(number, false, DeadReason::Expired);
        }
    }

    fn back(&mut self, number: u64, later: bool, reason: DeadReason) {
        let (lane, item, _) = self.leased.remove(&number).expect("on lease");
        if self.most != 0 && item.deliveries >= self.most {
            self.bury(item, reason);
        } else if later {
            self.delayed += 1;
        } else {
            self.there.insert((lane, number), item);
        }
    }

    fn bury(&mut self, item: Item, reason: DeadReason) {
        let to = if self.closed_letters { &mut self.buried } else { &mut self.letters };
        to.insert(item.number, (item, reason));
    }
}

fn bytes(number: u64, size: usize) -> Vec<u8> {
    (0..size).map(|at| (number as usize * 31 + at) as u8).collect()
}

fn check(got: &[u8], item: Item) {
    assert!(got == bytes(item.number, item.size), "message {} of {} bytes was due, these are {}", item.number, item.size, got.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_with_everything_does_what_its_model_does(lanes in 1_usize..4, most in 0_u32..4, acts in prop::collection::vec(act(), 1..200)) {
        watchdog(LONG, || {
            let fabric = capped(32 << 20);
            let letters = BytesQueue::new(&fabric, 1).unwrap();
            let queue = BytesQueue::builder().lanes(lanes).max_deliveries(most).dead_letters(&letters).joinable().new_in(&fabric).unwrap();
            let mut model = Model { most, ..Model::default() };
            let mut leases: Vec<(Lease, u64, bool)> = Vec::new();
            for act in acts {
                let pick = |leases: &mut Vec<(Lease, u64, bool)>, index: usize| (!leases.is_empty()).then(|| leases.swap_remove(index % leases.len()));
                // Whether the lease is its holder's still, as far as the model knows.
                let held = |model: &Model, lease: &Lease, number: u64| model.leased.get(&number).is_some_and(|(_, item, _)| item.deliveries == lease.deliveries());
                match act {
                    Act::Put(lane, size) => {
                        let lane = lane % lanes;
                        queue.put_to(lane, &bytes(model.next, size)).unwrap();
                        model.there.insert((lane, model.next), Item { number: model.next, size, deliveries: 0 });
                        model.next += 1;
                    }
                    Act::Get => {
                        model.look();
                        match queue.try_get() {
                            Ok(message) => {
                                check(&message, model.there.pop_first().expect("something to get").1);
                                model.taken += 1;
                            }
                            Err(error) => assert_eq!((error.kind(), model.there.len()), (ErrorKind::Empty, 0)),
                        }
                    }
                    Act::Done => match queue.task_done() {
                        Ok(()) => model.taken -= 1,
                        Err(error) => assert_eq!((error.kind(), model.taken), (ErrorKind::NotHeld, 0)),
                    },
                    Act::Lease | Act::LeaseFor(_) => {
                        model.look();
                        let limit = if let Act::LeaseFor(now) = act { Some(if now { Duration::ZERO } else { HOUR }) } else { None };
                        let got = match limit {
                            None => queue.get_lease_timeout(Some(Duration::ZERO)),
                            Some(limit) => queue.lease_for_timeout(limit, Some(Duration::ZERO)),
                        };
                        match got {
                            Ok(lease) => {
                                let ((lane, number), mut item) = model.there.pop_first().expect("something to get");
                                item.deliveries += 1;
                                check(&lease, item);
                                assert_eq!(lease.deliveries(), item.deliveries);
                                model.leased.insert(number, (lane, item, limit == Some(Duration::ZERO)));
                                leases.push((lease, number, limit.is_some()));
                            }
                            Err(error) => assert_eq!((error.kind(), model.there.len()), (ErrorKind::Timeout, 0)),
                        }
                    }
                    Act::Ack(index) | Act::Nak(index, _) | Act::Bury(index) | Act::Drop(index) => if let Some((lease, number, _)) = pick(&mut leases, index) {
                        let held = held(&model, &lease, number);
                        let ended = match act {
                            Act::Ack(_) => lease.ack(),
                            Act::Nak(_, now) => lease.nak(if now { Duration::ZERO } else { HOUR }),
                            Act::Bury(_) => lease.bury(),
                            _ => { drop(lease); if held { Ok(()) } else { Err(polyproc_ipc::Error::new(ErrorKind::LeaseLost, "")) } }
                        };
                        assert_eq!(ended.map_err(|error| error.kind()), if held { Ok(()) } else { Err(ErrorKind::LeaseLost) });
                        if held {
                            match act {
                                Act::Ack(_) => drop(model.leased.remove(&number)),
                                Act::Nak(_, now) => model.back(number, !now, DeadReason::GivenBack),
                                Act::Bury(_) => {
                                    let (_, item, _) = model.leased.remove(&number).unwrap();
                                    model.bury(item, DeadReason::Buried);
                                }
                                _ => model.back(number, false, DeadReason::GivenBack),
                            }
                        }
                    },
                    Act::Extend(index, now) => if !leases.is_empty() {
                        let index = index % leases.len();
                        let (lease, number, limited) = &leases[index];
                        let held = held(&model, lease, *number);
                        let extended = lease.extend(if now { Duration::ZERO } else { HOUR }).map_err(|error| error.kind());
                        assert_eq!(extended, if !limited { Err(ErrorKind::InvalidArgument) } else if held { Ok(()) } else { Err(ErrorKind::LeaseLost) });
                        if held && *limited {
                            model.leased.get_mut(number).unwrap().2 = now;
                        }
                    },
                    Act::GetLetter => {
                        // In the order in which they died; by number they are told apart.
                        if let Ok(letter) = letters.try_get() {
                            let told = letter.dead_letter().unwrap();
                            let number = *model.letters.iter().find(|(number, (item, _))| *letter == *bytes(**number, item.size)).expect("a letter that was expected").0;
                            let (item, reason) = model.letters.remove(&number).unwrap();
                            assert_eq!((told.deliveries, told.reason), (item.deliveries, reason));
                        } else {
                            assert!(model.letters.is_empty() || letters.is_empty());
                        }
                    }
                    Act::CloseLetters => {
                        letters.close().unwrap();
                        model.closed_letters = true;
                    }
                }
                model.look();
                assert_eq!((queue.len(), queue.leased(), queue.delayed()), (model.there.len(), model.leased.len(), model.delayed));
                assert_eq!((queue.buried(), letters.len()), (model.buried.len(), model.letters.len()));
                assert_eq!(queue.unfinished().unwrap(), model.there.len() + model.leased.len() + model.delayed + model.taken);
                assert_eq!(queue.join_timeout(Duration::ZERO).is_ok(), queue.unfinished().unwrap() == 0);
            }
            for (number, (item, reason)) in model.buried {
                // The order is by lane, then by number: with one lane, by number.
                let letter = queue.get_buried().unwrap();
                if lanes == 1 {
                    check(&letter, item);
                    assert_eq!((letter.dead_letter().unwrap().reason, number), (reason, item.number));
                }
            }
            whole(&fabric);
            drop(leases);
            queue.destroy().unwrap();
            letters.destroy().unwrap();
            let report = whole(&fabric);
            assert_eq!((report.objects, report.private_chunks), (0, 0));
        });
    }
}
