//! What stands for objects and the fabric around the queue's two sides: a queue is the one object there is.

pub(crate) mod objects {
    pub(crate) const HEADER: usize = 192;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Kind {
        Queue = 2,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct ObjectId {
        pub(crate) offset: u64,
        pub(crate) birth: u64,
    }
}

pub(crate) mod fabric {
    /// Goes with a message that is a view of a chunk; the model has none of those.
    pub(crate) struct Fabric;

    pub(crate) mod handle {
        use crate::error::{Error, ErrorKind};
        use crate::objects::{Kind, ObjectId};
        use crate::shm::{Fixed, Shm};

        pub(crate) struct Handle {
            pub(crate) id: ObjectId,
            shm: Shm,
        }

        impl Handle {
            pub(crate) fn shm(&self) -> &Shm {
                &self.shm
            }
            pub(crate) fn fixed<const N: usize>(&self) -> Fixed<'_, N> {
                self.shm.segment.fixed(self.id.offset).expect("the object is there")
            }
        }

        pub(crate) fn gone(_kind: Kind) -> Error {
            Error::new(ErrorKind::Gone, "this queue was destroyed")
        }
    }
}
