//! `Block`: many plain values in one piece, that travel between processes beside the codec and not through it.
//!
//! A block lies in this process's own memory, or in a chunk of a fabric that this process holds alone. How it travels inside a message is in `parcel.rs`. Must not know queues.

pub(crate) mod parcel;
mod raw;
mod source;
mod value;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytemuck::{AnyBitPattern, NoUninit};

pub use parcel::{Packing, Parcel};
pub use raw::RawBlock;
use source::Source;

use crate::cells::Cell;
use crate::error::Result;
use crate::fabric::Fabric;

/// What a [`Block`] holds: numbers, [`Char`](crate::Char) and plain C structs, for which any bytes are valid.
pub trait Plain: Cell + AnyBitPattern + NoUninit {}

impl<T: Cell + AnyBitPattern + NoUninit> Plain for T {}

/// Many plain values in one piece: a vector that crosses to another process with one copy, or with none.
///
/// Read it as a slice. As a value in a [`Queue`](crate::Queue), or as an argument or result of a task, its bytes go around the codec, straight into the chunk that the message is; the receiver's block is that
/// very memory, which only it holds. So a block made from a vector is copied once on the whole way. One that was [made in the fabric](Block::new) and is [given away](crate::Queue::give) is not copied at all.
///
/// Written to (by `DerefMut`), a block that was received, or made in a fabric, is changed in place, if nobody else here holds the same memory; else it becomes a copy of its own first. So is a received one that came on a
/// lease: what is handed out again must be what was sent.
///
/// **When a process dies**, the chunks of its blocks are given back by the next sweep, as those of its messages. In a dict, list or pipe a block is bytes like any other.
///
/// ```
/// use polyproc_ipc::{Block, Fabric, Queue};
/// let fabric = Fabric::new()?;
/// let queue = Queue::<(String, Block<f64>)>::new(&fabric, 0)?;
/// let mut block = Block::new(&fabric, 100_000)?; // in shared memory
/// block.iter_mut().zip(0..).for_each(|(value, i)| *value = f64::from(i));
/// queue.give(("a column".into(), block))?; // without a copy
/// let (name, mut column) = queue.get()?;
/// assert_eq!((name.as_str(), column.len(), column[7]), ("a column", 100_000, 7.0));
/// column[7] = 8.0; // in place: the memory is this process's now
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub struct Block<T> {
    place: Place<T>,
}

enum Place<T> {
    Own(Arc<Vec<T>>),
    /// Bytes of shared memory, aligned for `T` and a whole number of them.
    Shared(Piece, PhantomData<T>),
}

/// Some bytes of a source.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) source: Source,
    pub(crate) at: usize,
    pub(crate) len: usize,
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.source.bytes().get(self.at..self.at + self.len).unwrap_or_default()
    }
}

impl<T: Plain> Block<T> {
    /// `len` values in a chunk of `fabric`, to be filled in place. They are whatever stood there before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory), or [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if the fabric could never hold it.
    pub fn new(fabric: &Fabric, len: usize) -> Result<Block<T>> {
        if len == 0 || size_of::<T>() == 0 {
            return Ok(Block::from(vec![T::zeroed(); len]));
        }
        let bytes = parcel::bytes_of::<T>(len)?;
        Ok(Block::shared(Piece { source: Source::new(fabric, bytes)?, at: 0, len: bytes }))
    }

    /// A block in `fabric` that holds a copy of `values`.
    ///
    /// # Errors
    ///
    /// As [`Block::new`].
    pub fn copy_to(fabric: &Fabric, values: &[T]) -> Result<Block<T>> {
        let mut block = Block::new(fabric, values.len())?;
        block.copy_from_slice(values);
        Ok(block)
    }

    /// Whether the values lie in shared memory.
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Shared(..))
    }

    /// The values as a vector of this process's own; a copy unless they are one already.
    pub fn into_vec(self) -> Vec<T> {
        match self.place {
            Place::Own(values) => Arc::try_unwrap(values).unwrap_or_else(|values| values.to_vec()),
            Place::Shared(..) => self.to_vec(),
        }
    }

    fn shared(piece: Piece) -> Block<T> {
        Block { place: Place::Shared(piece, PhantomData) }
    }
}

impl<T: Plain> Deref for Block<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Own(values) => values,
            // Aligned and whole, as was checked when it came to be.
            Place::Shared(piece, _) => bytemuck::try_cast_slice(piece.bytes()).unwrap_or_default(),
        }
    }
}

impl<T: Plain> DerefMut for Block<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if let Place::Shared(piece, _) = &mut self.place
            && !piece.source.is_alone()
        {
            self.place = Place::Own(Arc::new(self.to_vec()));
        }
        match &mut self.place {
            Place::Own(values) => Arc::<Vec<T>>::make_mut(values),
            Place::Shared(Piece { source, at, len }, _) => {
                let bytes = source.bytes_mut().and_then(|bytes| bytes.get_mut(*at..*at + *len));
                bytes.and_then(|bytes| bytemuck::try_cast_slice_mut(bytes).ok()).unwrap_or_default()
            }
        }
    }
}

impl<T: Plain> From<Vec<T>> for Block<T> {
    fn from(values: Vec<T>) -> Block<T> {
        Block { place: Place::Own(Arc::new(values)) }
    }
}

impl<T: Plain> From<&[T]> for Block<T> {
    fn from(values: &[T]) -> Block<T> {
        Block::from(values.to_vec())
    }
}

impl<T: Plain> FromIterator<T> for Block<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Block<T> {
        Block::from(values.into_iter().collect::<Vec<T>>())
    }
}

impl<T: Plain> Default for Block<T> {
    fn default() -> Block<T> {
        Block::from(Vec::new())
    }
}

/// Another handle of the same memory, until one of the two is written to.
impl<T> Clone for Block<T> {
    fn clone(&self) -> Block<T> {
        let place = match &self.place {
            Place::Own(values) => Place::Own(values.clone()),
            Place::Shared(piece, _) => Place::Shared(piece.clone(), PhantomData),
        };
        Block { place }
    }
}

impl<T: Plain + PartialEq> PartialEq for Block<T> {
    fn eq(&self, other: &Block<T>) -> bool {
        **self == **other
    }
}

impl<T: Plain> fmt::Debug for Block<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_shared() { "shared" } else { "own" };
        write!(f, "Block of {} {} in {place} memory", self.len(), T::TYPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Queue;

    fn fabric() -> Fabric {
        Fabric::builder().cap(64 << 20).private().unwrap()
    }

    #[test]
    fn a_block_of_this_process_arrives_as_shared_memory() {
        let fabric = fabric();
        let queue = Queue::<(u8, Block<u32>, Vec<Block<f64>>)>::new(&fabric, 0).unwrap();
        let numbers: Block<u32> = (0..5000).collect();
        let floats: Vec<Block<f64>> = (1..4).map(|n| (0..n * 1000).map(f64::from).collect()).collect();
        queue.put(&(7, numbers.clone(), floats.clone())).unwrap();
        assert!(!numbers.is_shared(), "what was put is still the putter's");
        let (seven, got, others) = queue.get().unwrap();
        assert_eq!((seven, &got), (7, &numbers));
        assert_eq!(others, floats);
        assert!(got.is_shared() && others.iter().all(Block::is_shared));
        drop((got, others));
        drop(queue);
        assert_eq!(fabric.check().unwrap().private_chunks, 0, "all is given back");
    }

    #[test]
    fn what_is_given_away_is_not_copied_and_comes_back_the_same_way() {
        let fabric = fabric();
        let queue = Queue::<Block<u64>>::new(&fabric, 0).unwrap();
        let mut block = Block::<u64>::new(&fabric, 100_000).unwrap();
        block.fill(5);
        let mut address = block.as_ptr();
        for round in 0..4 {
            queue.give(block).unwrap();
            block = queue.get().unwrap();
            assert_eq!(block.as_ptr(), address, "the same memory");
            block[round] = 6;
            assert_eq!((block.as_ptr(), block[round], block[99_999]), (address, 6, 5), "written in place");
        }
        // Somebody else holds it: it is copied.
        let other = block.clone();
        queue.give(block).unwrap();
        block = queue.get().unwrap();
        assert_ne!(block.as_ptr(), address);
        assert_eq!(block, other);
        address = other.as_ptr();
        let mut third = other.clone();
        third[0] = 9;
        assert_eq!((other[0], third[0], other.as_ptr() == address, third.is_shared()), (6, 9, true, false), "written to, a handle becomes a copy");
    }

    #[test]
    fn several_blocks_of_one_message_are_each_their_own() {
        let fabric = fabric();
        let queue = Queue::<[Block<i16>; 2]>::new(&fabric, 0).unwrap();
        queue.put(&[vec![1; 3000].into(), vec![2; 3000].into()]).unwrap();
        let [mut one, two] = queue.get().unwrap();
        one[0] = 7; // the other lies in the same chunk
        assert_eq!((one[0], one[1], two[0], one.is_shared(), two.is_shared()), (7, 1, 2, false, true));
        queue.give([one, two]).unwrap();
        let [one, two] = queue.get().unwrap();
        assert_eq!((one[0], one.len(), two[2999]), (7, 3000, 2));
    }

    #[test]
    fn small_empty_and_odd_blocks() {
        let fabric = fabric();
        let queue = Queue::<(Block<u8>, Block<f32>, Block<crate::Char>)>::new(&fabric, 0).unwrap();
        queue.put(&(vec![1, 2, 3].into(), Block::default(), vec![crate::Char(b'x'); 5001].into())).unwrap();
        let (small, empty, text) = queue.get().unwrap();
        assert_eq!((&*small, empty.len(), text.len()), (&[1, 2, 3][..], 0, 5001));
        assert!(!small.is_shared() && text.is_shared());
    }

    #[test]
    fn another_type_is_refused_and_the_message_is_in_the_error() {
        let fabric = fabric();
        let queue = Queue::<Block<u32>>::new(&fabric, 0).unwrap();
        queue.put(&vec![1; 4000].into()).unwrap();
        let wrong: Queue<Block<f32>> = queue.bytes().clone().into();
        let error = wrong.get().unwrap_err();
        assert!(error.to_string().contains("'I'") && error.to_string().contains("'f'"), "{error}");
        let message = error.into_message().expect("the message");
        assert!(message.len() > 16_000);
    }

    #[test]
    fn elsewhere_a_block_is_bytes() {
        let fabric = fabric();
        let dict = crate::Dict::<u8, Block<u32>>::new(&fabric).unwrap();
        let block: Block<u32> = (0..9000).collect();
        dict.set(&1, &block).unwrap();
        assert_eq!(dict.get(&1).unwrap(), Some(block.clone()));
        let plain = crate::codec::to_vec(&block).unwrap();
        assert_eq!(crate::codec::decode::<Block<u32>>(&plain).unwrap(), block);
    }
}
