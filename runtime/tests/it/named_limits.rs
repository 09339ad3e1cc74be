//! Pools with a name where something is scarce or large: blocks from and to a client, and a fabric that is full when somebody comes.

use polyproc::{Block, ErrorKind, Fabric, Options, Pool, Process, Queue, Retry, Semaphore, Worker, current_call, ipc, task};
use polyproc_testkit::temp::unique_name;

use crate::pool::square;
use crate::{kill, until, watched};

const POOL: &str = "jobs";
const LEN: usize = 100_000;

fn column(start: u32) -> Block<u32> {
    (start..).take(LEN).collect()
}

/// Its columns, each with every value doubled, in new blocks; dies in its first attempt if that is wished.
#[task]
fn double(columns: Vec<Block<u32>>, dies: bool) -> Vec<Block<u32>> {
    if dies && current_call().unwrap().attempt() == 1 {
        kill(std::process::id());
        loop {
            std::thread::park();
        }
    }
    let twice = |column: &Block<u32>| {
        assert!(column.is_shared());
        let mut doubled = Block::new(&Fabric::current().unwrap(), column.len()).unwrap();
        doubled.iter_mut().zip(&**column).for_each(|(to, from)| *to = from * 2);
        doubled
    };
    columns.iter().map(twice).collect()
}

#[task]
fn fails_at_first(column: Block<u32>) -> Block<u32> {
    assert!(current_call().unwrap().attempt() > 1, "on purpose");
    column
}

/// What another program does with blocks.
#[task]
fn sends_blocks(fabric: String) {
    let fabric = Fabric::open(&fabric).unwrap();
    let pool = Pool::connect(&fabric, POOL).unwrap();
    let right =
        |doubled: &[Block<u32>], start: u32| doubled.iter().zip(start..).all(|(block, start)| block.iter().zip(start..).all(|(n, from)| *n == from * 2));
    for start in 0..5 {
        // From this process's memory; from the fabric, moved.
        let mut moved = Block::copy_to(&fabric, &column(start + 1)).unwrap();
        moved[0] = start + 1;
        let doubled = pool.apply(double, (vec![column(start), moved], false)).unwrap();
        assert!(doubled.iter().all(Block::is_shared) && right(&doubled, start));
    }
    let patient = Options::new().retry(Retry::on_death(2).or_error());
    assert!(right(&pool.with(patient).apply(double, (vec![column(3)], true)).unwrap(), 3));
    assert!(*pool.with(patient).apply(fails_at_first, (column(4),)).unwrap() == *column(4));
    assert_eq!(pool.apply(double, (vec![column(3)], true)).unwrap_err().kind(), ErrorKind::WorkerDied);
    let all: Vec<Block<u32>> = pool.with(patient).imap(fails_at_first, (0..6).map(column)).unwrap().collect::<polyproc::Result<_>>().unwrap();
    assert!(all.iter().zip(0..).all(|(block, start)| **block == *column(start)));
}

fn assert_bare(fabric: &Fabric, objects: usize) {
    fabric.sweep().unwrap();
    let report = fabric.check().unwrap();
    assert!(report.is_whole(), "{report:?}");
    let left = fabric.objects().unwrap();
    assert_eq!((left.len(), report.private_chunks), (objects, 0), "{left:?}");
}

#[test]
fn a_client_sends_blocks_and_gets_blocks() {
    watched(|| {
        let name = unique_name("blocks");
        let fabric = Fabric::builder().cap(64 << 20).create(&name).unwrap();
        let pool = Pool::builder().fabric(&fabric).name(POOL).workers(2).build().unwrap();
        let client = Process::spawn(sends_blocks, (name,)).unwrap();
        let exit = client.join().unwrap();
        assert!(exit.success(), "{exit:?}");
        pool.close();
        pool.join().unwrap();
        drop(pool);
        assert_bare(&fabric, 0);
    });
}

#[task]
fn holds(gate: Semaphore, _column: Block<u32>) {
    gate.acquire(None).unwrap();
}

#[test]
fn who_is_in_a_call_with_blocks_is_told() {
    watched(|| {
        let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
        let gate = Semaphore::new(&fabric, 0).unwrap();
        let pool = Pool::builder().fabric(&fabric).workers(2).build().unwrap();
        // Of one call, and of several in a batch.
        let one = pool.submit(holds, (gate.clone(), column(0))).unwrap();
        let some = pool.with(Options::new().chunk_size(3)).starmap_async(holds, (0..3).map(|n| (gate.clone(), column(n)))).unwrap();
        until(|| pool.progress().workers.iter().all(|worker| worker.since.is_some()));
        let progress = pool.progress();
        for worker in &progress.workers {
            assert_eq!(worker.busy_with.as_deref(), Some(holds.name()), "{progress:?}");
        }
        assert_eq!((progress.running, progress.queued, progress.submitted), (2, 2, 4), "{progress:?}");
        gate.release(4).unwrap();
        one.get().unwrap();
        some.get().unwrap();
    });
}

/// Comes to a pool in a fabric that is full, and again with a little more room each time, until it is let in; says what it was told before.
#[task]
fn knocks(fabric: String, as_client: bool) -> Vec<(i32, String)> {
    let fabric = Fabric::open(&fabric).unwrap();
    // Large pieces first, then ever smaller ones, down to the smallest that there are.
    let fill = |fabric: &Fabric| {
        let mut filler = Vec::new();
        for bytes in [1 << 20, 64 << 10, 4096, 1024, 512, 256, 128, 64, 16] {
            while let Ok(block) = Block::<u8>::new(fabric, bytes) {
                filler.push(block);
            }
        }
        filler
    };
    let mut filler = fill(&fabric);
    let mut told = Vec::new();
    loop {
        let error = if as_client {
            match Pool::connect(&fabric, POOL) {
                Ok(client) => {
                    drop(filler);
                    assert_eq!(client.apply(square, (5,)).unwrap(), 25);
                    return told;
                }
                Err(error) => error,
            }
        } else {
            match Worker::new(&fabric, POOL) {
                Ok(mut worker) => {
                    drop(filler);
                    Queue::<u64>::open(&fabric, "in").unwrap().put(&0).unwrap();
                    worker.run().unwrap();
                    return told;
                }
                Err(error) => error,
            }
        };
        told.push((error.kind().number(), error.to_string()));
        // The smallest go first, so that the room grows by little.
        assert!(filler.pop().is_some(), "never let in: {told:?}");
    }
}

#[test]
fn a_full_fabric_lets_nobody_in_and_says_so() {
    watched(|| {
        for as_client in [false, true] {
            let name = unique_name("full");
            let fabric = Fabric::builder().cap(8 << 20).create(&name).unwrap();
            let come = Queue::<u64>::open_or_create(&fabric, "in", 0).unwrap();
            let pool = Pool::builder().fabric(&fabric).name(POOL).workers(1).events(0).build().unwrap();
            assert_eq!(pool.apply(square, (3,)).unwrap(), 9);
            let others = Pool::new(1).unwrap();
            let guest = others.submit(knocks, (name.clone(), as_client)).unwrap();
            if !as_client {
                come.get().unwrap();
                // Let in: one of two that take gates.
                until(|| pool.workers().iter().filter(|worker| worker.joined).count() == 1);
                assert_eq!(pool.map(square, 0..50).unwrap().len(), 50);
                pool.close();
                pool.join().unwrap();
            }
            let told = guest.get().unwrap();
            assert!(!told.is_empty());
            for (number, sentence) in told {
                assert_eq!(number, ipc::ErrorKind::OutOfMemory.number(), "{sentence}");
            }
            drop((pool, others, come));
            assert_bare(&fabric, 1);
        }
    });
}
