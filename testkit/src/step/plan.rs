//! From the trace of one whole run to the cheapest way to each kill point. Pure arithmetic: knows no process.

use std::collections::HashMap;

/// What a breakpoint costs for each time it is met, in steps: it is taken out, stepped over and put back.
const COST_OF_A_HIT: u64 = 3;
/// A run of one repeated instruction longer than this is thinned out.
const LONG_RUN: usize = 4;

/// Where a run stood: `pcs[i]` is the address of the next instruction after `i` steps.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pcs: Vec<u64>,
    /// Whether others may have seen step `i`, which led from point `i` to the next.
    seen: Vec<bool>,
}

/// How to get to a kill point: to a breakpoint met so many times, then so many steps on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) point: u64,
    /// The address, and how often it is met.
    pub(crate) breakpoint: Option<(u64, u64)>,
    pub(crate) steps: u64,
}

impl Way {
    /// By steps alone.
    pub(crate) fn steps(point: u64) -> Way {
        Way { point, breakpoint: None, steps: point }
    }

    pub(crate) fn is_steps_only(&self) -> bool {
        self.breakpoint.is_none()
    }
}

impl Trace {
    /// The next instruction stands at `pc`, and others may see it run, or not.
    pub(crate) fn push(&mut self, pc: u64, seen: bool) {
        self.pcs.push(pc);
        self.seen.push(seen);
    }

    pub(crate) fn len(&self) -> usize {
        self.pcs.len()
    }

    /// Where the run stood at `point`; 0 where it was over.
    pub(crate) fn pc(&self, point: u64) -> u64 {
        self.pcs.get(point as usize).copied().unwrap_or(0)
    }

    /// The ways to all kill points, in order: to the first, and to each that comes after a step that others may have seen. With `every`, to each at all.
    pub(crate) fn ways(&self, step_only: bool, every: bool) -> Vec<Way> {
        let by_breakpoint = cfg!(target_arch = "x86_64") && !step_only;
        let mut met: HashMap<u64, u64> = HashMap::new();
        let mut ways = Vec::with_capacity(self.pcs.len());
        // The best way so far, and its cost; one step more is the best way to the next point unless a breakpoint is better.
        let mut best = (Way::steps(0), 0);
        for (point, &pc) in self.pcs.iter().enumerate() {
            let point = point as u64;
            let hits = met.entry(pc).or_default();
            *hits += 1;
            if point > 0 {
                best = (Way { point, breakpoint: best.0.breakpoint, steps: best.0.steps + 1 }, best.1 + 1);
            }
            if by_breakpoint && *hits * COST_OF_A_HIT < best.1 {
                best = (Way { point, breakpoint: Some((pc, *hits)), steps: 0 }, *hits * COST_OF_A_HIT);
            }
            ways.push(best.0.clone());
        }
        self.thin_out(ways, every)
    }

    /// Of a long run at one address (a string instruction that repeats itself), keeps the first two, the middle and the last.
    fn thin_out(&self, ways: Vec<Way>, every: bool) -> Vec<Way> {
        let mut keep: Vec<bool> = (0..ways.len()).map(|at| every || at == 0 || self.seen[at - 1]).collect();
        let mut from = 0;
        for run in self.pcs.chunk_by(|a, b| a == b) {
            if run.len() > LONG_RUN {
                let kept = [0, 1, run.len() / 2, run.len() - 1];
                for at in 0..run.len() {
                    keep[from + at] &= kept.contains(&at);
                }
            }
            from += run.len();
        }
        ways.into_iter().zip(keep).filter_map(|(way, keep)| keep.then_some(way)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(pcs: &[u64]) -> Trace {
        Trace { pcs: pcs.to_vec(), seen: vec![true; pcs.len()] }
    }

    /// Follows a way over the trace, as the victim would.
    fn follow(trace: &Trace, way: &Way) -> u64 {
        let from = way.breakpoint.map_or(0, |(address, hits)| {
            let mut met = trace.pcs.iter().enumerate().filter(|&(_, &pc)| pc == address);
            met.nth(hits as usize - 1).unwrap().0 as u64
        });
        from + way.steps
    }

    #[test]
    fn every_way_leads_to_its_point() {
        let pcs: Vec<u64> = (0..50).chain((0..40).flat_map(|_| 50..60)).chain(100..200).chain(20..40).collect();
        let trace = trace(&pcs);
        for step_only in [false, true] {
            let ways = trace.ways(step_only, true);
            assert_eq!(ways.len(), pcs.len());
            for (point, way) in ways.iter().enumerate() {
                assert_eq!(way.point, point as u64);
                assert_eq!(follow(&trace, way), way.point);
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn straight_code_is_reached_by_breakpoints_and_loops_cheaply() {
        let pcs: Vec<u64> = (0..1000).collect();
        assert!(trace(&pcs).ways(false, true).iter().all(|way| way.steps <= COST_OF_A_HIT));
        let looped: Vec<u64> = (0..100).flat_map(|_| 0..10).collect();
        let cost: u64 = trace(&looped).ways(false, true).iter().map(|way| way.steps + way.breakpoint.map_or(0, |b| b.1 * 3)).sum();
        assert!(cost < 1000 * 1000 / 4, "{cost}");
    }

    #[test]
    fn only_what_others_may_see_is_a_point() {
        let trace = Trace { pcs: vec![1, 2, 3, 4, 5], seen: vec![false, true, false, true, false] };
        let points = |every| trace.ways(false, every).iter().map(|way| way.point).collect::<Vec<u64>>();
        assert_eq!(points(false), [0, 2, 4]);
        assert_eq!(points(true), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_repeated_instruction_is_thinned_out() {
        let pcs: Vec<u64> = [1, 2].into_iter().chain(vec![3; 100]).chain([4, 5]).collect();
        let points: Vec<u64> = trace(&pcs).ways(false, true).iter().map(|way| way.point).collect();
        assert_eq!(points, [0, 1, 2, 3, 52, 101, 102, 103]);
    }
}
