//! Random sequences of operations against a model: the heap through loans and messages, and queues against an ordered map.

use std::collections::BTreeMap;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Lease, Loan, Message};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, capped, whole};

fn cases(count: u32) -> ProptestConfig {
    // Found cases are printed; files of them would be left in the source tree.
    ProptestConfig { cases: count, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() }
}

/// Sizes around every border: the inline limit, the largest class, the unit.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1_usize..600,
        3 => 1900_usize..2300,
        3 => 600_usize..40_000,
        2 => 65_000_usize..66_000,
        2 => 40_000_usize..400_000,
        1 => 400_000_usize..3_000_000,
    ]
}

#[derive(Clone, Debug)]
enum HeapAct {
    Loan(usize),
    DropLoan(usize),
    Put(usize),
    Get,
    DropMessage(usize),
}

fn heap_act() -> impl Strategy<Value = HeapAct> {
    prop_oneof![
        5 => sizes().prop_map(HeapAct::Loan),
        2 => any::<usize>().prop_map(HeapAct::DropLoan),
        3 => any::<usize>().prop_map(HeapAct::Put),
        2 => Just(HeapAct::Get),
        3 => any::<usize>().prop_map(HeapAct::DropMessage),
    ]
}

/// Fills with a pattern that no other chunk has.
fn fill(bytes: &mut [u8], tag: u64) {
    bytes.chunks_mut(8).zip(0_u64..).for_each(|(chunk, i)| chunk.copy_from_slice(&(tag << 32 | i).to_le_bytes()[..chunk.len()]));
}

fn is_filled(bytes: &[u8], tag: u64) -> bool {
    bytes.chunks(8).zip(0_u64..).all(|(chunk, i)| *chunk == (tag << 32 | i).to_le_bytes()[..chunk.len()])
}

fn take<T>(from: &mut Vec<T>, index: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(index % from.len()))
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn chunks_never_overlap_and_all_come_back(acts in prop::collection::vec(heap_act(), 1..200)) {
        watchdog(LONG, || {
            let fabric = capped(24 << 20);
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            queue.put(b"the ring is there").unwrap();
            queue.get().unwrap();
            let before = whole(&fabric);
            let mut loans: Vec<(Loan, u64, usize)> = Vec::new();
            let mut queued: Vec<(u64, usize)> = Vec::new();
            let mut messages: Vec<(Message, u64, usize)> = Vec::new();
            let mut tag = 0;
            for act in acts {
                tag += 1;
                match act {
                    HeapAct::Loan(size) => match queue.loan(size) {
                        Ok(mut loan) => {
                            fill(&mut loan, tag);
                            loans.push((loan, tag, size));
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::OutOfMemory),
                    },
                    HeapAct::DropLoan(index) => if let Some((loan, tag, size)) = take(&mut loans, index) {
                        assert!(loan.len() == size && is_filled(&loan, tag));
                    },
                    HeapAct::Put(index) => if let Some((loan, tag, size)) = take(&mut loans, index) {
                        assert!(is_filled(&loan, tag));
                        queue.put_loan(loan).unwrap();
                        queued.push((tag, size));
                    },
                    HeapAct::Get => if let Ok(message) = queue.try_get() {
                        let (tag, size) = queued.remove(0);
                        assert_eq!(message.len(), size);
                        messages.push((message, tag, size));
                    },
                    HeapAct::DropMessage(index) => if let Some((message, tag, _)) = take(&mut messages, index) {
                        assert!(is_filled(&message, tag));
                    },
                }
            }
            let report = whole(&fabric);
            assert_eq!(report.private_chunks, loans.len() + messages.len());
            assert_eq!(report.held_chunks, before.held_chunks + queued.len());
            assert!(loans.iter().all(|(loan, tag, _)| is_filled(loan, *tag)));
            assert!(messages.iter().all(|(message, tag, _)| is_filled(message, *tag)));
            drop((loans, messages));
            for (tag, _) in queued {
                assert!(is_filled(&queue.try_get().unwrap(), tag));
            }
            let after = whole(&fabric);
            assert_eq!((after.private_chunks, after.held_chunks), (0, before.held_chunks));
        });
    }
}

#[derive(Clone, Debug)]
enum QueueAct {
    Put(usize),
    TryPut(usize),
    PutMany(Vec<usize>),
    Get,
    GetMany(usize),
    Lease,
    Ack(usize),
    DropLease(usize),
    Close,
}

fn message_size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0_usize..200, 3 => 2030_usize..2070, 2 => 200_usize..6000, 1 => 30_000_usize..70_000]
}

fn queue_act() -> impl Strategy<Value = QueueAct> {
    prop_oneof![
        60 => message_size().prop_map(QueueAct::Put),
        60 => message_size().prop_map(QueueAct::TryPut),
        30 => prop::collection::vec(message_size(), 0..12).prop_map(QueueAct::PutMany),
        60 => Just(QueueAct::Get),
        30 => (0_usize..20).prop_map(QueueAct::GetMany),
        60 => Just(QueueAct::Lease),
        30 => any::<usize>().prop_map(QueueAct::Ack),
        30 => any::<usize>().prop_map(QueueAct::DropLease),
        1 => Just(QueueAct::Close),
    ]
}

/// What the queue ought to hold: messages by number; those that came back from a lease do not count against the limit.
#[derive(Default)]
struct Model {
    there: BTreeMap<u64, (usize, u32)>,
    next: u64,
    capacity: usize,
    closed: bool,
}

impl Model {
    fn fresh(&self) -> usize {
        self.there.values().filter(|(_, deliveries)| *deliveries == 0).count()
    }

    fn room(&self) -> usize {
        if self.capacity == 0 { usize::MAX } else { self.capacity.saturating_sub(self.fresh()) }
    }

    fn put(&mut self, size: usize) {
        self.there.insert(self.next, (size, 0));
        self.next += 1;
    }

    fn refusal(&self) -> ErrorKind {
        if self.closed { ErrorKind::Closed } else { ErrorKind::Empty }
    }
}

fn bytes(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fill(&mut bytes, number);
    bytes
}

/// Takes `got` from the model, which must be what comes first there.
fn check_front(model: &mut Model, got: &[u8]) -> (u64, usize, u32) {
    let (number, (size, deliveries)) = model.there.pop_first().expect("something to get");
    assert!(got.len() == size && is_filled(got, number), "message {number} of {size} bytes was due, these are {}", got.len());
    (number, size, deliveries)
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn a_queue_does_what_its_model_does(capacity in prop_oneof![Just(0_usize), 1_usize..20], acts in prop::collection::vec(queue_act(), 1..250)) {
        watchdog(LONG, || {
            let fabric = capped(32 << 20);
            let queue = BytesQueue::new(&fabric, capacity).unwrap();
            let mut model = Model { capacity, ..Model::default() };
            let mut leases: Vec<(Lease, u64, usize)> = Vec::new();
            for act in acts {
                match act {
                    QueueAct::Put(size) => {
                        let message = bytes(model.next, size);
                        match queue.put_timeout(&message, Duration::ZERO).map_err(|error| error.kind()) {
                            Ok(()) => { assert!(model.room() > 0 && !model.closed); model.put(size) }
                            Err(kind) => assert_eq!(kind, if model.closed { ErrorKind::Closed } else { assert_eq!(model.room(), 0); ErrorKind::Timeout }),
                        }
                    }
                    QueueAct::TryPut(size) => match queue.try_put(&bytes(model.next, size)).map_err(|error| error.kind()) {
                        Ok(()) => { assert!(model.room() > 0 && !model.closed); model.put(size) }
                        Err(kind) => assert_eq!(kind, if model.closed { ErrorKind::Closed } else { assert_eq!(model.room(), 0); ErrorKind::Full }),
                    },
                    QueueAct::PutMany(sizes) => {
                        let sizes = &sizes[..sizes.len().min(model.room())];
                        let messages: Vec<Vec<u8>> = sizes.iter().zip(model.next..).map(|(size, number)| bytes(number, *size)).collect();
                        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
                        match queue.put_many(&slices).map_err(|error| error.kind()) {
                            Ok(count) => {
                                assert_eq!(count, sizes.len());
                                sizes.iter().for_each(|size| model.put(*size));
                            }
                            Err(kind) => assert_eq!((kind, model.closed), (ErrorKind::Closed, true)),
                        }
                    }
                    QueueAct::Get => match queue.try_get() {
                        Ok(message) => { check_front(&mut model, &message); }
                        Err(error) => assert_eq!((error.kind(), model.there.len()), (model.refusal(), 0)),
                    },
                    QueueAct::GetMany(max) => match queue.get_many_timeout(max, Duration::ZERO) {
                        Ok(messages) => {
                            assert_eq!(messages.len(), max.min(model.there.len()));
                            messages.iter().for_each(|message| { check_front(&mut model, message); });
                        }
                        Err(error) => assert_eq!((error.kind() == ErrorKind::Closed, model.there.len()), (model.closed, 0)),
                    },
                    QueueAct::Lease => match queue.get_lease_timeout(Some(Duration::ZERO)) {
                        Ok(lease) => {
                            let (number, size, deliveries) = check_front(&mut model, &lease);
                            assert_eq!(lease.deliveries(), deliveries + 1);
                            leases.push((lease, number, size));
                        }
                        Err(error) => assert_eq!((error.kind() == ErrorKind::Closed, model.there.len()), (model.closed, 0)),
                    },
                    QueueAct::Ack(index) => if let Some((lease, number, _)) = take(&mut leases, index) {
                        assert!(is_filled(&lease, number));
                        lease.ack().unwrap();
                    },
                    QueueAct::DropLease(index) => if let Some((lease, number, size)) = take(&mut leases, index) {
                        model.there.insert(number, (size, lease.deliveries()));
                    },
                    QueueAct::Close => {
                        queue.close().unwrap();
                        model.closed = true;
                    }
                }
                assert_eq!((queue.len(), queue.is_closed()), (model.there.len(), model.closed));
            }
            whole(&fabric);
            leases.drain(..).for_each(|(lease, number, size)| { model.there.insert(number, (size, lease.deliveries())); });
            while !model.there.is_empty() {
                check_front(&mut model, &queue.try_get().unwrap());
            }
            assert!(queue.is_empty());
            let report = whole(&fabric);
            assert_eq!(report.private_chunks, 0);
            queue.destroy().unwrap();
            assert_eq!(whole(&fabric).objects, 0);
        });
    }
}
