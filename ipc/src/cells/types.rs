//! What a cell may be: the reference's type codes, plain C structs, and the traits by which Rust types are cells. Knows no memory.
//!
//! | codes | cell | in Rust |
//! | --- | --- | --- |
//! | `c` | one byte of text | [`Char`] |
//! | `b` `B` `h` `H` `i` `I` | integers of 1, 2, 4 bytes; capitals unsigned | `i8` to `u32` |
//! | `q` `Q`, `l` `L` | integers of 8 bytes; `l` is `q` and `L` is `Q` on this ABI | `i64`, `u64`, `isize`, `usize` |
//! | `f` `d` | floats of 4 and 8 bytes | `f32`, `f64` |
//! | `?` | a bool: one byte, 0 is false | `bool` |
//! | `u` | a code point: 4 bytes | `char` |
//! | `S` | a C struct: size, alignment and an optional text that describes it | [`Struct`] |
//!
//! Any bytes are a valid cell of any type, whoever wrote them. That is what `bytemuck`'s traits say of a Rust type, so this crate needs no unsafe trait for C structs.

use std::borrow::Cow;
use std::fmt;

use bytemuck::{AnyBitPattern, NoUninit, Zeroable};

use crate::error::{Error, ErrorKind, Result};

/// Largest alignment of a cell: that of a chunk.
pub(crate) const MAX_ALIGN: usize = 64;
/// Most bytes in a struct's description.
pub(crate) const MAX_FORMAT: usize = 120;
/// The code of a struct.
pub(crate) const STRUCT: u8 = b'S';

/// A cell's type as the fabric stores it and every language reads it.
///
/// ```
/// use polyproc_ipc::{Cell, CellType};
/// assert_eq!(<i32 as Cell>::TYPE.code(), 'i');
/// assert!(CellType::from_code('l').unwrap().is_same(&<i64 as Cell>::TYPE));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellType {
    code: u8,
    size: usize,
    align: usize,
    format: Cow<'static, str>,
}

impl CellType {
    /// The type of this code, one of `cbBuhHiIlLqQfd?`; none for any other.
    pub fn from_code(code: char) -> Option<CellType> {
        let size = match code {
            'c' | 'b' | 'B' | '?' => 1,
            'h' | 'H' => 2,
            'i' | 'I' | 'f' | 'u' => 4,
            'l' | 'L' | 'q' | 'Q' | 'd' => 8,
            _ => return None,
        };
        Some(CellType { code: code as u8, size, align: size, format: Cow::Borrowed("") })
    }

    /// A C struct of this size and alignment (a power of two, at most 64, of which the size is a multiple). `format` tells other languages what is in it, in words that they
    /// agree on (Python's `struct` format, a type's name); at most 120 bytes, and none is fine.
    pub fn structure(size: usize, align: usize, format: impl Into<Cow<'static, str>>) -> Result<CellType> {
        let format = format.into();
        let made = CellType { code: STRUCT, size, align, format };
        if made.is_sound() {
            return Ok(made);
        }
        Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{made} with alignment {align} cannot be a cell: the size is a multiple of the alignment, that a power of two up to {MAX_ALIGN}, the description has up to {MAX_FORMAT} bytes"
            ),
        ))
    }

    /// What was found in shared memory; none if it is no type.
    pub(crate) fn found(code: u8, size: usize, align: usize, format: String) -> Option<CellType> {
        let found = CellType { code, size, align, format: Cow::Owned(format) };
        let good = if code == STRUCT { found.is_sound() } else { CellType::from_code(code as char).as_ref() == Some(&found) };
        good.then_some(found)
    }

    /// The code; `S` for a struct.
    pub fn code(&self) -> char {
        self.code as char
    }

    /// Bytes of one cell.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Alignment of a cell.
    pub fn align(&self) -> usize {
        self.align
    }

    /// What a struct's maker said of it.
    pub fn format(&self) -> &str {
        &self.format
    }

    /// Whether cells of both types are the same. `l` is `q` and `L` is `Q`; structs have one size and alignment, and one description if both have one.
    pub fn is_same(&self, other: &CellType) -> bool {
        let plain = |code| match code {
            b'l' => b'q',
            b'L' => b'Q',
            other => other,
        };
        plain(self.code) == plain(other.code)
            && (self.size, self.align) == (other.size, other.align)
            && (self.format == other.format || self.format.is_empty() || other.format.is_empty())
    }

    pub(crate) fn is_sound(&self) -> bool {
        let aligned = self.align.is_power_of_two() && self.align <= MAX_ALIGN && self.size > 0 && self.size.is_multiple_of(self.align);
        aligned && self.format.len() <= MAX_FORMAT && (self.code == STRUCT || self.format.is_empty())
    }
}

impl fmt::Display for CellType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, &*self.format) {
            (STRUCT, "") => write!(f, "a struct of {} bytes", self.size),
            (STRUCT, format) => write!(f, "a struct '{format}' of {} bytes", self.size),
            _ => write!(f, "'{}' ({} bytes)", self.code(), self.size),
        }
    }
}

/// A type that [`Value`](crate::Value) and [`Array`](crate::Array) can hold: numbers, `bool`, `char`, [`Char`], and every [`Struct`].
///
/// What is in memory is `Stored`, for which any bytes are valid: another process may have written anything.
pub trait Cell: Copy + Send + Sync + 'static {
    /// The bytes in memory.
    type Stored: AnyBitPattern + NoUninit;
    /// What the fabric says of such a cell.
    const TYPE: CellType;

    /// As it goes into memory.
    fn to_stored(self) -> Self::Stored;

    /// As it comes from memory.
    fn from_stored(stored: Self::Stored) -> Self;

    /// The bytes of some cells.
    fn bytes_of(cells: &[Self]) -> Cow<'_, [u8]> {
        let stored: Vec<Self::Stored> = cells.iter().map(|cell| cell.to_stored()).collect();
        Cow::Owned(bytemuck::cast_slice(&stored).to_vec())
    }

    /// Cells from the bytes that `read` brings.
    fn from_bytes(cells: &mut [Self], read: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
        let mut stored = vec![Self::Stored::zeroed(); cells.len()];
        read(bytemuck::cast_slice_mut(&mut stored))?;
        cells.iter_mut().zip(stored).for_each(|(cell, stored)| *cell = Self::from_stored(stored));
        Ok(())
    }
}

/// A plain C struct as a cell: `#[repr(C)]`, without padding, and valid for any bytes; `bytemuck`'s derives check that.
///
/// ```
/// use polyproc_ipc::bytemuck::{Pod, Zeroable};
/// use polyproc_ipc::{Fabric, Struct, Value};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
/// #[repr(C)]
/// #[bytemuck(crate = "polyproc_ipc::bytemuck")]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
/// impl Struct for Point {
///     const FORMAT: &'static str = "dd";
/// }
///
/// let fabric = Fabric::new()?;
/// let point = Value::new(&fabric, Point { x: 1.0, y: 2.0 })?;
/// point.update(|point| point.x += 1.0)?;
/// assert_eq!(point.get()?, Point { x: 2.0, y: 2.0 });
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
pub trait Struct: AnyBitPattern + NoUninit + Send + Sync {
    /// What other languages may know the struct by; see [`CellType::structure`].
    const FORMAT: &'static str = "";
}

/// Passes a type through as its own bytes.
macro_rules! as_it_is {
    () => {
        type Stored = Self;

        #[inline(always)]
        fn to_stored(self) -> Self {
            self
        }
        #[inline(always)]
        fn from_stored(stored: Self) -> Self {
            stored
        }
        fn bytes_of(cells: &[Self]) -> Cow<'_, [u8]> {
            Cow::Borrowed(bytemuck::cast_slice(cells))
        }
        fn from_bytes(cells: &mut [Self], read: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
            read(bytemuck::cast_slice_mut(cells))
        }
    };
}

impl<T: Struct> Cell for T {
    const TYPE: CellType = {
        assert!(size_of::<T>() > 0 && align_of::<T>() <= MAX_ALIGN && T::FORMAT.len() <= MAX_FORMAT, "a struct that cannot be a cell");
        CellType { code: STRUCT, size: size_of::<T>(), align: align_of::<T>(), format: Cow::Borrowed(T::FORMAT) }
    };
    as_it_is!();
}

/// One byte of text: the reference's `c`, of which an array is a string of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Char(pub u8);

const fn plain<T>(code: u8) -> CellType {
    CellType { code, size: size_of::<T>(), align: align_of::<T>(), format: Cow::Borrowed("") }
}

macro_rules! plain_cells {
    ($($type:ty = $code:literal),*) => {
        $(impl Cell for $type {
            const TYPE: CellType = plain::<$type>($code);
            as_it_is!();
        })*
    };
}

plain_cells!(
    Char = b'c',
    i8 = b'b',
    u8 = b'B',
    i16 = b'h',
    u16 = b'H',
    i32 = b'i',
    u32 = b'I',
    i64 = b'q',
    u64 = b'Q',
    isize = b'q',
    usize = b'Q',
    f32 = b'f',
    f64 = b'd'
);

impl Cell for bool {
    type Stored = u8;
    const TYPE: CellType = plain::<u8>(b'?');

    #[inline(always)]
    fn to_stored(self) -> u8 {
        u8::from(self)
    }
    /// Whatever is not 0 is true, as in C.
    #[inline(always)]
    fn from_stored(stored: u8) -> bool {
        stored != 0
    }
}

impl Cell for char {
    type Stored = u32;
    const TYPE: CellType = plain::<u32>(b'u');

    #[inline(always)]
    fn to_stored(self) -> u32 {
        self.into()
    }
    /// What is no code point comes as the replacement character.
    #[inline(always)]
    fn from_stored(stored: u32) -> char {
        char::from_u32(stored).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

/// The integers, on which [`Value`](crate::Value) and [`Array`](crate::Array) have atomic operations. Only this crate's.
pub trait Integer: Cell + sealed::Bits {}

pub(crate) mod sealed {
    /// An integer as bits.
    pub trait Bits: Copy {
        fn to_bits(self) -> u64;
        fn from_bits(bits: u64) -> Self;
    }
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(impl sealed::Bits for $type {
            #[inline(always)]
            fn to_bits(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn from_bits(bits: u64) -> $type {
                bits as $type
            }
        }
        impl Integer for $type {})*
    };
}

integers!(i8, u8, i16, u16, i32, u32, i64, u64, isize, usize);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_size() {
        let sizes: Vec<usize> = "cbB?hHiIfulLqQd".chars().map(|code| CellType::from_code(code).expect("a code").size()).collect();
        assert_eq!(sizes, [1, 1, 1, 1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8]);
        assert!("SxXpPn\0é".chars().all(|code| CellType::from_code(code).is_none()));
        assert_eq!(<bool as Cell>::TYPE, CellType::from_code('?').unwrap());
        assert_eq!(<char as Cell>::TYPE, CellType::from_code('u').unwrap());
        assert_eq!(<f64 as Cell>::TYPE, CellType::from_code('d').unwrap());
    }

    #[test]
    fn types_are_compared_as_other_languages_mean_them() {
        let of = |code| CellType::from_code(code).unwrap();
        assert!(of('l').is_same(&of('q')) && of('Q').is_same(&of('L')));
        assert!(!of('l').is_same(&of('L')) && !of('b').is_same(&of('c')) && !of('i').is_same(&of('f')));
        let structure = |size, align, format: &'static str| CellType::structure(size, align, format).unwrap();
        assert!(structure(16, 8, "dd").is_same(&structure(16, 8, "")));
        assert!(!structure(16, 8, "dd").is_same(&structure(16, 8, "qq")));
        assert!(!structure(16, 8, "").is_same(&structure(16, 4, "")) && !structure(8, 8, "").is_same(&of('d')));
        for (size, align) in [(0, 1), (12, 8), (6, 3), (128, 128), (8, 0)] {
            assert_eq!(CellType::structure(size, align, "").unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn any_bytes_are_a_cell() {
        assert!(bool::from_stored(200) && !bool::from_stored(0));
        assert_eq!(char::from_stored(0xD800), char::REPLACEMENT_CHARACTER);
        assert_eq!(char::from_stored('ß'.to_stored()), 'ß');
        assert_eq!(*<bool as Cell>::bytes_of(&[true, false]), [1, 0]);
        let mut cells = [false; 3];
        bool::from_bytes(&mut cells, |bytes| {
            bytes.copy_from_slice(&[0, 9, 1]);
            Ok(())
        })
        .unwrap();
        assert_eq!(cells, [false, true, true]);
        assert_eq!(CellType::found(b'i', 8, 8, String::new()), None);
    }
}
