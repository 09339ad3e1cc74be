//! What is about to go into a queue: encoded bytes, and the blocks that lie beside them. Must not know what the bytes say.

use polyproc_ipc::{Packing, Parcel};

/// Bytes on their way into a queue, and the blocks beside them.
#[derive(Debug, Default)]
pub(crate) struct Letter {
    pub(crate) body: Vec<u8>,
    pub(crate) packing: Packing,
}

impl Letter {
    /// `body`, parts of which came from this parcel, with its blocks.
    pub(crate) fn with_blocks_of(parcel: Option<&Parcel>, body: Vec<u8>) -> Letter {
        let mut packing = Packing::new();
        if let Some(parcel) = parcel {
            packing.adopt(parcel);
        }
        Letter { body, packing }
    }

    /// The same once more. As long as both are there, no block can go without a copy.
    pub(crate) fn again(&self) -> Letter {
        Letter { body: self.body.clone(), packing: self.packing.clone() }
    }
}

impl From<Vec<u8>> for Letter {
    fn from(body: Vec<u8>) -> Letter {
        Letter { body, packing: Packing::new() }
    }
}
