//! The memory that blocks lie in, as long as a block needs it: a vector, a chunk of this process's own, or a message on a lease. Knows no layout.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Plain;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::queue::{Lease, Loan, Message, View};

/// What fits behind a block that is made in the fabric: the rest of a small message, so that the block can be sent where it lies.
const ROOM: u64 = 512;

#[derive(Clone)]
pub(crate) enum Source {
    Own(Arc<dyn Bytes>),
    Chunk(Arc<View>),
    Leased(Arc<Leased>),
}

/// A vector of whatever plain values.
pub(crate) trait Bytes: Send + Sync {
    fn bytes(&self) -> &[u8];
}

impl<T: Plain> Bytes for Vec<T> {
    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self)
    }
}

impl Source {
    /// A new chunk with `len` bytes for a block, and some room behind them.
    pub(crate) fn new(fabric: &Fabric, len: usize) -> Result<Source> {
        let loan = Loan::take(fabric, (len as u64).saturating_add(ROOM))?;
        Ok(Source::Chunk(Arc::new(loan.into_view())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Source::Own(bytes) => bytes.bytes(),
            Source::Chunk(view) => view.bytes(),
            Source::Leased(leased) => &leased.seen,
        }
    }

    /// Whether nobody else here sees these bytes, and they may be written to.
    pub(crate) fn is_alone(&mut self) -> bool {
        self.bytes_mut().is_some()
    }

    pub(crate) fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match self {
            Source::Chunk(view) => Arc::get_mut(view).map(View::bytes_mut),
            _ => None,
        }
    }
}

impl Source {
    /// The message again, unless a block still lies in it.
    pub(crate) fn into_message(self, codec: u8) -> Option<Message> {
        match self {
            Source::Own(bytes) => Some(Message::own(bytes.bytes().to_vec(), codec)),
            Source::Chunk(view) => Arc::into_inner(view).map(|view| view.into_loan().into_message(codec)),
            Source::Leased(_) => None,
        }
    }
}

impl From<Message> for Source {
    fn from(message: Message) -> Source {
        match message.into_view() {
            Ok(view) => Source::Chunk(Arc::new(view)),
            Err(message) => Source::Own(Arc::new(message.into_vec())),
        }
    }
}

/// A message on a lease whose bytes outlive the lease, as long as a block lies in them.
pub(crate) struct Leased {
    /// The lease until it is acknowledged. It goes back to its queue only when no block sees its bytes any more.
    lease: Mutex<Option<Lease>>,
    /// The chunk from then on.
    kept: OnceLock<Message>,
    /// Its bytes, and no ownership: of the chunk, or a copy.
    seen: Message,
}

impl Leased {
    pub(crate) fn new(lease: Lease) -> Leased {
        let seen = lease.message().again();
        Leased { lease: Mutex::new(Some(lease)), kept: OnceLock::new(), seen }
    }

    pub(crate) fn ack(&self) -> Result<()> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lease = lease.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the lease of a parcel was acknowledged before"))?;
        let (kept, result) = match lease.ack_and_keep() {
            Ok(message) => (Some(message), Ok(())),
            Err(mut error) => (error.take_message(), Err(error)),
        };
        if let Some(message) = kept {
            let _ = self.kept.set(message);
        }
        result
    }

    pub(crate) fn with_lease<R>(&self, act: impl FnOnce(&Lease) -> R) -> Option<R> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(act)
    }
}
