//! Kills a member at every instruction of every operation, and asks each time whether the survivors find the fabric whole.
//!
//! | module | operations |
//! | --- | --- |
//! | `scene` | what all share: fresh fabrics, numbered messages, the judgement |
//! | `lock` | acquire, release, take over from the dead, with a waiter |
//! | `sync`, `sync_life` | recursive locks, semaphores, reader-writer locks, events |
//! | `condition`, `barrier` | waiting for others, notifying, passing a dead one's signal on, rounds and their breaking |
//! | `put`, `get` | the two sides of a queue, close |
//! | `lease` | lease, acknowledge, give back, lease again, reclaim |
//! | `dict` | dicts, sets and namespaces, and two deaths in them |
//! | `letters` | limited leases, messages for later, dead letters |
//! | `joined` | joinable queues, lanes, rings given back |
//! | `heap` | chunks of both kinds, growth, the cap, merging and splitting |
//! | `members` | join, leave, sweep |
//! | `objects` | making and destroying |
//! | `cells` | values and arrays: made, destroyed, opened, left, changed; a cell of a shareable list |
//! | `list` | whatever changes a list |
//! | `repair` | two deaths: the second while it repairs what the first left |
//!
//! A run of `cargo test` takes a sample of each operation's kill points. `POLYPROC_KILL_STRIDE=1` takes all (see `polyproc_testkit::step`).
//! Each kill point has its turn with every order in which survivors may sweep, use the object, and reshape the heap.

mod barrier;
mod cells;
mod condition;
mod dict;
mod get;
mod heap;
mod joined;
mod lease;
mod letters;
mod list;
mod lock;
mod members;
mod objects;
mod put;
mod repair;
mod scene;
mod sync;
mod sync_life;

use std::process::ExitCode;

use polyproc_testkit::leak::Watch;
use polyproc_testkit::step::Table;

fn main() -> ExitCode {
    let before = Watch::new().take();
    let mut table = Table::from_args();
    scene::warm_up();
    condition::warm_up();
    lock::run(&mut table);
    sync::run(&mut table);
    sync_life::run(&mut table);
    condition::run(&mut table);
    barrier::run(&mut table);
    put::run(&mut table);
    get::run(&mut table);
    lease::run(&mut table);
    dict::run(&mut table);
    letters::run(&mut table);
    joined::run(&mut table);
    heap::run(&mut table);
    members::run(&mut table);
    objects::run(&mut table);
    cells::run(&mut table);
    list::run(&mut table);
    repair::run(&mut table);
    before.assert_same();
    table.finish()
}
