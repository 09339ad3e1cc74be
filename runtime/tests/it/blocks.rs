//! Blocks as arguments and results: where they lie, that a retry and a death bring them along, and that nothing of them is left.

use polyproc::{Block, ErrorKind, Fabric, Options, Pool, Process, Queue, Retry, current_call, task};

use crate::watched;

const LEN: usize = 100_000;

/// A fabric of the test's own: what lies in it at the end is the test's.
fn fabric() -> Fabric {
    Fabric::builder().cap(256 << 20).private().unwrap()
}

fn column(start: u32) -> Block<u32> {
    (start..).take(LEN).collect()
}

#[task]
fn sum(block: Block<u32>) -> (u64, bool) {
    (block.iter().map(|&n| u64::from(n)).sum(), block.is_shared())
}

/// A new block in the fabric, with every value doubled.
#[task]
fn double(block: Block<u32>) -> Block<u32> {
    let mut doubled = Block::new(&Fabric::current().unwrap(), block.len()).unwrap();
    doubled.iter_mut().zip(&*block).for_each(|(to, from)| *to = from * 2);
    doubled
}

#[task]
fn same(block: Block<u32>, other: Vec<Block<u8>>) -> (Vec<Block<u8>>, Block<u32>) {
    (other, block)
}

#[task]
fn dies_at_first(block: Block<u32>) -> u64 {
    if current_call().unwrap().attempt() == 1 {
        std::process::abort();
    }
    block.iter().map(|&n| u64::from(n)).sum()
}

#[task]
fn panics_at_first(block: Block<u32>) -> u64 {
    assert!(current_call().unwrap().attempt() > 1, "on purpose");
    block.iter().map(|&n| u64::from(n)).sum()
}

#[task]
fn keeps(block: Block<u32>) -> usize {
    static KEPT: std::sync::Mutex<Vec<Block<u32>>> = std::sync::Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap();
    kept.push(block);
    assert!(kept.iter().enumerate().all(|(n, block)| block[0] == n as u32), "what was kept is what was sent");
    kept.len()
}

#[task]
fn tell(block: Block<f64>, answer: Queue<f64>) {
    answer.put(&block.iter().sum()).unwrap();
}

fn of(start: u32) -> u64 {
    (u64::from(start)..).take(LEN).sum()
}

fn nothing_is_left(fabric: &Fabric) {
    fabric.sweep().unwrap();
    let report = fabric.check().unwrap();
    assert_eq!((report.private_chunks, report.objects), (0, 0), "{report:?}");
}

#[test]
fn blocks_go_in_and_out() {
    watched(|| {
        let fabric = fabric();
        let pool = Pool::builder().workers(2).fabric(&fabric).build().unwrap();
        for start in 0..4 {
            assert_eq!(pool.apply(sum, (column(start),)).unwrap(), (of(start), true));
            let doubled = pool.apply(double, (column(start),)).unwrap();
            assert!(doubled.is_shared() && doubled.iter().zip(&*column(start)).all(|(a, b)| *a == b * 2));
        }
        let sums = pool.map(sum, (0..10).map(column)).unwrap();
        assert_eq!(sums, (0..10).map(|start| (of(start), true)).collect::<Vec<_>>());
        let columns: Vec<Block<u32>> = pool.imap(double, (0..10).map(column)).unwrap().collect::<polyproc::Result<_>>().unwrap();
        assert!(columns.iter().enumerate().all(|(n, block)| block[1] as usize == 2 * (n + 1)));
        let others: Vec<Block<u8>> = (0..5).map(|n| vec![n; 3000 * usize::from(n)].into()).collect();
        assert_eq!(pool.apply(same, (column(7), others.clone())).unwrap(), (others, column(7)));
        // What lies in the fabric already is moved, not copied: its memory comes back with the result.
        let mut moved = Block::copy_to(&fabric, &column(1)).unwrap();
        moved[0] = 9;
        assert_eq!(pool.apply(sum, (moved,)).unwrap(), (of(1) + 8, true));
        drop((columns, pool));
        nothing_is_left(&fabric);
    });
}

#[test]
fn retries_bring_their_blocks_along() {
    watched(|| {
        let fabric = fabric();
        let pool = Pool::builder().workers(2).fabric(&fabric).build().unwrap();
        let patient = Options::new().retry(Retry::on_death(3).or_error());
        assert_eq!(pool.with(patient).apply(dies_at_first, (column(3),)).unwrap(), of(3));
        assert_eq!(pool.with(patient).apply(panics_at_first, (column(4),)).unwrap(), of(4));
        // Several calls of one batch, of which the dead worker had begun the first.
        let sums = pool.with(patient.chunk_size(4)).map(dies_at_first, (0..4).map(|start| Block::from(&column(start)[..2000]))).unwrap();
        assert_eq!(sums, (0..4).map(|start: u64| (start..).take(2000).sum()).collect::<Vec<u64>>());
        let error = pool.apply(dies_at_first, (column(5),)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WorkerDied);
        drop(pool);
        nothing_is_left(&fabric);
    });
}

#[test]
fn a_block_that_a_task_keeps_stays_what_it_is() {
    watched(|| {
        let fabric = fabric();
        let pool = Pool::builder().workers(1).fabric(&fabric).build().unwrap();
        for n in 0..5 {
            assert_eq!(pool.apply(keeps, (column(n),)).unwrap(), n as usize + 1);
        }
        drop(pool);
        nothing_is_left(&fabric);
    });
}

#[test]
fn a_process_takes_blocks_too() {
    watched(|| {
        let answer = Queue::new(&Fabric::current().unwrap(), 0).unwrap();
        let process = Process::spawn(tell, (Block::from(vec![0.5; LEN]), answer.clone())).unwrap();
        assert_eq!(answer.get().unwrap().to_bits(), (LEN as f64 / 2.0).to_bits());
        assert!(process.join().unwrap().success());
    });
}
