//! Blocks for who has no Rust type for them: bindings. The bytes of one, where they lie, and what stands for one in an encoding.

use super::parcel::{Packing, Parcel, WITH_BLOCKS, take_apart};
use super::value::{BESIDE, HEAD, HERE};
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::queue::Message;

/// A block as bytes: what it holds so many of, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawBlock<'a> {
    /// The code of the values' type, as [`CellType::code`](crate::CellType::code) has it.
    pub code: u8,
    /// Bytes of one value.
    pub size: usize,
    /// The values: a whole number of them.
    pub bytes: &'a [u8],
}

impl<'a> RawBlock<'a> {
    /// The block that an extension (of type 8) stands for, in a message of these bytes and this codec.
    ///
    /// ```
    /// use polyproc_ipc::{Block, BytesQueue, Fabric, Packing, RawBlock, codec};
    /// let queue = BytesQueue::new(&Fabric::new()?, 0)?;
    /// let (mut packing, mut body) = (Packing::new(), Vec::new());
    /// packing.encode(&Block::from(vec![1.5_f64; 10_000]), &mut body)?;
    /// queue.put_packed(packing, &body)?;
    /// let message = queue.get()?;
    /// let extension = &codec::body_of(&message, message.codec())?[2..]; // behind the extension's head: fixed, of 8 bytes
    /// let block = RawBlock::of(&message, message.codec(), extension)?;
    /// assert_eq!((block.code, block.size, block.bytes.len()), (b'd', 8, 80_000));
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it stands for none, or for one that lies outside of the message.
    pub fn of(message: &'a [u8], codec: u8, extension: &'a [u8]) -> Result<RawBlock<'a>> {
        read(extension, |place| {
            let (_, table) = take_apart(message, codec).ok()?;
            message.get(table.get(place)?.clone())
        })
    }

    /// Appends to `body` what stands for the block, with its bytes in it: so it can be in any value, wherever that goes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the bytes are no whole number of values; [`ErrorKind::TooLarge`] for more than 4 GiB, or values of more than 65535 bytes.
    pub fn append_to(&self, body: &mut Vec<u8>) -> Result<()> {
        let too_large = |_| Error::new(ErrorKind::TooLarge, format!("a block of {} bytes, {} each, is too large for a value", self.bytes.len(), self.size));
        if self.size == 0 || !self.bytes.len().is_multiple_of(self.size) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{} bytes are no whole number of values of {}", self.bytes.len(), self.size)));
        }
        let size = u16::try_from(self.size).map_err(too_large)?;
        let len = u32::try_from(self.bytes.len() + HEAD).map_err(too_large)?;
        body.reserve(self.bytes.len() + HEAD + 6);
        body.push(0xc9);
        body.extend_from_slice(&len.to_be_bytes());
        body.extend_from_slice(&[super::parcel::EXTENSION as u8, HERE, self.code]);
        body.extend_from_slice(&size.to_le_bytes());
        body.extend_from_slice(self.bytes);
        Ok(())
    }
}

impl RawBlock<'_> {
    /// Whether an extension of type 8 names a block that lies beside its value, and so means nothing without its parcel.
    pub fn is_beside(extension: &[u8]) -> bool {
        extension.first() == Some(&BESIDE)
    }
}

impl Parcel {
    /// The block that an extension (of type 8) in its body stands for.
    ///
    /// # Errors
    ///
    /// As [`RawBlock::of`].
    pub fn raw_block<'a>(&'a self, extension: &'a [u8]) -> Result<RawBlock<'a>> {
        read(extension, |place| self.bytes_at(place))
    }
}

impl Packing {
    /// The parcel as a message of this process's own, as if it had been received.
    pub fn into_message(self, body: &[u8]) -> Message {
        if self.is_empty() {
            return Message::own(body.to_vec(), codec::MESSAGEPACK);
        }
        Message::own(self.laid_out(body), codec::MESSAGEPACK | WITH_BLOCKS)
    }
}

fn read<'a>(extension: &'a [u8], beside: impl FnOnce(usize) -> Option<&'a [u8]>) -> Result<RawBlock<'a>> {
    let wrong = |why: &str| Error::new(ErrorKind::Decode, why.to_owned());
    let Some((&[form, code, low, high], rest)) = extension.split_first_chunk::<HEAD>() else { return Err(wrong("a block's head is cut short")) };
    let size = usize::from(u16::from_le_bytes([low, high]));
    let bytes = match form {
        HERE => rest,
        BESIDE => {
            let place = rest.try_into().ok().map(|place| u32::from_le_bytes(place) as usize);
            place.and_then(beside).ok_or_else(|| wrong("a block lies outside of its message"))?
        }
        _ => return Err(wrong("a block of an unknown form")),
    };
    if size == 0 || !bytes.len().is_multiple_of(size) {
        return Err(wrong("a block that is no whole number of values"));
    }
    Ok(RawBlock { code, size, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Block, BytesQueue, Fabric, Queue};

    #[test]
    fn raw_and_typed_blocks_are_the_same() {
        let fabric = Fabric::builder().cap(16 << 20).private().unwrap();
        let bytes = BytesQueue::new(&fabric, 0).unwrap();
        let typed = Queue::<Block<u32>>::from_ticket(&bytes.ticket()).unwrap();
        for len in [0_u32, 5, 5000] {
            let values: Vec<u32> = (0..len).collect();
            let raw: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
            let mut body = Vec::new();
            RawBlock { code: b'I', size: 4, bytes: &raw }.append_to(&mut body).unwrap();
            bytes.put_encoded(0, (&body[..], codec::MESSAGEPACK), None).unwrap();
            assert_eq!(typed.get().unwrap()[..], values[..], "what was made raw is read typed");

            typed.put(&Block::from(values)).unwrap();
            let message = bytes.get().unwrap();
            let body = codec::body_of(&message, message.codec()).unwrap();
            // Behind the head: fixed of 8 bytes where it lies beside, else with a length of 1 byte.
            let extension = if len == 5000 { &body[2..] } else { &body[body.len() - raw.len() - HEAD..] };
            assert_eq!(RawBlock::is_beside(extension), len == 5000);
            let block = RawBlock::of(&message, message.codec(), extension).unwrap();
            assert_eq!((block.code, block.size, block.bytes), (b'I', 4, &raw[..]));
            let extension = extension.to_vec();
            let codec = message.codec();
            let parcel = Parcel::open(message).unwrap();
            assert_eq!(parcel.raw_block(&extension).unwrap().bytes, raw);
            let mut packing = Packing::new();
            packing.adopt(&parcel);
            let again = packing.into_message(parcel.body());
            assert_eq!(again.codec(), codec);
            assert_eq!(RawBlock::of(&again, codec, &extension).unwrap().bytes, raw);
        }
    }

    #[test]
    fn what_stands_for_no_block_is_refused() {
        let body = [0; 16];
        for extension in [&[][..], &[0, b'd', 8], &[2, b'd', 8, 0], &[0, b'd', 0, 0, 1], &[0, b'd', 8, 0, 1], &[1, b'd', 8, 0, 0, 0, 0, 0], &[1, b'd', 8, 0, 9]]
        {
            let error = RawBlock::of(&body, codec::MESSAGEPACK | WITH_BLOCKS, extension).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{extension:?}");
            RawBlock::of(&body, codec::MESSAGEPACK, extension).unwrap_err();
        }
        let raw = RawBlock { code: b'd', size: 8, bytes: &[0; 9] };
        assert_eq!(raw.append_to(&mut Vec::new()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(RawBlock { size: 70_000, bytes: &[], ..raw }.append_to(&mut Vec::new()).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
