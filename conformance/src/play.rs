//! One case by one mix of languages: starts the actors, sends the steps, compares the answers. Every wait has an end: a driver that stalls is the case's failure.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::{Act, Case, Expected};
use crate::driver::{Answer, Driver, Idle};
use crate::language::Language;
use crate::value;

/// How long an answer may take.
const WATCHDOG: Duration = Duration::from_secs(20);
/// How long a step that should wait is watched.
const MOMENT: Duration = Duration::from_millis(60);

/// How long before a step is done again that has time to come true.
const AGAIN: Duration = Duration::from_millis(10);

/// A case, the language of the actor that makes the objects, and that of all others.
pub(crate) struct Play {
    pub(crate) case: Arc<Case>,
    pub(crate) first: Arc<Language>,
    pub(crate) others: Arc<Language>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    /// A language is known not to do this; why.
    Gap(String),
    /// Which step, and what went wrong, with what the drivers wrote to their standard errors.
    Failed(String),
}

impl Play {
    /// Plays it. `number` is another one for each play of a run, and names its fabric.
    pub(crate) fn run(&self, number: usize, directory: &Path, idle: &mut Idle) -> Outcome {
        let gap = [&self.first, &self.others].into_iter().find_map(|language| language.gap(&self.case.name).map(|why| format!("{}: {why}", language.name)));
        if let Some(gap) = gap {
            return Outcome::Gap(gap);
        }
        let mut scene = Scene { play: self, fabric: format!("conformance-{number}"), directory, drivers: HashMap::new(), next: 1, later: HashMap::new() };
        match scene.run(idle) {
            Ok(()) => {
                scene.close(idle);
                Outcome::Passed
            }
            Err(fault) => Outcome::Failed(scene.fail(fault)),
        }
    }
}

struct Scene<'a> {
    play: &'a Play,
    fabric: String,
    directory: &'a Path,
    /// By actor. A model has one driver for all, which is the first actor's.
    drivers: HashMap<String, Driver>,
    next: u64,
    /// Steps whose answer is awaited later: actor, number, when they were sent, what is expected.
    later: HashMap<String, (String, u64, Instant)>,
}

impl Scene<'_> {
    fn run(&mut self, idle: &mut Idle) -> Result<(), String> {
        let case = &self.play.case;
        let late: Vec<&String> = case.steps.iter().filter_map(|step| if let Act::Join(actor) = &step.act { Some(actor) } else { None }).collect();
        if self.play.first.model {
            self.begin_model(idle)?;
        } else {
            for actor in case.actors.iter().filter(|actor| !late.contains(actor)) {
                self.begin(actor, idle)?;
            }
        }
        for (number, step) in case.steps.iter().enumerate() {
            let started = Instant::now();
            let expected = step.expected_of_model.as_ref().filter(|_| self.play.first.model).unwrap_or(&step.expected);
            let mut done = self.step(&step.act, expected, idle);
            while done.is_err() && started.elapsed().as_secs_f64() < step.within {
                std::thread::sleep(AGAIN);
                done = self.step(&step.act, expected, idle);
            }
            done.map_err(|fault| format!("step {}: {fault}", number + 1))?;
            if started.elapsed().as_secs_f64() < step.least {
                return Err(format!("step {}: it took {:?}, less than {} s", number + 1, started.elapsed(), step.least));
            }
        }
        if let Some(name) = self.later.keys().next() {
            return Err(format!("the case never awaits `{name}`"));
        }
        Ok(())
    }

    /// Starts an actor: it joins the fabric, and makes the objects if it is the first, else opens them.
    fn begin(&mut self, actor: &str, idle: &mut Idle) -> Result<(), String> {
        let is_first = actor == self.play.case.actors[0];
        let driver = idle.take(self.language(actor), self.directory).map_err(|fault| format!("the driver of {actor} does not start: {fault}"))?;
        self.drivers.insert(actor.to_owned(), driver);
        let fabric = self.fabric.clone();
        self.must(actor, json!({"do": "begin", "args": [fabric, is_first]}))?;
        for (name, kind, options) in &self.play.case.objects {
            self.must(actor, json!({"do": if is_first { "make" } else { "open" }, "args": [name, kind], "with": options}))?;
        }
        Ok(())
    }

    fn begin_model(&mut self, idle: &mut Idle) -> Result<(), String> {
        let case = &self.play.case;
        let driver = idle.take(&self.play.first, self.directory)?;
        self.drivers.insert(case.actors[0].clone(), driver);
        let objects: Vec<Value> = case.objects.iter().map(|(name, kind, options)| json!([name, kind, options])).collect();
        self.must(&case.actors[0], json!({"do": "world", "args": [case.actors, objects]}))
    }

    fn language(&self, actor: &str) -> &Language {
        if actor == self.play.case.actors[0] { &self.play.first } else { &self.play.others }
    }

    fn driver(&mut self, actor: &str) -> Result<&mut Driver, String> {
        let whose = if self.play.first.model { self.play.case.actors[0].as_str() } else { actor };
        self.drivers.get_mut(whose).ok_or_else(|| format!("{actor} is not there"))
    }

    /// Sends a line that has to succeed.
    fn must(&mut self, actor: &str, line: Value) -> Result<(), String> {
        let id = self.number();
        match self.driver(actor)?.ask(id, line.clone(), Instant::now() + WATCHDOG) {
            Ok(Answer::Is(_)) => Ok(()),
            Ok(other) => Err(format!("{actor}: {line}: {other:?}")),
            Err(fault) => Err(format!("{actor}: {line}: {fault}")),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn step(&mut self, act: &Act, expected: &Expected, idle: &mut Idle) -> Result<(), String> {
        match act {
            Act::Do { actor, line, later } => {
                let id = self.number();
                let mut line = line.clone();
                line["id"] = json!(id);
                line["actor"] = json!(actor);
                self.driver(actor)?.send(&line).map_err(|fault| format!("{actor}: {fault}"))?;
                if let Some(name) = later {
                    self.later.insert(name.clone(), (actor.clone(), id, Instant::now()));
                    return Ok(());
                }
                self.check(actor, id, expected)
            }
            Act::Await(name) => {
                let (actor, id, _) = self.later.remove(name).ok_or(format!("no step is called `{name}`"))?;
                self.check(&actor, id, expected)
            }
            Act::Still(name) => {
                let (actor, id, sent) = self.later.get(name).cloned().ok_or(format!("no step is called `{name}`"))?;
                let until = (sent + MOMENT).max(Instant::now() + MOMENT / 4);
                match self.driver(&actor)?.answer(id, until)? {
                    None => Ok(()),
                    Some(answer) => Err(format!("`{name}` should still wait, but {actor} answered {}", shown(&answer))),
                }
            }
            Act::Kill(actor) => {
                self.later.retain(|_, (whose, ..)| whose != actor);
                self.driver(actor)?.kill(actor, Instant::now() + WATCHDOG).map_err(|fault| format!("{actor}: {fault}"))
            }
            Act::Leave(actor) if self.play.first.model => self.must_of(actor, json!({"do": "leave"})),
            Act::Leave(actor) => self.driver(actor)?.leave(Instant::now() + WATCHDOG).map_err(|fault| format!("{actor}: {fault}")),
            Act::Join(_) if self.play.first.model => Ok(()),
            Act::Join(actor) => self.begin(actor, idle),
            Act::Pause(seconds) => {
                std::thread::sleep(Duration::from_secs_f64(*seconds));
                Ok(())
            }
        }
    }

    fn must_of(&mut self, actor: &str, mut line: Value) -> Result<(), String> {
        line["actor"] = json!(actor);
        self.must(actor, line)
    }

    fn check(&mut self, actor: &str, id: u64, expected: &Expected) -> Result<(), String> {
        let answer = match self.driver(actor)?.answer(id, Instant::now() + WATCHDOG) {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(format!("{actor} does not answer within {WATCHDOG:?}")),
            Err(fault) => return Err(format!("{actor}: {fault}")),
        };
        let right = match (expected, &answer) {
            (Expected::Anything, Answer::Is(_)) => true,
            (Expected::Is(value), Answer::Is(found)) => value::same(value, found),
            (Expected::Elements(values), Answer::Is(found)) => value::same_elements(values, found),
            (Expected::OneOf(values), Answer::Is(found)) => values.iter().any(|value| value::same(value, found)),
            (Expected::Contains(part), Answer::Is(Value::String(text))) => text.contains(part.as_str()),
            (Expected::Error { kind, text }, Answer::Error { kind: found, text: said }) => {
                kind == found && text.as_ref().is_none_or(|text| said.contains(text))
            }
            _ => false,
        };
        if right { Ok(()) } else { Err(format!("{actor} answered {}, expected {expected:?}", shown(&answer))) }
    }

    /// Every step was answered: drivers that can be used again are kept.
    fn close(mut self, idle: &mut Idle) {
        let actors: Vec<String> = self.drivers.keys().cloned().collect();
        for actor in actors {
            if self.language(&actor).model {
                // It ends in order, and takes its manager's server along.
                let _ = self.driver(&actor).and_then(|driver| driver.leave(Instant::now() + WATCHDOG));
                continue;
            }
            if self.must(&actor, json!({"do": "end"})).is_err() {
                continue;
            }
            if let Some(driver) = self.drivers.remove(&actor) {
                idle.give_back(self.language(&actor), driver);
            }
        }
    }

    /// What went wrong, with all that the drivers wrote to their standard errors.
    fn fail(mut self, fault: String) -> String {
        let mut text = fault;
        for (actor, driver) in self.drivers.drain() {
            let said = driver.end();
            if !said.trim().is_empty() {
                let _ = write!(text, "\n  stderr of {actor}: {}", said.trim().replace('\n', "\n    "));
            }
        }
        text
    }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Is(value) => value.to_string(),
        Answer::Error { kind, text } => format!("{kind} ({text})"),
        Answer::Unsupported => "that it does not know this step; if that is meant, its unsupported.toml has to say so".into(),
    }
}
