//! iceoryx2: publish and subscribe with a bounded buffer that drops nothing, copied in or built in place, read in place; and its events. Each process opens the service by its name.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use ::iceoryx2::port::listener::Listener;
use ::iceoryx2::port::notifier::Notifier;
use ::iceoryx2::port::publisher::Publisher;
use ::iceoryx2::port::subscriber::Subscriber;
use ::iceoryx2::prelude::*;
use ::iceoryx2::sample::Sample as Received;

use crate::harness::crew::Crew;
use crate::harness::shared::SharedPage;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::latency::{self, Courier};
use crate::scenarios::queue::{Job, Payload, Shape, stamp};
use crate::scenarios::wake::{self, Turns};

/// A role for each scenario file: each has its own arguments first.
pub(crate) const ROLES: [&str; 3] = ["iceoryx2-queue", "iceoryx2-latency", "iceoryx2-event"];

#[derive(Clone, Copy)]
pub(crate) enum Style {
    Copy,
    Loan,
}

impl Style {
    fn name(self) -> String {
        if matches!(self, Style::Copy) { "copy" } else { "loan" }.to_owned()
    }
}

/// One round of one publisher and one subscriber.
pub(crate) fn queue(shape: Shape, style: Style, budget: Budget) -> Result<Sample, Trouble> {
    let mut crew = Crew::new()?;
    let service = shared_name("iceoryx2");
    for job in shape.jobs(budget) {
        let mut arguments = job.arguments();
        arguments.extend([style.name(), shape.capacity().to_string(), service.clone()]);
        crew.role(ROLES[0], &arguments)?;
    }
    shape.measure(crew)
}

/// One round with a service for each way.
pub(crate) fn latency(shape: latency::Shape, style: Style, budget: Budget) -> Result<Sample, Trouble> {
    shape.measure(ROLES[1], &[style.name(), shared_name("iceoryx2")], &SharedPage::new()?, budget)
}

/// One round with an event for each way.
pub(crate) fn event(budget: Budget) -> Result<Sample, Trouble> {
    wake::measure(ROLES[2], &[shared_name("iceoryx2")], &SharedPage::new()?, budget)
}

pub(crate) fn role(name: &str, arguments: &[String]) -> Result<(), Trouble> {
    set_log_level(LogLevel::Error);
    let mut arguments = arguments.iter();
    match ROLES.iter().position(|role| *role == name) {
        Some(0) => queue_role(&mut arguments),
        Some(1) => latency_role(&mut arguments),
        _ => event_role(&mut arguments),
    }
}

type Arguments<'a> = std::slice::Iter<'a, String>;
type Service = ipc::Service;

fn queue_role(arguments: &mut Arguments<'_>) -> Result<(), Trouble> {
    let job = Job::enter(arguments)?;
    let loan = member::next::<String>(arguments, "style")? == "loan";
    let capacity = member::next(arguments, "capacity")?;
    let channel = Channel::open(&node()?, &member::next::<String>(arguments, "service")?, capacity)?;
    if job.produces {
        let publisher = channel.publisher(job.size)?;
        let mut payload = Payload::new(job.size);
        job.produce(1, |numbers| {
            for number in numbers {
                if loan {
                    let mut sample = publisher.loan_slice_uninit(job.size)?;
                    stamp_ends(sample.payload_mut(), number);
                    // SAFETY: the memory is mapped and zeroed or written before; both ends are written now, and nobody reads between them.
                    let sample = unsafe { sample.assume_init() };
                    sample.send()?;
                } else {
                    publisher.loan_slice_uninit(job.size)?.write_from_slice(payload.stamped(number)).send()?;
                }
            }
            Ok(())
        })?;
        // What a publisher leaves behind may be lost: it stays until all is taken.
        while channel.service.dynamic_config().number_of_subscribers() > 0 {
            std::thread::yield_now();
        }
        return Ok(());
    }
    let subscriber = channel.subscriber()?;
    job.consume(|check, _| {
        check.see(poll(&subscriber)?.payload());
        Ok(())
    })
}

fn latency_role(arguments: &mut Arguments<'_>) -> Result<(), Trouble> {
    let (job, page) = latency::Job::enter(arguments)?;
    let loan = member::next::<String>(arguments, "style")? == "loan";
    let name: String = member::next(arguments, "service")?;
    let node = node()?;
    let ways = [Channel::open(&node, &format!("{name}-there"), 16)?, Channel::open(&node, &format!("{name}-back"), 16)?];
    let events = if job.asleep { Some(Events::open(&node, &name, job.side)?) } else { None };
    let (input, output) = (&ways[1 - job.side], &ways[job.side]);
    // In this order on both sides: each side's publisher waits for the other's subscriber.
    let subscriber = input.listen()?;
    let publisher = output.publisher(16)?;
    await_warm(&subscriber)?;
    job.work(&page, &mut Ports { publisher, subscriber, events, loan })
}

fn event_role(arguments: &mut Arguments<'_>) -> Result<(), Trouble> {
    let (job, page) = wake::Job::enter(arguments)?;
    let name: String = member::next(arguments, "service")?;
    job.work(&page, &mut Events::open(&node()?, &name, job.side as usize)?)
}

fn node() -> Result<Node<Service>, Trouble> {
    Ok(NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled).create::<Service>()?)
}

/// A service of one publisher and one subscriber.
struct Channel {
    service: ::iceoryx2::service::port_factory::publish_subscribe::PortFactory<Service, [u8], ()>,
}

impl Channel {
    fn open(node: &Node<Service>, name: &str, capacity: usize) -> Result<Channel, Trouble> {
        let service = node
            .service_builder(&ServiceName::new(name)?)
            .publish_subscribe::<[u8]>()
            .payload_alignment(Alignment::new(64).ok_or_else(|| Trouble::failed("64 is no alignment"))?)
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(capacity)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(false)
            .open_or_create()?;
        Ok(Channel { service })
    }

    /// Ready to send: the subscriber is there and has been sent one message, which is what connects them.
    fn publisher(&self, size: usize) -> Result<Publisher<Service, [u8], ()>, Trouble> {
        let publisher = self
            .service
            .publisher_builder()
            .initial_max_slice_len(size)
            .max_loaned_samples(1)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let warm = vec![0x5a; size];
        while publisher.loan_slice_uninit(size)?.write_from_slice(&warm).send()? == 0 {
            std::thread::yield_now();
        }
        Ok(publisher)
    }

    fn listen(&self) -> Result<Subscriber<Service, [u8], ()>, Trouble> {
        Ok(self.service.subscriber_builder().create()?)
    }

    /// Connected: its first message has come.
    fn subscriber(&self) -> Result<Subscriber<Service, [u8], ()>, Trouble> {
        let subscriber = self.listen()?;
        await_warm(&subscriber)?;
        Ok(subscriber)
    }
}

fn await_warm(subscriber: &Subscriber<Service, [u8], ()>) -> Result<(), Trouble> {
    while subscriber.receive()?.is_none() {
        std::thread::yield_now();
    }
    Ok(())
}

/// The next message: asked for again and again.
fn poll(subscriber: &Subscriber<Service, [u8], ()>) -> Result<Received<Service, [u8], ()>, Trouble> {
    loop {
        if let Some(sample) = subscriber.receive()? {
            return Ok(sample);
        }
        std::hint::spin_loop();
    }
}

fn stamp_ends(payload: &mut [MaybeUninit<u8>], number: u64) {
    let mut ends = [0; 16];
    stamp(&mut ends, number);
    let last = payload.len() - 8;
    for (index, byte) in ends[..8].iter().enumerate() {
        payload[index].write(*byte);
    }
    for (index, byte) in ends[8..].iter().enumerate() {
        payload[last + index].write(*byte);
    }
}

struct Ports {
    publisher: Publisher<Service, [u8], ()>,
    subscriber: Subscriber<Service, [u8], ()>,
    events: Option<Events>,
    loan: bool,
}

impl Courier for Ports {
    fn send(&mut self, message: [u64; 2]) -> Result<(), Trouble> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&message[0].to_le_bytes());
        bytes[8..].copy_from_slice(&message[1].to_le_bytes());
        if self.loan {
            let sample = self.publisher.loan_slice_uninit(16)?;
            sample.write_from_fn(|index| bytes[index]).send()?;
        } else {
            self.publisher.loan_slice_uninit(16)?.write_from_slice(&bytes).send()?;
        }
        if let Some(events) = &self.events {
            events.notifier.notify()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<[u64; 2], Trouble> {
        let sample = match &self.events {
            None => poll(&self.subscriber)?,
            Some(events) => loop {
                if let Some(sample) = self.subscriber.receive()? {
                    break sample;
                }
                events.listener.blocking_wait(|_| ())?;
            },
        };
        let (Some(first), Some(last)) = (sample.payload().first_chunk(), sample.payload().last_chunk()) else { return Err(Trouble::failed("a short message")) };
        Ok([u64::from_le_bytes(*first), u64::from_le_bytes(*last)])
    }
}

/// What wakes the other side, and what wakes this one.
struct Events {
    notifier: Notifier<Service>,
    listener: Listener<Service>,
}

impl Events {
    fn open(node: &Node<Service>, name: &str, side: usize) -> Result<Events, Trouble> {
        let mut services = Vec::new();
        for way in ["event-there", "event-back"] {
            services.push(node.service_builder(&ServiceName::new(&format!("{name}-{way}"))?).event().open_or_create()?);
        }
        let listener = services[1 - side].listener_builder().create()?;
        let notifier = services[side].notifier_builder().create()?;
        // A signal before the other side listens would be lost.
        while services[side].dynamic_config().number_of_listeners() == 0 {
            std::thread::yield_now();
        }
        Ok(Events { notifier, listener })
    }
}

impl Turns for Events {
    fn wait(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        while page.counter().load(Ordering::Acquire) < turn {
            self.listener.blocking_wait(|_| ())?;
        }
        Ok(())
    }

    fn pass(&mut self, page: &SharedPage, turn: u64) -> Result<(), Trouble> {
        page.counter().store(turn, Ordering::Release);
        self.notifier.notify()?;
        Ok(())
    }
}
