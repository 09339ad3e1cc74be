//! What stands for objects and the fabric around the queue's two sides: a queue is the one object there is.

pub(crate) mod objects {
    pub(crate) const HEADER: usize = 192;

    use crate::error::Result;
    use crate::shm::Shm;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Kind {
        Queue = 2,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ObjectId {
        pub(crate) offset: u64,
        pub(crate) birth: u64,
    }

    pub(crate) struct Header;

    impl Header {
        pub(crate) fn at(_shm: &Shm, _offset: u64) -> Result<Header> {
            unreachable!("no queue of the model has another one for its dead letters")
        }
        pub(crate) fn kind(&self) -> u64 {
            Kind::Queue as u64
        }
    }
}

pub(crate) mod fabric {
    /// Goes with a message that is a view of a chunk; the model has none of those.
    pub struct Fabric;

    pub(crate) mod handle {
        use std::time::Duration;

        use crate::atomic::AtomicU32;
        use crate::error::{Error, ErrorKind, Result};
        use crate::objects::{Kind, ObjectId};
        use crate::shm::{Deadline, Fixed, Shm};
        use crate::sync::wait;

        pub(crate) struct Handle {
            pub(crate) id: ObjectId,
            pub(crate) shm: Shm,
        }

        impl Handle {
            pub(crate) fn shm(&self) -> &Shm {
                &self.shm
            }
            pub(crate) fn fixed<const N: usize>(&self) -> Fixed<'_, N> {
                self.shm.segment.fixed(self.id.offset).expect("the object is there")
            }
            pub(crate) fn label(&self) -> String {
                "the model's".into()
            }
            /// As in `src/fabric/handle.rs`, without time.
            pub(crate) fn until<T>(
                &self,
                word: &AtomicU32,
                _deadline: Deadline,
                ready: impl Fn() -> bool,
                mut attempt: impl FnMut() -> Result<Option<T>>,
            ) -> Result<Option<T>> {
                loop {
                    if let Some(found) = attempt()? {
                        return Ok(Some(found));
                    }
                    let announced = wait::announce(word);
                    if !ready() {
                        wait::sleep(&self.shm, word, announced, Duration::from_millis(1));
                    }
                }
            }
        }

        pub(crate) fn gone(_kind: Kind) -> Error {
            Error::new(ErrorKind::Gone, "this object was destroyed")
        }
    }
}
