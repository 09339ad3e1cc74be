//! `src/queue`, from there, but for leases and messages: a message is one word, and none was ever on a lease.

#[path = "../../src/queue/get.rs"]
pub(crate) mod get;
#[path = "../../src/queue/layout.rs"]
pub(crate) mod layout;
#[path = "../../src/queue/put.rs"]
pub(crate) mod put;
#[path = "../../src/queue/ring.rs"]
pub(crate) mod ring;

pub use message::Message;

pub(crate) mod message {
    use crate::error::Result;
    use crate::fabric::Fabric;
    use crate::shm::{Owner, Span};

    /// A message is one word.
    #[derive(Debug)]
    pub struct Message(pub(crate) u64);

    impl Message {
        pub(crate) fn copy(span: Span<'_>, at: usize, len: usize, _codec: u8) -> Result<Message> {
            assert_eq!(len, 8);
            let mut bytes = [0; 8];
            span.read(at, &mut bytes)?;
            Ok(Message(u64::from_le_bytes(bytes)))
        }
        pub(crate) fn view(_fabric: &Fabric, offset: u64, _len: u64, _me: Owner, _codec: u8) -> Message {
            Message(offset)
        }
    }
}

pub(crate) mod lease {
    use std::marker::PhantomData;

    use super::get::Getter;
    use super::layout::Words;
    use super::message::Message;
    use super::ring::Ring;
    use crate::error::Result;
    use crate::fabric::Fabric;
    use crate::shm::Owner;

    #[derive(Clone, Copy)]
    pub(crate) struct Entry<'a>(PhantomData<&'a ()>);

    pub(crate) fn first_returned(_w: Words<'_>, _head: u32) -> Result<Option<Entry<'_>>> {
        unreachable!("no message was on a lease")
    }
    pub(crate) fn take_returned(_getter: &Getter<'_>, _entry: Entry<'_>, _fabric: &Fabric) -> Result<Message> {
        unreachable!("no message was on a lease")
    }
    pub(crate) fn end(_w: Words<'_>) -> Result<()> {
        Ok(())
    }
    pub(crate) fn repair(_w: Words<'_>, _ring: Option<Ring<'_>>, _me: Owner) -> Result<()> {
        Ok(())
    }
}
