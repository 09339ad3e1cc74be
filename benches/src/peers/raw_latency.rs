//! The least that a message needs: a stamp in a cache line that the other side looks at again and again, the same with a futex to sleep on, and the kernel's pipe.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;

use rustix::io::Errno;
use rustix::thread::futex;

use crate::harness::crew::Inherited;
use crate::harness::shared::SharedPage;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::latency::{Courier, Job, Shape};

pub(crate) const ROLE: &str = "raw-latency";

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Memory,
    Futex,
    Pipe,
}

pub(crate) fn round(shape: Shape, kind: Kind, budget: Budget) -> Result<Sample, Trouble> {
    let page = SharedPage::new()?;
    match kind {
        Kind::Memory => shape.measure(ROLE, &["memory".to_owned()], &page, budget),
        Kind::Futex => shape.measure(ROLE, &["futex".to_owned()], &page, budget),
        Kind::Pipe => {
            let (reader, writer) = std::io::pipe()?;
            let (reader, writer) = (Inherited::new(reader.as_fd())?, Inherited::new(writer.as_fd())?);
            shape.measure(ROLE, &["pipe".to_owned(), writer.number(), reader.number()], &page, budget)
        }
    }
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let (job, page) = Job::enter(&mut arguments)?;
    let kind: String = member::next(&mut arguments, "kind")?;
    if kind == "pipe" {
        let mut end = || member::taken(&member::next::<String>(&mut arguments, "descriptor")?).map(File::from);
        return job.work(&page, &mut Pipe { writer: end()?, reader: end()? });
    }
    let mut courier = Memory { page: &page, side: job.side, sent: 0, last: 0, received: 0, sleeps: kind == "futex" };
    job.work(&page, &mut courier)
}

/// A line for each way, which holds the newest stamp; and a count to sleep on, for one way only.
struct Memory<'a> {
    page: &'a SharedPage,
    side: usize,
    sent: u32,
    last: u64,
    received: u32,
    sleeps: bool,
}

impl Courier for Memory<'_> {
    fn send(&mut self, message: [u64; 2]) -> Result<(), Trouble> {
        // Word 0 is the scenario's own.
        self.page.word(1 + self.side).store(message[0], Ordering::Release);
        if self.sleeps {
            self.sent += 1;
            self.page.futex().store(self.sent, Ordering::Release);
            futex::wake(self.page.futex(), futex::Flags::empty(), 1)?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<[u64; 2], Trouble> {
        while self.sleeps && self.page.futex().load(Ordering::Acquire) == self.received {
            match futex::wait(self.page.futex(), futex::Flags::empty(), self.received, None) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let stamp = loop {
            let stamp = self.page.word(2 - self.side).load(Ordering::Acquire);
            if stamp != self.last {
                break stamp;
            }
            std::hint::spin_loop();
        };
        self.last = stamp;
        self.received = if self.sleeps { self.page.futex().load(Ordering::Acquire) } else { self.received + 1 };
        Ok([stamp, u64::from(self.received) - 1])
    }
}

struct Pipe {
    writer: File,
    reader: File,
}

impl Courier for Pipe {
    fn send(&mut self, message: [u64; 2]) -> Result<(), Trouble> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&message[0].to_le_bytes());
        bytes[8..].copy_from_slice(&message[1].to_le_bytes());
        Ok(self.writer.write_all(&bytes)?)
    }

    fn receive(&mut self) -> Result<[u64; 2], Trouble> {
        let mut bytes = [[0; 8]; 2];
        self.reader.read_exact(bytes.as_flattened_mut())?;
        Ok(bytes.map(u64::from_le_bytes))
    }
}
