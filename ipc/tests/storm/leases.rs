//! A queue whose messages are taken on a lease and acknowledged: each is acknowledged once or still there, whoever was killed. Nothing may be missing but where an
//! acknowledgement itself was cut short.

use std::collections::HashMap;
use std::time::Duration;

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric};

use crate::kinds::{Kind, Worker, first_id, id_of, message, unless};
use crate::ledger::{Act, Dice, Page};

const NAME: &str = "leases";
const PUT: u8 = 1;
const ACK: u8 = 2;
const ENOUGH: u64 = 60;
const MOMENT: Duration = Duration::from_millis(2);

pub(crate) struct Leases {
    messages: HashMap<u64, Fate>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    put: u32,
    perhaps_put: u32,
    acknowledged: u32,
    perhaps_acknowledged: u32,
    left: u32,
}

impl Leases {
    pub(crate) fn new(fabric: &Fabric) -> Leases {
        BytesQueue::create(fabric, NAME, 0).expect("a queue");
        Leases { messages: HashMap::new() }
    }
}

impl Kind for Leases {
    fn name(&self) -> &'static str {
        "leases"
    }

    fn worker(&self, fabric: &Fabric, serial: u64) -> Box<dyn Worker> {
        Box::new(Leaser { queue: BytesQueue::open(fabric, NAME).expect("the queue"), next: first_id(self.name(), serial) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            let fate = self.messages.entry(act.a).or_default();
            match (act.op, act.done) {
                (PUT, Some(put)) => fate.put += put as u32,
                (PUT, None) => fate.perhaps_put += 1,
                (_, Some(_)) => fate.acknowledged += 1,
                (_, None) => fate.perhaps_acknowledged += 1,
            }
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let queue = BytesQueue::open(fabric, NAME).expect("the queue");
        while let Some(message) = unless(queue.try_get(), &[ErrorKind::Empty]) {
            self.messages.entry(id_of(&message)).or_default().left += 1;
        }
        let (mut acknowledged, mut left, mut cut) = (0, 0, 0);
        for (id, fate) in &self.messages {
            let ends = fate.acknowledged + fate.left;
            let good = match fate {
                Fate { put: 0, perhaps_put: 0, .. } => ends == 0,
                Fate { put: 1, perhaps_acknowledged: 0, .. } => ends == 1,
                _ => ends <= 1,
            };
            assert!(good, "message {id:#x}: {fate:?}");
            acknowledged += fate.acknowledged;
            left += fate.left;
            cut += fate.perhaps_acknowledged;
        }
        format!("{acknowledged} acknowledged, {left} left at the end, {cut} acknowledgements were cut short")
    }
}

struct Leaser {
    queue: BytesQueue,
    next: u64,
}

impl Worker for Leaser {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        if (self.queue.len() as u64) < dice.below(2 * ENOUGH) {
            self.next += 1;
            let message = message(self.next);
            ledger.intend(PUT, self.next, 0);
            let put = unless(self.queue.put(&message), &[ErrorKind::OutOfMemory]);
            ledger.done(u64::from(put.is_some()));
            return;
        }
        // Whoever dies here has it back in the queue, so there is nothing to write down.
        let Some(lease) = unless(self.queue.get_lease_timeout(Some(MOMENT)), &[ErrorKind::Timeout, ErrorKind::OutOfMemory]) else { return };
        assert!(lease.deliveries() >= 1);
        let id = id_of(&lease);
        lease.set_progress(dice.roll());
        if dice.below(4) == 0 {
            return; // dropped: it goes back
        }
        ledger.intend(ACK, id, 0);
        lease.ack().expect("an acknowledgement");
        ledger.done(0);
    }
}
