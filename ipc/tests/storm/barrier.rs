//! A barrier that breaks whenever one of its parties is killed, and is reset: nobody stays stuck, and nobody goes on before its round is complete.

use std::path::{Path, PathBuf};

use polyproc_ipc::{Barrier, Error, ErrorKind, Fabric, Value};

use crate::kinds::{Kind, Worker};
use crate::ledger::{Act, Dice, Page};
use crate::patience::Patience;

const NAME: &str = "barrier";
/// Counted by each round's action, before anybody goes on.
const ROUNDS: &str = "barrier-rounds";
const PARTIES: usize = 2;
const WAIT: u8 = 1;
/// Answers besides the party's number.
const BROKEN: u64 = 100;
const NONE: u64 = 101;

pub(crate) struct Rounds {
    dir: PathBuf,
    /// Parties that went on, by their number in the round.
    went_on: [u64; PARTIES],
    broken: u64,
    killed: u64,
}

impl Rounds {
    pub(crate) fn new(fabric: &Fabric, dir: &Path) -> Rounds {
        Barrier::create(fabric, NAME, PARTIES, None).expect("a barrier");
        Value::create(fabric, ROUNDS, 0_u64).expect("a value");
        Rounds { dir: dir.to_owned(), went_on: [0; PARTIES], broken: 0, killed: 0 }
    }
}

struct Party {
    barrier: Barrier,
    rounds: Value<u64>,
    patience: Patience,
}

impl Kind for Rounds {
    fn name(&self) -> &'static str {
        "barrier"
    }

    fn worker(&self, fabric: &Fabric, _serial: u64) -> Box<dyn Worker> {
        let (barrier, rounds) = (Barrier::open(fabric, NAME).expect("the barrier"), Value::open(fabric, ROUNDS).expect("the value"));
        Box::new(Party { barrier, rounds, patience: Patience::new(fabric, &self.dir) })
    }

    fn enter(&mut self, acts: &[Act]) {
        for act in acts {
            match act.done {
                None => self.killed += 1,
                Some(BROKEN) => self.broken += 1,
                Some(NONE) => {}
                Some(number) => self.went_on[number as usize] += 1,
            }
        }
    }

    fn verdict(&mut self, fabric: &Fabric) -> String {
        let barrier = Barrier::open(fabric, NAME).expect("the barrier");
        barrier.reset().expect("a reset");
        assert!(!barrier.broken() && barrier.n_waiting().expect("its parties") == 0, "a dead party waits");
        let rounds = Value::<u64>::open(fabric, ROUNDS).expect("the value").load().expect("the rounds");
        for (number, went_on) in self.went_on.into_iter().enumerate() {
            let all = went_on + self.killed + self.broken;
            assert!(
                (went_on..=all).contains(&rounds),
                "{went_on} times party {number} went on in {rounds} rounds ({} killed, {} broken)",
                self.killed,
                self.broken
            );
        }
        format!("{rounds} rounds, of which {:?} saw the end; {} waits were broken, {} killed", self.went_on, self.broken, self.killed)
    }
}

impl Worker for Party {
    fn step(&mut self, dice: &mut Dice, ledger: &mut Page<'_>) {
        if dice.below(100) == 0 {
            return self.barrier.abort().expect("it breaks");
        }
        ledger.intend(WAIT, 0, 0);
        // A wait that runs out of time breaks the barrier, so it is one slice for all.
        let number = self.patience.wait(NAME, |slice| {
            let action = || self.rounds.fetch_add(1).map(drop);
            match self.barrier.wait_then::<Error>(Some(slice), action) {
                Ok(number) => Some(number as u64),
                Err(error) if error.kind() == ErrorKind::BrokenBarrier => {
                    self.barrier.reset().expect("a reset");
                    Some(BROKEN)
                }
                Err(error) if error.kind() == ErrorKind::OutOfMemory => Some(NONE),
                Err(error) => panic!("an error that must not be here: {error:?}"),
            }
        });
        ledger.done(number.unwrap_or(NONE));
    }
}
