//! The driver for Rust: carries out steps by the crate `polyproc`, as a user's program would. One line in, one answer out; it knows no case.

mod cells;
mod containers;
mod notation;
mod pipe;
mod queue;
mod sync;
mod tasks;
mod thing;

use std::collections::HashMap;
use std::io::{BufRead, Write};

use polyproc::Fabric;
use serde_json::{Value as Json, json};
use thing::{Any, Fault, Reply, Step, Thing};

/// A fabric's room: no case needs more.
const CAP: u64 = 64 << 20;

#[derive(Default)]
struct World {
    fabric: Option<Fabric>,
    things: HashMap<String, Box<dyn Thing>>,
}

fn main() {
    let mut world = World::default();
    for line in std::io::stdin().lock().lines() {
        let line: Json = serde_json::from_str(&line.expect("lines come whole")).expect("a line is JSON");
        let mut answer = match world.answer(&line) {
            Ok(value) => json!({"is": notation::to_json(&value)}),
            Err(Fault::Error { kind, text }) => json!({"error": kind, "text": text}),
            Err(Fault::Unsupported) => json!({"unsupported": true}),
        };
        answer["id"] = line["id"].clone();
        let mut output = std::io::stdout().lock();
        writeln!(output, "{answer}").and_then(|()| output.flush()).expect("somebody reads the answers");
    }
}

impl World {
    fn answer(&mut self, line: &Json) -> Result<Any, Fault> {
        let step = Step::read(line, |name| self.things.get(name)?.ticket())?;
        let reply = match (step.on.as_deref(), step.does.as_str()) {
            (None, does) => self.general(does, &step)?,
            (Some(on), "drop") => {
                self.things.remove(on);
                Any::Nil.into()
            }
            (Some(on), _) => self.things.get_mut(on).ok_or_else(|| Fault::driver(format!("nothing is called {on}")))?.does(&step)?,
        };
        let (value, thing) = match reply {
            Reply::Value(value) => {
                let thing = if step.keep.is_some() { thing::from_ticket(&value)? } else { None };
                (value, thing)
            }
            Reply::Thing(value, thing) => (value, Some(thing)),
        };
        if let (Some(keep), Some(thing)) = (&step.keep, thing) {
            self.things.insert(keep.clone(), thing);
        }
        Ok(value)
    }

    fn fabric(&self) -> Result<&Fabric, Fault> {
        self.fabric.as_ref().ok_or_else(|| Fault::driver("no fabric"))
    }

    fn general(&mut self, does: &str, step: &Step) -> Result<Reply, Fault> {
        match does {
            "begin" => {
                let name = step.text(0)?;
                let fabric = if step.flag(1)? { Fabric::builder().cap(CAP).create(name)? } else { Fabric::open(name)? };
                Fabric::set_current(&fabric);
                self.fabric = Some(fabric);
            }
            "make" | "open" => {
                let thing = thing::made(self.fabric()?, step, does == "make", |name| self.things.get(name)?.ticket())?;
                self.things.insert(step.text(0)?.to_owned(), thing);
            }
            "end" => {
                self.things.clear();
                self.fabric = None;
            }
            "members" => {
                self.fabric()?.sweep()?;
                return Ok(Any::from(self.fabric()?.members().len()).into());
            }
            "sweep" => {
                self.fabric()?.sweep()?;
            }
            "remove" => self.fabric()?.remove(step.text(0)?)?,
            _ => return tasks::general(self.fabric()?, does, step),
        }
        Ok(Any::Nil.into())
    }
}
