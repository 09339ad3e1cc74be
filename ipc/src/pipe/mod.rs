//! Pipes: messages between two sides of a stream of bytes, as Python's `multiprocessing.connection` has them, for every language.
//!
//! | file | idea |
//! | --- | --- |
//! | `frame` | what stands before a message's bytes, natively and as CPython has it |
//! | `stream` | the descriptor: waiting for it, letting go of it |
//! | `turn` | whose turn it is to read or write |
//! | `incoming`, `outgoing` | a message piece by piece; what time-outs and the other side's death leave |
//! | `connection` | [`Connection`]: the public face, bytes |
//! | `typed` | values through serde, and connections inside messages |
//! | `address`, `place` | where one meets and on what terms; the files of listeners, and who removes them |
//! | `listener`, `client` | the two sides of meeting |
//! | `handshake`, `digest` | mutual authentication by a key |
//! | `wait` | [`wait()`]: the first of several things to be ready |

mod address;
mod client;
mod connection;
mod digest;
mod frame;
mod handshake;
mod incoming;
mod listener;
mod outgoing;
mod place;
mod stream;
mod turn;
mod typed;
mod wait;

pub use address::{Address, Peering};
pub use client::{connect, connect_timeout};
pub use connection::{Connection, pipe, pipe_one_way};
pub use frame::Framing;
pub use listener::Listener;
pub use wait::{Readiness, Waitable, wait};
