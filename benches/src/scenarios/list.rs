//! Lists that grow from nothing. This file defines the loop and its check; it does not know how a list is made.

use std::time::Instant;

use super::growth::count_label;
use crate::harness::{Budget, Sample, Scenario, Trouble, Unit};
use crate::ours::list as ours;
use crate::peers::memory;

const APPEND: &str = "One process appends items of 8 bytes to an empty list, one by one, up to so many; a shorter list is made again and again until the round is long enough. Nanoseconds an item. \
Mutex<Vec>: of one process, as the limit.";
const BYTES: &str = "The memory of such a list with all its items, divided by their number. Filled once.";

pub(crate) fn append(items: u64) -> Scenario {
    Scenario::new("grow/list-append", count_label(items), Unit::Each("ns", 1e-9), APPEND)
        .along("items", items as f64)
        .ours("list", items, move |budget| round(items, budget, ours::fill))
        .limit("Mutex<Vec>", items, move |budget| round(items, budget, memory::fill))
}

pub(crate) fn bytes(items: u64) -> Scenario {
    Scenario::new("grow/list-bytes", count_label(items), Unit::Amount("bytes an item"), BYTES).along("items", items as f64).ours(
        "list",
        1,
        once(move || ours::bytes(items)),
    )
}

/// A round of what need be measured once only, as it comes out the same every time.
pub(crate) fn once(measure: impl Fn() -> Result<Sample, Trouble>) -> impl FnMut(Budget) -> Result<Sample, Trouble> {
    let mut found = None;
    move |_| match found {
        Some(sample) => Ok(sample),
        None => Ok(*found.insert(measure()?)),
    }
}

/// Lists of so many items, as many as the budget has room for; `fill` makes one and says how long it is.
fn round(items: u64, budget: Budget, fill: impl Fn(u64) -> Result<u64, Trouble>) -> Result<Sample, Trouble> {
    let lists = (budget.operations / items).max(1);
    let begin = Instant::now();
    for _ in 0..lists {
        let length = fill(items)?;
        if length != items {
            return Err(Trouble::failed(format!("a list of {items} items has {length}")));
        }
    }
    Ok(Sample::Timed { operations: lists * items, elapsed: begin.elapsed() })
}
