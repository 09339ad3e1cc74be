//! Channels that know one process only, their users threads: what could be had if nothing were shared between processes. Messages lie in the channel itself.

use crossbeam_channel::bounded;

use crate::harness::member::{self, Report};
use crate::harness::{Budget, Sample, Trouble};
use crate::scenarios::queue::{Job, Shape, stamp};

/// crossbeam's bounded channel, any number of threads at both ends.
pub(crate) fn crossbeam<const SIZE: usize>(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let (sender, receiver) = bounded::<[u8; SIZE]>(shape.capacity());
    let workers = shape.jobs(budget).into_iter().map(|job| {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        move |start| {
            if job.produces {
                send::<SIZE>(&job, start, |message| Ok(sender.send(message)?))
            } else {
                job.take_all(start, |check, _| {
                    check.see(&receiver.recv()?);
                    Ok(())
                })
            }
        }
    });
    shape.sample(&together(workers)?)
}

/// rtrb: one thread at each end, which turn in a circle where they would wait.
pub(crate) fn rtrb<const SIZE: usize>(shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u8; SIZE]>::new(shape.capacity());
    let jobs = shape.jobs(budget);
    let [sending, receiving] = &jobs[..] else { return Err(Trouble::failed("one thread at each end")) };
    let send: Box<dyn FnOnce(u64) -> Result<Report, Trouble> + Send> = Box::new(move |start| {
        send::<SIZE>(sending, start, |mut message| {
            while let Err(rtrb::PushError::Full(back)) = producer.push(message) {
                message = back;
                std::hint::spin_loop();
            }
            Ok(())
        })
    });
    let receive: Box<dyn FnOnce(u64) -> Result<Report, Trouble> + Send> = Box::new(move |start| {
        receiving.take_all(start, |check, _| {
            loop {
                if let Ok(message) = consumer.pop() {
                    check.see(&message);
                    return Ok(());
                }
                std::hint::spin_loop();
            }
        })
    });
    shape.sample(&together([send, receive].into_iter())?)
}

fn send<const SIZE: usize>(job: &Job, start: u64, mut push: impl FnMut([u8; SIZE]) -> Result<(), Trouble>) -> Result<Report, Trouble> {
    member::pin(job.core)?;
    let mut message = [0x5a; SIZE];
    job.send_all(start, 1, |numbers| {
        for number in numbers {
            stamp(&mut message, number);
            push(message)?;
        }
        Ok(())
    })
}

/// A thread for each, all with the same start; their reports in order.
fn together<'a>(workers: impl Iterator<Item = impl FnOnce(u64) -> Result<Report, Trouble> + Send + 'a>) -> Result<Vec<Report>, Trouble> {
    let reports = std::thread::scope(|scope| {
        let start = member::now();
        // A thread's failure is a text: `Trouble` need not cross threads.
        let threads: Vec<_> = workers.map(|worker| scope.spawn(move || worker(start).map_err(|trouble| trouble.to_string()))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned()).and_then(|report| report))
            .collect::<Result<Vec<_>, String>>()
    });
    reports.map_err(Trouble::failed)
}
