//! The peers that take long to build, where the scenarios name them: without the feature `heavy` they are not there. It knows which they are, and nothing of what they do.

use crate::harness::Scenario;
use crate::scenarios::{latency, queue};

/// Whether they are in this program.
pub(crate) const HERE: bool = cfg!(feature = "heavy");

/// Copied in, and built in place.
pub(crate) fn for_queue(scenario: Scenario, shape: queue::Shape) -> Scenario {
    #[cfg(feature = "heavy")]
    let scenario = for_copies(scenario, shape).peer("iceoryx2 loan", shape.first(), move |budget| iceoryx2::queue(shape, Style::Loan, budget));
    #[cfg(not(feature = "heavy"))]
    let _ = shape;
    scenario
}

/// Copied in.
pub(crate) fn for_copies(scenario: Scenario, shape: queue::Shape) -> Scenario {
    #[cfg(feature = "heavy")]
    let scenario = scenario.peer("iceoryx2 copy", shape.first(), move |budget| iceoryx2::queue(shape, Style::Copy, budget));
    #[cfg(not(feature = "heavy"))]
    let _ = shape;
    scenario
}

/// Polling where both sides spin, its listener where the receiver sleeps.
pub(crate) fn for_latency(scenario: Scenario, shape: latency::Shape) -> Scenario {
    #[cfg(feature = "heavy")]
    let scenario = match shape {
        latency::Shape::Asleep => scenario.peer("iceoryx2 listener", 100, move |budget| iceoryx2::latency(shape, Style::Copy, budget)),
        latency::Shape::Spinning => {
            scenario
                .peer("iceoryx2 loan", 20_000, move |budget| iceoryx2::latency(shape, Style::Loan, budget))
                .peer("iceoryx2 copy", 20_000, move |budget| iceoryx2::latency(shape, Style::Copy, budget))
        }
    };
    #[cfg(not(feature = "heavy"))]
    let _ = shape;
    scenario
}

/// Its notifier and listener.
pub(crate) fn for_event(scenario: Scenario) -> Scenario {
    #[cfg(feature = "heavy")]
    let scenario = scenario.peer("iceoryx2 event", 3_000, iceoryx2::event);
    scenario
}

#[cfg(feature = "heavy")]
use crate::peers::iceoryx2::{self, Style};
