//! Rounds in turn: A B C, A B C, ..., so that a slow moment of the machine meets every subject. It knows neither what a round does
//! nor how figures are printed.

use std::time::Duration;

use super::report::{Figures, Outcome};
use super::{Budget, Percentiles, Plan, Sample, Scenario, Subject, Trouble};

impl Scenario {
    /// Calibrates every subject, then takes the rounds in turn. A subject that fails or is missing is left out and said so.
    pub(crate) fn run(mut self, plan: &Plan) -> Outcome {
        eprintln!("... {}", self.full_name());
        let mut remarks = Vec::new();
        let (mut failed, mut missing) = (0, 0);
        let mut running = Vec::new();
        let subjects = std::mem::take(&mut self.subjects);
        for mut subject in subjects {
            match subject.calibrate(plan.time) {
                Ok(budget) => running.push(Running { subject, budget, values: Vec::new(), shares: Vec::new(), trouble: None, each: Vec::new() }),
                Err(trouble) => {
                    match trouble {
                        Trouble::Missing(_) => missing += 1,
                        Trouble::Failed(_) => failed += 1,
                    }
                    remarks.push(format!("{} left out: {trouble}", subject.name));
                }
            }
        }
        for _ in 0..plan.rounds {
            for one in running.iter_mut().filter(|one| one.trouble.is_none()) {
                match (one.subject.round)(one.budget) {
                    Ok(sample) => {
                        one.values.push(self.unit.value(sample));
                        match sample {
                            Sample::Shared { least, .. } => one.shares.push(least),
                            Sample::Spread { each, .. } => one.each.push(each),
                            Sample::Timed { .. } | Sample::Amount(_) => {}
                        }
                    }
                    Err(trouble) => one.trouble = Some(trouble),
                }
            }
        }
        let mut figures = Vec::new();
        for one in running {
            if let Some(trouble) = one.trouble {
                failed += 1;
                remarks.push(format!("{} left out after {} rounds: {trouble}", one.subject.name, one.values.len()));
            } else {
                if !one.shares.is_empty() {
                    let least = one.shares.iter().sum::<f64>() / one.shares.len() as f64;
                    remarks.push(format!("{}: the least-served process got {least:.2} of an even share", one.subject.name));
                }
                figures.push(Figures::new(one.subject.name, one.subject.whose, one.values, Percentiles::of_rounds(&one.each)));
            }
        }
        Outcome { scenario: self, figures, remarks, failed, missing }
    }
}

struct Running {
    subject: Subject,
    budget: Budget,
    values: Vec<f64>,
    shares: Vec<f64>,
    each: Vec<Percentiles>,
    trouble: Option<Trouble>,
}

impl Subject {
    /// Finds how many operations last about `time`; these rounds are also the warm-up.
    fn calibrate(&mut self, time: Duration) -> Result<Budget, Trouble> {
        let mut budget = Budget { operations: self.first, time };
        for _ in 0..3 {
            let (Sample::Timed { operations, elapsed } | Sample::Spread { operations, elapsed, .. }) = (self.round)(budget)? else { break };
            let share = elapsed.as_secs_f64() / time.as_secs_f64();
            budget.operations = ((operations as f64 / share.max(1e-6)) as u64).max(1);
            // Start-up weighs too much in a round that was far too short to scale from.
            if share > 0.2 {
                break;
            }
        }
        Ok(budget)
    }
}
