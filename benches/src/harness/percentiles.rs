//! How times spread: a few percentiles and the longest. It knows numbers only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Trouble;
use super::report::short;

/// Of many times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    #[serde(rename = "p99.9")]
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Percentiles {
    /// Of times in any order. None of no times.
    pub(crate) fn of(mut times: Vec<u64>) -> Option<Percentiles> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let at = |share: f64| times[(last as f64 * share).round() as usize] as f64;
        Some(Percentiles { p10: at(0.1), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: times[last] as f64 })
    }

    /// Of several rounds: the median of each, and the longest of all.
    pub(crate) fn of_rounds(rounds: &[Percentiles]) -> Option<Percentiles> {
        let max = rounds.iter().map(|round| round.max).max_by(f64::total_cmp)?;
        let middle = |pick: fn(&Percentiles) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(pick).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        Some(Percentiles { p10: middle(|r| r.p10), p50: middle(|r| r.p50), p90: middle(|r| r.p90), p99: middle(|r| r.p99), p999: middle(|r| r.p999), max })
    }

    pub(crate) fn median(&self) -> f64 {
        self.p50
    }

    /// As a process says them.
    pub(crate) fn to_line(self) -> String {
        format!("{} {} {} {} {} {}", self.p10, self.p50, self.p90, self.p99, self.p999, self.max)
    }

    pub(crate) fn parse(line: &str) -> Result<Percentiles, Trouble> {
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        match numbers[..] {
            [p10, p50, p90, p99, p999, max] => Ok(Percentiles { p10, p50, p90, p99, p999, max }),
            _ => Err(Trouble::failed(format!("percentiles are six numbers, not {line:?}"))),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "p10 {}, p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
            short(self.p10),
            short(self.p50),
            short(self.p90),
            short(self.p99),
            short(self.p999),
            short(self.max)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_times_in_any_order() {
        let found = Percentiles::of((0..=1000).rev().collect()).unwrap();
        assert_eq!(found, Percentiles { p10: 100.0, p50: 500.0, p90: 900.0, p99: 990.0, p999: 999.0, max: 1000.0 });
        assert_eq!(Percentiles::parse(&found.to_line()).unwrap(), found);
        assert_eq!(Percentiles::of(Vec::new()), None);
    }

    #[test]
    fn of_rounds_the_middle_and_the_longest() {
        let round = |p50, max| Percentiles { p10: 1.0, p50, p90: 3.0, p99: 4.0, p999: 5.0, max };
        let all = Percentiles::of_rounds(&[round(2.0, 9.0), round(8.0, 10.0), round(3.0, 100.0)]).unwrap();
        assert_eq!((all.p50, all.max), (3.0, 100.0));
    }
}
