//! `src/queue`, from there, but for the message, which is one word, and for the handle, which has what joining needs.

#[path = "../../src/queue/dead.rs"]
pub(crate) mod dead;
#[path = "../../src/queue/entry.rs"]
pub(crate) mod entry;
#[path = "../../src/queue/get.rs"]
pub(crate) mod get;
#[path = "../../src/queue/joined.rs"]
pub(crate) mod joined;
#[path = "../../src/queue/layout.rs"]
pub(crate) mod layout;
#[path = "../../src/queue/lease.rs"]
pub(crate) mod lease;
#[path = "../../src/queue/put.rs"]
pub(crate) mod put;
#[path = "../../src/queue/quick.rs"]
pub(crate) mod quick;
#[path = "../../src/queue/ring.rs"]
pub(crate) mod ring;
#[path = "../../src/queue/timed.rs"]
pub(crate) mod timed;

use crate::fabric::handle::Handle;
use layout::Words;
pub use message::Message;

/// The queue that there is.
pub struct BytesQueue(pub(crate) Handle);

impl BytesQueue {
    pub(crate) fn handle(&self) -> &Handle {
        &self.0
    }
    pub(crate) fn words(&self) -> Words<'_> {
        Words::of_handle(&self.0)
    }
    pub(crate) fn words_if_here(&self) -> Option<Words<'_>> {
        Some(self.words()).filter(|w| w.is_here())
    }
}

pub(crate) mod message {
    use crate::error::Result;
    use crate::fabric::Fabric;
    use crate::shm::{Owner, Span};

    /// A message is one word.
    #[derive(Debug)]
    pub struct Message(pub(crate) u64);

    impl Message {
        pub(crate) fn empty() -> Message {
            Message(0)
        }
        pub(crate) fn copy_from(&mut self, span: Span<'_>, at: usize, len: usize, tags: u32) -> Result<()> {
            *self = Message::copy(span, at, len, tags)?;
            Ok(())
        }
        pub(crate) fn copy(span: Span<'_>, at: usize, len: usize, _tags: u32) -> Result<Message> {
            assert_eq!(len, 8);
            let mut bytes = [0; 8];
            span.read(at, &mut bytes)?;
            Ok(Message(u64::from_le_bytes(bytes)))
        }
        pub(crate) fn view(_fabric: &Fabric, offset: u64, _len: u64, _me: Owner, _tags: u32) -> Message {
            Message(offset)
        }
    }
}
