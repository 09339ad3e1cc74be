//! Python values as messages and back. Plain types of exactly the built-in classes are the neutral wire format, written here; anything else, and what shares or contains itself, is a pickle.
//!
//! | codec | body | who reads it |
//! | --- | --- | --- |
//! | 1 | MessagePack with the extension types of `docs/format.md` | any language |
//! | 2 | a pickle | Python |
//! | 2 with bit 7 | a pickle, and its out-of-band buffers as blocks beside it | Python |
//!
//! Bytes of 2 KiB and more are not copied while encoding: they are a *part*, and go straight to the message's place in shared memory.

mod decode;
mod encode;
mod message;
mod pickled;

pub(crate) use decode::{from_bytes, from_message};
pub(crate) use message::{Outgoing, encode as outgoing};
pub(crate) use pickled::RawBuffer;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Codec number of a pickle.
pub(crate) const PICKLE: u8 = 2;

/// `obj` as one message: its codec number, and its bytes.
#[pyfunction(name = "encode")]
pub(crate) fn encode_value<'py>(py: Python<'py>, obj: &Bound<'py, PyAny>) -> PyResult<(u8, Bound<'py, PyBytes>)> {
    let message = outgoing(obj)?;
    let bytes = PyBytes::new_with(py, message.len(), |place| {
        message.write(place);
        Ok(())
    })?;
    Ok((message.codec(), bytes))
}

/// The value that `data` is, in a codec.
#[pyfunction(name = "decode")]
pub(crate) fn decode_value<'py>(py: Python<'py>, codec: u8, data: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    from_bytes(py, data.as_bytes(), codec)
}
