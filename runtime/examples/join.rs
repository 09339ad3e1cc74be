//! A pool that other programs join and submit to. Start this in three terminals, and kill any of them whenever you like:
//!
//! ```text
//! cargo run --example join pool      # has the pool, without any worker
//! cargo run --example join work      # joins it; start as many as you like
//! cargo run --example join submit    # submits calls to it
//! ```

use std::time::Duration;

use polyproc::{Fabric, Options, Pool, Retry, Worker, task};

const FABRIC: &str = "polyproc-example-join";

#[task]
fn primes_below(n: u64) -> usize {
    (2..n).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

fn main() -> polyproc::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pool") => {
            let fabric = Fabric::open_or_create(FABRIC)?;
            let pool = Pool::builder().fabric(&fabric).name("primes").workers(0).build()?;
            println!("the pool is there; end it with Ctrl-C");
            pool.on_progress(Duration::from_secs(1), |progress| println!("{} workers", progress.workers.len()))?;
            loop {
                std::thread::park();
            }
        }
        Some("work") => {
            let mut worker = Worker::join(FABRIC, "primes")?;
            worker.run()?;
            println!("the pool is over; {} batches", worker.batches());
        }
        Some("submit") => {
            let pool = Pool::connect(&Fabric::open(FABRIC)?, "primes")?;
            // A call whose worker is killed is run again, up to three times.
            let calls = pool.with(Options::new().retry(Retry::on_death(3)).chunk_size(10));
            let counts = calls.map(primes_below, (1..=200).map(|n| n * 1000))?;
            println!("there are {} primes below 200000", counts[199]);
        }
        _ => println!("say `pool`, `work` or `submit`"),
    }
    Ok(())
}
