//! polyproc's dict in a private fabric, by its face for bytes.

use polyproc_ipc::{BytesDict, Fabric, Ticket};

use crate::harness::crew::{Crew, Inherited};
use crate::harness::{Budget, Sample, Trouble, member, system};
use crate::scenarios::dict::{Job, Map, Shape, fill};

pub(crate) const ROLE: &str = "dict";

/// The fabric and its dict, made and filled at the first round.
pub(crate) struct Side(Option<(Fabric, BytesDict)>);

impl Side {
    pub(crate) fn new() -> Side {
        Side(None)
    }

    pub(crate) fn round(&mut self, shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
        if self.0.is_none() {
            let fabric = Fabric::new()?;
            let dict = filled(&fabric, shape)?;
            self.0 = Some((fabric, dict));
        }
        let Some((fabric, dict)) = &self.0 else { return Err(Trouble::failed("no dict")) };
        let descriptor = Inherited::new(fabric.descriptor())?;
        let mut crew = Crew::new()?;
        for mut arguments in shape.jobs(budget) {
            arguments.extend([descriptor.number(), dict.lend().to_string()]);
            crew.role(ROLE, &arguments)?;
        }
        shape.measure(crew)
    }
}

fn filled(fabric: &Fabric, shape: Shape) -> Result<BytesDict, Trouble> {
    let dict = BytesDict::new(fabric)?;
    fill(&mut Shared(dict.clone()), shape)?;
    Ok(dict)
}

/// Bytes of memory of a filled dict, for each of its keys.
pub(crate) fn bytes(shape: Shape) -> Result<Sample, Trouble> {
    let fabric = Fabric::new()?;
    fabric.member()?;
    let before = system::resident(fabric.descriptor())?;
    let _dict = filled(&fabric, shape)?;
    Ok(Sample::Amount((system::resident(fabric.descriptor())? - before) as f64 / shape.keys as f64))
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    // The ticket leads to a fabric that this process has attached.
    let _fabric = Fabric::attach(member::inherited(&member::next::<String>(&mut arguments, "fabric")?)?.into())?;
    let ticket: Ticket = member::next(&mut arguments, "ticket")?;
    job.work(&mut Shared(BytesDict::from_ticket(&ticket)?))
}

struct Shared(BytesDict);

impl Map for Shared {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, Trouble> {
        let found = self.0.get(key)?;
        if let Some(value) = &found {
            out.extend_from_slice(value);
        }
        Ok(found.is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        self.0.set(key, value)?;
        Ok(())
    }
}
