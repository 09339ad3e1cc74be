//! Leases of a queue of Rust values: [`Lease`] with a value in it. Knows nothing of how leases are kept.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{Lease, Queue, decoded};
use crate::block::parcel::WITH_BLOCKS;
use crate::error::Result;

/// A value taken on a lease: see [`Queue::get_lease`]. Dropped, or when its holder dies, the message goes back to the front of its lane.
pub struct TypedLease<T> {
    lease: Lease,
    values: PhantomData<fn() -> T>,
}

impl<T> Queue<T> {
    /// Gets the next value *on a lease*, as [`BytesQueue::get_lease`](crate::BytesQueue::get_lease): it stays the queue's until it is [acknowledged](TypedLease::ack).
    ///
    /// ```
    /// use polyproc_ipc::{Fabric, Queue};
    /// let jobs = Queue::<String>::new(&Fabric::new()?, 0)?;
    /// jobs.put(&"paint".into())?;
    ///
    /// let lease = jobs.get_lease()?;
    /// assert_eq!((lease.value()?.as_str(), lease.deliveries()), ("paint", 1));
    /// drop(lease); // or this process was killed: it is the queue's again
    ///
    /// let lease = jobs.get_lease()?;
    /// assert_eq!((lease.value()?.as_str(), lease.deliveries()), ("paint", 2));
    /// lease.ack()?; // now it is done
    /// assert_eq!((jobs.len(), jobs.leased()), (0, 0));
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn get_lease(&self) -> Result<TypedLease<T>> {
        self.bytes().get_lease().map(TypedLease::of)
    }

    /// As [`Queue::get_lease`], waiting at most `time`; `None`: for ever.
    pub fn get_lease_timeout(&self, time: Option<Duration>) -> Result<TypedLease<T>> {
        self.bytes().get_lease_timeout(time).map(TypedLease::of)
    }

    /// As [`BytesQueue::lease_for`](crate::BytesQueue::lease_for): after `limit` the message goes back although its holder lives, unless the lease was [extended](TypedLease::extend).
    pub fn lease_for(&self, limit: Duration) -> Result<TypedLease<T>> {
        self.bytes().lease_for(limit).map(TypedLease::of)
    }

    /// As [`Queue::lease_for`], waiting at most `time`; `None`: for ever.
    pub fn lease_for_timeout(&self, limit: Duration, time: Option<Duration>) -> Result<TypedLease<T>> {
        self.bytes().lease_for_timeout(limit, time).map(TypedLease::of)
    }

    /// As [`BytesQueue::leased`](crate::BytesQueue::leased).
    pub fn leased(&self) -> usize {
        self.bytes().leased()
    }

    /// As [`BytesQueue::delayed`](crate::BytesQueue::delayed).
    pub fn delayed(&self) -> usize {
        self.bytes().delayed()
    }

    /// As [`BytesQueue::buried`](crate::BytesQueue::buried).
    pub fn buried(&self) -> usize {
        self.bytes().buried()
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// As [`BytesQueue::get_buried`](crate::BytesQueue::get_buried), decoded.
    pub fn get_buried(&self) -> Result<T> {
        decoded(self.bytes().get_buried()?)
    }
}

impl<T> TypedLease<T> {
    fn of(lease: Lease) -> TypedLease<T> {
        TypedLease { lease, values: PhantomData }
    }

    /// As [`Lease::ack`].
    pub fn ack(self) -> Result<()> {
        self.lease.ack()
    }

    /// As [`Lease::nak`].
    pub fn nak(self, delay: Duration) -> Result<()> {
        self.lease.nak(delay)
    }

    /// As [`Lease::bury`].
    pub fn bury(self) -> Result<()> {
        self.lease.bury()
    }

    /// As [`Lease::extend`].
    pub fn extend(&self, limit: Duration) -> Result<()> {
        self.lease.extend(limit)
    }

    /// As [`Lease::deliveries`].
    pub fn deliveries(&self) -> u32 {
        self.lease.deliveries()
    }

    /// The lease itself, with the message's bytes.
    pub fn bytes(&self) -> &Lease {
        &self.lease
    }

    /// The lease itself, by value.
    pub fn into_bytes(self) -> Lease {
        self.lease
    }
}

impl<T: DeserializeOwned> TypedLease<T> {
    /// Decodes the value. [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the message is not a `T`: the lease goes on, so the message may still be [buried](TypedLease::bury) or given back.
    ///
    /// [Blocks](crate::Block) in it are copies, and may outlive the lease.
    pub fn value(&self) -> Result<T> {
        let message = self.lease.message();
        decoded(if message.codec() & WITH_BLOCKS == 0 { message.again() } else { message.to_copy() })
    }
}

impl<T> fmt::Debug for TypedLease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lease.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Block, ErrorKind, Fabric, Queue};

    #[test]
    fn a_message_that_is_no_t_stays_on_its_lease() {
        let fabric = Fabric::new().unwrap();
        let queue = Queue::<String>::new(&fabric, 0).unwrap();
        Queue::<u32>::from(queue.bytes().clone()).put(&7).unwrap();
        let lease = queue.get_lease().unwrap();
        let error = lease.value().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!((queue.leased(), queue.len()), (1, 0));
        lease.bury().unwrap();
        assert_eq!((queue.leased(), queue.buried()), (0, 1));
        assert_eq!(queue.get_buried().unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn blocks_outlive_the_lease_they_came_by() {
        let fabric = Fabric::new().unwrap();
        let queue = Queue::<(String, Block<f64>)>::new(&fabric, 0).unwrap();
        queue.put(&("half".into(), Block::from(vec![0.5; 100_000]))).unwrap();
        for round in 1..=2 {
            let lease = queue.get_lease().unwrap();
            let (name, block) = lease.value().unwrap();
            assert_eq!(lease.deliveries(), round);
            if round == 2 {
                lease.ack().unwrap()
            } else {
                drop(lease)
            }
            assert_eq!((name.as_str(), block.len(), block[99_999]), ("half", 100_000, 0.5));
        }
        assert_eq!((queue.len(), queue.leased()), (0, 0));
        assert!(fabric.check().unwrap().is_whole());
    }

    #[test]
    fn times_and_limits_are_those_of_bytes() {
        let fabric = Fabric::new().unwrap();
        let queue = Queue::<u8>::builder().max_deliveries(1).new_in(&fabric).unwrap();
        assert_eq!(queue.get_lease_timeout(Some(Duration::ZERO)).unwrap_err().kind(), ErrorKind::Timeout);
        queue.put(&1).unwrap();
        let lease = queue.lease_for(Duration::from_secs(60)).unwrap();
        lease.extend(Duration::from_secs(70)).unwrap();
        assert_eq!(lease.into_bytes().deliveries(), 1);
        assert_eq!((queue.delayed(), queue.buried()), (0, 1), "handed out as often as it may be");
    }
}
