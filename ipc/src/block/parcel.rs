//! Parcels: messages in which blocks lie beside the encoded value. Knows no queue.
//!
//! ```text
//! blocks and gaps | body | table: per block (offset u64, length u64) | body's offset u64 | number of blocks u32 | 0 u32
//! ```
//!
//! All numbers are little-endian, offsets are from the message's first byte, a block's is a multiple of 64. The message's codec number is the body's with [`WITH_BLOCKS`]. In the body a block is the extension
//! type [`EXTENSION`]: `form u8 | type code u8 | size of a value u16`, then for form 0 the bytes themselves, and for form 1 the block's place in the table, u32. Form 0 stands for small ones, and
//! wherever there is no parcel.
//!
//! Blocks come first so that one which lies in a chunk already can stay there: the rest is written behind it. Everything is checked when it is read.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::source::{Leased, Source};
use super::{Piece, Plain};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::Fabric;
use crate::queue::{Lease, Loan, Message, View};

/// In a codec number: the message is a parcel, and its body is of the codec without this bit.
pub const WITH_BLOCKS: u8 = 0x80;
/// MessagePack's extension type of a block.
pub(crate) const EXTENSION: i8 = 8;

const ENTRY: usize = 16;
const TRAILER: usize = 16;
const ALIGN: usize = 64;
/// A smaller block goes with the body.
const SMALL: usize = 1024;

thread_local! {
    /// The blocks that the value being encoded has had so far.
    static PACKING: RefCell<Option<Vec<Piece>>> = const { RefCell::new(None) };
    /// The parcel that is being decoded.
    static UNPACKING: RefCell<Option<Arc<Parcel>>> = const { RefCell::new(None) };
}

/// Values on their way into one message: their encodings, and beside them their blocks.
///
/// ```
/// use polyproc_ipc::{Block, BytesQueue, Fabric, Packing, Parcel};
/// let fabric = Fabric::new()?;
/// let queue = BytesQueue::new(&fabric, 0)?;
/// let (mut packing, mut body) = (Packing::new(), Vec::new());
/// packing.encode(&Block::from(vec![1.5; 10_000]), &mut body)?;
/// assert!(body.len() < 100);
/// queue.put_packed(packing, &body)?;
/// let parcel = Parcel::open(queue.get()?)?;
/// let block: Block<f64> = parcel.decode(parcel.body())?;
/// assert_eq!(block[9_999], 1.5);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Packing {
    pieces: Vec<Piece>,
}

impl Packing {
    /// No value yet.
    pub fn new() -> Packing {
        Packing::default()
    }

    /// Appends the encoding of `value` to `body`, and keeps its blocks. If it fails, both are as before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if it does not serialise.
    pub fn encode<T: Serialize + ?Sized>(&mut self, value: &T, body: &mut Vec<u8>) -> Result<()> {
        let (pieces, start) = (self.pieces.len(), body.len());
        // A value whose serialisation packs another one finds its own again.
        let outer = PACKING.replace(Some(std::mem::take(&mut self.pieces)));
        let encoded = codec::encode(value, body);
        self.pieces = PACKING.replace(outer).unwrap_or_default();
        encoded.inspect_err(|_| {
            self.pieces.truncate(pieces);
            body.truncate(start);
        })
    }

    /// Takes over the blocks of a parcel, whose body is to become part of this one: only before any other. The places in its body stay right.
    pub fn adopt(&mut self, parcel: &Parcel) {
        debug_assert!(self.pieces.is_empty(), "places in an adopted body count from the first block");
        self.pieces.extend(parcel.table.iter().map(|range| Piece { source: parcel.source.clone(), at: range.start, len: range.len() }));
    }

    /// Whether there are no blocks: then the body alone is the message.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes in the blocks.
    pub fn size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len).sum()
    }

    /// The parcel as one chunk, which is `take`n; or, where a block lies in a chunk of `fabric` that only it holds, with room for the rest behind it, that chunk.
    ///
    /// Without memory for it the parcel is in the error, as a message of this process's own.
    pub(crate) fn finish(self, fabric: &Fabric, body: &[u8], take: impl FnOnce(usize) -> Result<Loan>) -> Result<Loan> {
        let tail = body.len() + self.pieces.len() * ENTRY + TRAILER;
        let pieces = match in_place(self.pieces, fabric, tail) {
            Ok((view, pieces)) => {
                let mut loan = view.into_loan();
                loan.set_len(loan.room());
                let len = write(&mut loan, &pieces, body);
                loan.set_len(len);
                return Ok(loan);
            }
            Err(pieces) => pieces,
        };
        let blocks: usize = pieces.iter().map(|piece| piece.len.next_multiple_of(ALIGN)).sum();
        let pieces: Vec<Rest> = pieces.into_iter().map(Rest::Elsewhere).collect();
        match take(blocks + tail) {
            Ok(mut loan) => {
                let len = write(&mut loan, &pieces, body);
                loan.set_len(len);
                Ok(loan)
            }
            Err(error) => Err(error.with_message(Message::own(own(&pieces, body, blocks + tail), codec::MESSAGEPACK | WITH_BLOCKS))),
        }
    }

    /// The parcel as bytes of this process's own.
    pub(super) fn laid_out(self, body: &[u8]) -> Vec<u8> {
        let tail = body.len() + self.pieces.len() * ENTRY + TRAILER;
        let blocks: usize = self.pieces.iter().map(|piece| piece.len.next_multiple_of(ALIGN)).sum();
        let pieces: Vec<Rest> = self.pieces.into_iter().map(Rest::Elsewhere).collect();
        own(&pieces, body, blocks + tail)
    }
}

impl fmt::Debug for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packing of {} blocks, {} bytes", self.pieces.len(), self.size())
    }
}

/// Where the bytes of a block are when its message is written.
enum Rest {
    /// In the message's chunk already.
    Here(Range<usize>),
    Elsewhere(Piece),
}

/// The chunk of the largest block that can stay where it is, with what becomes of each block.
fn in_place(pieces: Vec<Piece>, fabric: &Fabric, tail: usize) -> Result<(View, Vec<Rest>), Vec<Piece>> {
    let largest = pieces.iter().filter_map(|piece| match &piece.source {
        Source::Chunk(view) if view.fabric().id() == fabric.id() => Some((piece.len, view.clone())),
        _ => None,
    });
    let Some((_, base)) = largest.max_by_key(|(len, _)| *len) else { return Err(pieces) };
    let is_base = |piece: &Piece| matches!(&piece.source, Source::Chunk(view) if Arc::ptr_eq(view, &base));
    let ours = pieces.iter().filter(|piece| is_base(piece));
    let (handles, end) = ours.fold((1, 0), |(handles, end), piece| (handles + 1, end.max(piece.at + piece.len)));
    let others: usize = pieces.iter().filter(|piece| !is_base(piece)).map(|piece| piece.len.next_multiple_of(ALIGN)).sum();
    let fits = end.next_multiple_of(ALIGN) + others + tail <= base.room();
    if !fits || Arc::strong_count(&base) != handles {
        return Err(pieces);
    }
    let rest: Vec<Rest> =
        pieces.into_iter().map(|piece| if is_base(&piece) { Rest::Here(piece.at..piece.at + piece.len) } else { Rest::Elsewhere(piece) }).collect();
    match Arc::try_unwrap(base) {
        Ok(view) => Ok((view, rest)),
        // Cloned from another thread's handle at this very moment.
        Err(base) => Err(rest
            .into_iter()
            .map(|rest| match rest {
                Rest::Here(range) => Piece { source: Source::Chunk(base.clone()), at: range.start, len: range.len() },
                Rest::Elsewhere(piece) => piece,
            })
            .collect()),
    }
}

/// All of it in a vector of at most so many bytes.
fn own(pieces: &[Rest], body: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = vec![0; most];
    let len = write(&mut bytes, pieces, body);
    bytes.truncate(len);
    bytes
}

/// Writes what is not there yet, behind what is, into `bytes`, which have room for it; the message's length.
fn write(bytes: &mut [u8], rest: &[Rest], body: &[u8]) -> usize {
    let mut end = rest.iter().map(|rest| if let Rest::Here(range) = rest { range.end } else { 0 }).max().unwrap_or(0);
    let mut table = Vec::with_capacity(rest.len() * ENTRY + TRAILER);
    for rest in rest {
        let (at, len) = match rest {
            Rest::Here(range) => (range.start, range.len()),
            Rest::Elsewhere(piece) => {
                let at = end.next_multiple_of(ALIGN);
                bytes[at..at + piece.len].copy_from_slice(piece.bytes());
                end = at + piece.len;
                (at, piece.len)
            }
        };
        table.extend_from_slice(&(at as u64).to_le_bytes());
        table.extend_from_slice(&(len as u64).to_le_bytes());
    }
    table.extend_from_slice(&(end as u64).to_le_bytes());
    table.extend_from_slice(&(rest.len() as u64).to_le_bytes());
    for part in [body, &table] {
        bytes[end..end + part.len()].copy_from_slice(part);
        end += part.len();
    }
    end
}

/// Hands a block to the parcel being packed, if there is one and it is worth while: its place in the table.
pub(crate) fn pack(piece: impl FnOnce() -> Piece, len: usize) -> Option<u32> {
    PACKING.with_borrow_mut(|packing| {
        let pieces = packing.as_mut().filter(|_| len >= SMALL)?;
        let place = u32::try_from(pieces.len()).ok()?;
        pieces.push(piece());
        Some(place)
    })
}

/// The block at `place` of the parcel being decoded.
pub(crate) fn unpack(place: u32) -> Option<Piece> {
    UNPACKING.with_borrow(|parcel| {
        let parcel = parcel.as_ref()?;
        let range = parcel.table.get(place as usize)?;
        Some(Piece { source: parcel.source.clone(), at: range.start, len: range.len() })
    })
}

/// How many bytes `len` values have.
pub(crate) fn bytes_of<T: Plain>(len: usize) -> Result<usize> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes < isize::MAX as usize / 2);
    bytes.ok_or_else(|| Error::new(ErrorKind::TooLarge, format!("{len} values of {} bytes are too many", size_of::<T>())))
}

/// A received message whose blocks, if it has any, lie in it. The message lives as long as a block of it.
pub struct Parcel {
    source: Source,
    body: Range<usize>,
    table: Vec<Range<usize>>,
    codec: u8,
}

impl Parcel {
    /// Takes a received message apart. One without blocks is all body.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it is not laid out as a parcel; the message is in [`Error::into_message`].
    pub fn open(message: Message) -> Result<Arc<Parcel>> {
        let codec = message.codec();
        match take_apart(&message, codec) {
            Ok((body, table)) => Ok(Arc::new(Parcel { source: Source::from(message), body, table, codec: codec & !WITH_BLOCKS })),
            Err(error) => Err(error.with_message(message)),
        }
    }

    /// As [`Parcel::open`], of a message on a lease. It goes back to its queue when the parcel and all blocks of it are dropped, unless it is [acknowledged](Parcel::ack) before.
    ///
    /// # Errors
    ///
    /// The lease, if its message is not laid out as a parcel.
    pub fn open_lease(lease: Lease) -> Result<Arc<Parcel>, Box<Lease>> {
        let codec = lease.message().codec();
        let Ok((body, table)) = take_apart(&lease, codec) else { return Err(Box::new(lease)) };
        Ok(Arc::new(Parcel { source: Source::Leased(Arc::new(Leased::new(lease))), body, table, codec: codec & !WITH_BLOCKS }))
    }

    /// The encoded values.
    pub fn body(&self) -> &[u8] {
        self.source.bytes().get(self.body.clone()).unwrap_or_default()
    }

    /// The codec of the body.
    pub fn codec(&self) -> u8 {
        self.codec
    }

    /// The bytes of a block, by its place in the table.
    pub(super) fn bytes_at(&self, place: usize) -> Option<&[u8]> {
        self.source.bytes().get(self.table.get(place)?.clone())
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> usize {
        self.table.len()
    }

    /// The value that `part` of the body encodes; blocks in it are views of this parcel's memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`].
    pub fn decode<T: DeserializeOwned>(self: &Arc<Parcel>, part: &[u8]) -> Result<T> {
        if self.table.is_empty() {
            return codec::decode(part);
        }
        let outer = UNPACKING.replace(Some(self.clone()));
        let value = codec::decode(part);
        UNPACKING.set(outer);
        value
    }

    /// The message again, unless it is on a lease, or something still uses it.
    pub(crate) fn into_message(self: Arc<Parcel>) -> Option<Message> {
        let Parcel { source, table, codec, .. } = Arc::into_inner(self)?;
        source.into_message(if table.is_empty() { codec } else { codec | WITH_BLOCKS })
    }

    /// The lease is done with: the message is out of its queue. Blocks of it stay.
    ///
    /// # Errors
    ///
    /// As [`Lease::ack`]; `InvalidArgument` of a parcel without a lease, or acknowledged before.
    pub fn ack(&self) -> Result<()> {
        match &self.source {
            Source::Leased(leased) => leased.ack(),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "this parcel is not on a lease")),
        }
    }

    /// Uses the lease, if the parcel is on one that was not acknowledged.
    pub fn with_lease<R>(&self, act: impl FnOnce(&Lease) -> R) -> Option<R> {
        match &self.source {
            Source::Leased(leased) => leased.with_lease(act),
            _ => None,
        }
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel of {} bytes and {} blocks", self.body.len(), self.table.len())
    }
}

/// The body of a message's bytes, which are of this codec, blocks left aside.
///
/// # Errors
///
/// [`ErrorKind::Decode`].
pub fn body_of(bytes: &[u8], codec: u8) -> Result<&[u8]> {
    let (body, _) = take_apart(bytes, codec)?;
    Ok(&bytes[body])
}

/// Where the body and the blocks are, all of it checked to lie inside.
pub(super) fn take_apart(bytes: &[u8], codec: u8) -> Result<(Range<usize>, Vec<Range<usize>>)> {
    if codec & WITH_BLOCKS == 0 {
        return Ok((0..bytes.len(), Vec::new()));
    }
    layout(bytes).ok_or_else(|| Error::new(ErrorKind::Decode, format!("a message of {} bytes is not laid out as one with blocks", bytes.len())))
}

fn layout(bytes: &[u8]) -> Option<(Range<usize>, Vec<Range<usize>>)> {
    let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?));
    let trailer = bytes.len().checked_sub(TRAILER)?;
    let (from, count) = (usize::try_from(word(trailer)?).ok()?, usize::try_from(word(trailer + 8)?).ok()?);
    let table = trailer.checked_sub(count.checked_mul(ENTRY)?)?;
    if from > table {
        return None;
    }
    let block = |n: usize| {
        let at = table + n * ENTRY;
        let (start, len) = (usize::try_from(word(at)?).ok()?, usize::try_from(word(at + 8)?).ok()?);
        let end = start.checked_add(len)?;
        (start.is_multiple_of(ALIGN) && end <= from).then_some(start..end)
    };
    Some((from..table, (0..count).map(block).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, BytesQueue};

    fn message() -> Vec<u8> {
        let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        let (mut packing, mut body) = (Packing::new(), Vec::new());
        packing.encode(&(Block::from(vec![1_u8; 2000]), "text", Block::from(vec![2_u32; 1000])), &mut body).unwrap();
        queue.put_packed(packing, &body).unwrap();
        queue.get().unwrap().into_vec()
    }

    #[test]
    fn a_failed_value_leaves_the_packing_as_it_was() {
        struct Bad(Block<u8>);
        impl Serialize for Bad {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)?;
                Err(serde::ser::Error::custom("on purpose"))
            }
        }
        let (mut packing, mut body) = (Packing::new(), vec![7]);
        packing.encode(&Bad(vec![1; 5000].into()), &mut body).unwrap_err();
        assert_eq!((packing.is_empty(), &body[..]), (true, &[7][..]));
        assert_eq!(pack(|| unreachable!(), 5000), None, "no packing is left open");
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_inside() {
        let whole = message();
        let codec = codec::MESSAGEPACK | WITH_BLOCKS;
        let (body, table) = take_apart(&whole, codec).unwrap();
        assert_eq!((table.len(), body.len() < 100), (2, true));
        for at in (whole.len() - 60)..whole.len() {
            for value in [0, 1, 0x40, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Ok((body, table)) = take_apart(&bytes, codec) {
                    assert!(body.end <= bytes.len() && table.iter().all(|range| range.end <= body.start), "byte {at} as {value}");
                }
            }
        }
        for len in 0..whole.len() {
            if let Ok((body, table)) = take_apart(&whole[..len], codec) {
                assert!(body.end <= len && table.iter().all(|range| range.end <= len));
            }
        }
    }

    #[test]
    fn a_lease_goes_back_unless_it_is_acknowledged_and_its_blocks_stay() {
        let fabric = Fabric::builder().cap(64 << 20).private().unwrap();
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        let (mut packing, mut body) = (Packing::new(), Vec::new());
        packing.encode(&Block::from(vec![3_u64; 5000]), &mut body).unwrap();
        queue.put_packed(packing, &body).unwrap();
        let parcel = Parcel::open_lease(queue.get_lease().unwrap()).unwrap();
        let block: Block<u64> = parcel.decode(parcel.body()).unwrap();
        drop(parcel);
        assert_eq!((queue.leased(), block[4999]), (1, 3), "as long as there is a block");
        drop(block);
        assert_eq!((queue.leased(), queue.len()), (0, 1));

        let parcel = Parcel::open_lease(queue.get_lease().unwrap()).unwrap();
        let mut block: Block<u64> = parcel.decode(parcel.body()).unwrap();
        block[0] = 9;
        assert!(!block.is_shared(), "written to, it is a copy: the message may be handed out again");
        let block: Block<u64> = parcel.decode(parcel.body()).unwrap();
        parcel.ack().unwrap();
        assert!(parcel.ack().is_err() && parcel.with_lease(Lease::deliveries).is_none());
        drop(parcel);
        assert_eq!((queue.leased(), queue.len(), block[0]), (0, 0, 3));
        assert_eq!(fabric.check().unwrap().private_chunks, 1);
        drop(block);
        assert_eq!(fabric.check().unwrap().private_chunks, 0);
    }
}
