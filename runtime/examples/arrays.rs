//! Columns of a million numbers go to worker processes and come back, with one copy on the way in and none on the way out.
//!
//! ```text
//! cargo run --release --example arrays -- [COLUMNS]
//! ```
//!
//! Each column (8 MiB) is normalised: mean 0, deviation 1. The same is done with plain vectors, which go through the codec, for comparison.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use polyproc::{Block, Fabric, Pool, task};

const LEN: usize = 1 << 20;

/// Reads the column where it lies, and writes the answer where the parent will read it.
#[task]
fn normalise(column: Block<f64>) -> Block<f64> {
    let fabric = Fabric::current().expect("a worker has a fabric");
    let mut out = Block::new(&fabric, column.len()).expect("room for a column");
    normal(&column, &mut out);
    out
}

#[task]
fn normalise_vector(column: Vec<f64>) -> Vec<f64> {
    let mut out = vec![0.0; column.len()];
    normal(&column, &mut out);
    out
}

fn normal(column: &[f64], out: &mut [f64]) {
    let count = column.len() as f64;
    let mean = column.iter().sum::<f64>() / count;
    let deviation = (column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    for (to, from) in out.iter_mut().zip(column) {
        *to = (from - mean) / deviation;
    }
}

fn columns(count: usize) -> impl Iterator<Item = Vec<f64>> {
    (0..count).map(|n| (0..LEN).map(|i| ((i * (n + 3)) % 1009) as f64).collect())
}

fn run(count: usize) -> Result<(), Box<dyn Error>> {
    let fabric = Fabric::builder().cap(1 << 30).private()?;
    let pool = Pool::builder().workers(2).fabric(&fabric).build()?;
    let input: Vec<Vec<f64>> = columns(count).collect();

    let started = Instant::now();
    let mut first = Vec::new();
    for (n, column) in pool.imap(normalise, input.iter().map(|column| Block::from(&column[..])))?.enumerate() {
        let column = column?;
        assert!(column.is_shared() && column.iter().sum::<f64>().abs() < 1e-3, "column {n} is not normal");
        if n == 0 {
            first = column[..4].to_vec();
        }
    }
    report("blocks", count, started);

    let started = Instant::now();
    for column in pool.imap(normalise_vector, input)? {
        assert!(column?.len() == LEN);
    }
    report("vectors", count, started);
    println!("the first column begins {first:.3?}");
    Ok(())
}

fn report(what: &str, count: usize, started: Instant) {
    let (seconds, bytes) = (started.elapsed().as_secs_f64(), (count * LEN * 8) as f64);
    println!("{what:8} {count} columns of 8 MiB in {seconds:.3} s: {:.2} GB/s in, and as much out", bytes / seconds / 1e9);
}

fn main() -> ExitCode {
    let count = std::env::args().nth(1).map_or(Ok(32), |text| text.parse());
    let Ok(count) = count else {
        eprintln!("usage: arrays [COLUMNS]");
        return ExitCode::from(2);
    };
    match run(count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("arrays: {error}");
            ExitCode::FAILURE
        }
    }
}

#[test]
fn columns_go_in_and_out() {
    run(3).unwrap();
}
