//! A value or array whatever its type: making, opening, and access to its cells as bytes and atomic words. What `Value` and `Array` are made of, and what bindings of dynamic languages use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::{Mode, SIZE, Shape, Words};
use super::locking::{Lockable, Locking};
use super::pins;
use super::types::CellType;
use crate::error::{Error, ErrorKind, Result};
use crate::fabric::handle::{Handle, How, gone};
use crate::fabric::{Fabric, Ticket};
use crate::heap::Chunk;
use crate::heap::cell;
use crate::objects::Kind;
use crate::shm::{Owner, Shm, Span};

/// A handle of the object, pinned; see `pins.rs`.
pub(crate) struct Attached {
    handle: Handle,
    kind: Kind,
    shape: Shape,
    /// The member as which this handle is counted; in a forked child that is not us, until its first use there.
    pinned: AtomicU64,
}

/// A value or an array of whatever type, as bindings of dynamic languages see it: [`Value`](crate::Value) and [`Array`](crate::Array) are this with a Rust type.
///
/// Its calls do not lock by themselves: take the lock around them, or use an object without one. **A process that dies** holding the lock is told of to the next
/// one that acquires it.
///
/// ```
/// use polyproc_ipc::{Array, CellType, Cells, Fabric, Kind, Locking};
/// let fabric = Fabric::new()?;
/// let type_of_i = CellType::from_code('i').unwrap();
/// let cells = Cells::create(&fabric, Kind::Array, Some("numbers"), &type_of_i, 3, Locking::Own, None)?;
/// cells.acquire(None)?;
/// cells.write(1, &7_i32.to_ne_bytes())?;
/// cells.release()?;
/// assert_eq!(Array::<i32>::open(&fabric, "numbers")?.to_vec()?, [0, 7, 0]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Cells {
    inner: Arc<Attached>,
    lock: Lockable,
}

impl Cells {
    /// Makes an object of `count` cells, with a name or without. `kind` is [`Kind::Value`] (with one cell) or [`Kind::Array`]. Without `contents` all bytes are 0; with, they are exactly
    /// the cells' bytes. An object without a name goes with its last handle here, unless its ticket was made.
    pub fn create(fabric: &Fabric, kind: Kind, name: Option<&str>, cell: &CellType, count: usize, locking: Locking, contents: Option<&[u8]>) -> Result<Cells> {
        check_kind(kind, count)?;
        Cells::make(fabric, kind, name.map_or(How::New, How::Create), cell, count, locking, contents)
    }

    /// Opens the object of this name, whatever its type.
    pub fn open(fabric: &Fabric, kind: Kind, name: &str) -> Result<Cells> {
        check_kind(kind, 1)?;
        Cells::open_as(fabric, kind, name)
    }

    /// Opens the object of this name, or makes it. [`ErrorKind::WrongType`] if it is there with another type or number of cells; its lock is as its maker chose.
    pub fn open_or_create(fabric: &Fabric, kind: Kind, name: &str, cell: &CellType, count: usize, locking: Locking, contents: Option<&[u8]>) -> Result<Cells> {
        let found = match Cells::open(fabric, kind, name) {
            Err(error) if error.kind() == ErrorKind::NotFound && check_kind(kind, count).is_ok() => {
                Cells::make(fabric, kind, How::OpenOrCreate(name), cell, count, locking, contents)?
            }
            other => other?,
        };
        found.expect(cell, Some(count))?;
        Ok(found)
    }

    /// The object that a ticket leads to.
    pub fn from_ticket(ticket: &Ticket) -> Result<Cells> {
        let kind = ticket.kind().filter(|kind| matches!(kind, Kind::Value | Kind::Array));
        let kind = kind.ok_or_else(|| Error::new(ErrorKind::WrongType, "the ticket does not lead to a value or an array"))?;
        Cells::from_ticket_as(ticket, kind)
    }

    /// The same object through a handle whose operations take another lock; the object itself, and what others see of it, stays as it is.
    pub fn synchronized(&self, locking: Locking) -> Result<Cells> {
        let mode = locking.mode(self.fabric())?;
        if mode == Mode::Own && self.inner.shape.mode != Mode::Own {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{self:?} was made without a lock of its own; give it one that all its users share")));
        }
        Ok(Cells { inner: Arc::clone(&self.inner), lock: Lockable::of(self.fabric(), mode)? })
    }

    /// Whether it is a value or an array.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The type of the cells.
    pub fn cell_type(&self) -> &CellType {
        &self.inner.shape.cell
    }

    /// How many cells there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.inner.shape.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the handle's operations take a lock.
    pub fn has_lock(&self) -> bool {
        !matches!(self.lock, Lockable::None)
    }

    /// Reads whole cells from number `from` on. Words of up to 8 bytes come whole when only one cell is read; more may tear if somebody writes meanwhile.
    #[inline]
    pub fn read(&self, from: usize, to: &mut [u8]) -> Result<()> {
        let (at, size) = (self.place(from, to.len())?, to.len());
        let data = self.inner.data()?;
        match size {
            1 => to[0] = data.u8(at)?.load(Ordering::Acquire),
            2 if at.is_multiple_of(2) => to.copy_from_slice(&data.u16(at)?.load(Ordering::Acquire).to_ne_bytes()),
            4 if at.is_multiple_of(4) => to.copy_from_slice(&data.u32(at)?.load(Ordering::Acquire).to_ne_bytes()),
            8 if at.is_multiple_of(8) => to.copy_from_slice(&data.u64(at)?.load(Ordering::Acquire).to_ne_bytes()),
            _ => data.read(at, to)?,
        }
        Ok(())
    }

    /// Writes whole cells from number `from` on; one cell of up to 8 bytes with one store.
    #[inline]
    pub fn write(&self, from: usize, bytes: &[u8]) -> Result<()> {
        let (at, size) = (self.place(from, bytes.len())?, bytes.len());
        let data = self.inner.data()?;
        match size {
            1 => data.u8(at)?.store(bytes[0], Ordering::Release),
            2 if at.is_multiple_of(2) => data.u16(at)?.store(u16::from_ne_bytes([bytes[0], bytes[1]]), Ordering::Release),
            4 if at.is_multiple_of(4) => data.u32(at)?.store(u32::from_ne_bytes(bytes.try_into().expect("4 bytes")), Ordering::Release),
            8 if at.is_multiple_of(8) => data.u64(at)?.store(u64::from_ne_bytes(bytes.try_into().expect("8 bytes")), Ordering::Release),
            _ => data.write(at, bytes)?,
        }
        Ok(())
    }

    /// Where the cells are in this process: [`Cells::len`] times the cell's size bytes, aligned to 64. It stays valid while this handle or a clone of it lives, also when the object is
    /// destroyed meanwhile. A forked child asks anew. Nothing guards an access through it.
    pub fn as_ptr(&self) -> Result<*mut u8> {
        Ok(self.inner.data()?.as_ptr())
    }

    /// How another process attaches to it. From now on it belongs to the fabric and lives until destroyed.
    pub fn ticket(&self) -> Ticket {
        self.inner.handle.ticket(self.inner.kind)
    }

    /// A ticket for a child or another process that will not outlive this handle: the object still goes with its maker's last handle, or with its maker's death.
    pub fn lend(&self) -> Ticket {
        self.inner.handle.lend(self.inner.kind)
    }

    /// Destroys the object. Whoever uses it from then on gets [`ErrorKind::Gone`]; pointers into it stay valid for as long as their handles live.
    pub fn destroy(&self) -> Result<()> {
        self.inner.handle.destroy(self.inner.kind)
    }

    /// The fabric that it lives in.
    pub fn fabric(&self) -> &Fabric {
        self.inner.handle.fabric()
    }

    /// [`ErrorKind::WrongType`] unless the cells are of this type and (if said) number.
    pub(crate) fn expect(&self, cell: &CellType, count: Option<usize>) -> Result<()> {
        let shape = &self.inner.shape;
        let count = count.unwrap_or(shape.count);
        if shape.cell.is_same(cell) && shape.count == count {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::WrongType,
            format!("{self:?} in {:?} has {} cells of type {}, not {count} of type {cell}", self.fabric(), shape.count, shape.cell),
        ))
    }

    /// Opens an object that is laid out as an array is, whatever its kind is called.
    pub(crate) fn open_as(fabric: &Fabric, kind: Kind, name: &str) -> Result<Cells> {
        Cells::attach(Handle::get(fabric, kind, How::Open(name), SIZE, |_, _| Ok(()))?, kind)
    }

    /// As [`Cells::open_as`], by its ticket.
    pub(crate) fn from_ticket_as(ticket: &Ticket, kind: Kind) -> Result<Cells> {
        Cells::attach(Handle::from_ticket(ticket, kind, SIZE)?, kind)
    }

    pub(crate) fn attached(&self) -> &Attached {
        &self.inner
    }

    pub(crate) fn lockable(&self) -> &Lockable {
        &self.lock
    }

    /// [`ErrorKind::InvalidArgument`] unless `len` cells from number `from` on are inside.
    #[inline]
    pub(crate) fn check(&self, from: usize, len: usize) -> Result<()> {
        let count = self.inner.shape.count;
        if from <= count && len <= count - from { Ok(()) } else { Err(self.outside(from, len)) }
    }

    #[cold]
    fn outside(&self, from: usize, len: usize) -> Error {
        let what = if len == 1 { format!("index {from}") } else { format!("the range of {len} cells from index {from} on") };
        Error::new(ErrorKind::InvalidArgument, format!("{what} is outside {self:?}, which has {} cells", self.inner.shape.count))
    }

    /// Where the cells begin that `len` bytes from cell `from` on are.
    #[inline]
    fn place(&self, from: usize, len: usize) -> Result<usize> {
        let size = self.inner.shape.cell.size();
        if !len.is_multiple_of(size) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{len} bytes are not whole cells of {self:?}, which have {size} bytes")));
        }
        self.check(from, len / size)?;
        Ok(from * size)
    }

    /// Makes the chunk with its contents first, as this process's own, so that no lock is held while it is filled. Then the object under the directory lock:
    /// words, data := chunk, chunk PRIVATE(me) -> HELD(object).
    ///
    /// Killed before `data`: the sweep frees the chunk, the directory's repair retires the header. Killed between both: the repair destroys the object, finds the chunk not HELD,
    /// clears `data`, and the sweep frees the chunk. Killed after: the repair gives it back.
    pub(crate) fn make(fabric: &Fabric, kind: Kind, how: How<'_>, cell: &CellType, count: usize, locking: Locking, contents: Option<&[u8]>) -> Result<Cells> {
        let mode = locking.mode(fabric)?;
        let bytes = count.checked_mul(cell.size()).ok_or_else(|| Error::new(ErrorKind::TooLarge, format!("{count} cells of type {cell} are too many")))?;
        if !cell.is_sound() || contents.is_some_and(|contents| contents.len() != bytes) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("the contents are not {count} cells of type {cell}")));
        }
        let shm = fabric.shm();
        let mine = cell::Cell::private(shm.me()?);
        let chunk = shm.alloc(bytes as u64)?;
        let mut used = false;
        let made = fill(shm, &chunk, contents).and_then(|()| {
            Handle::get(fabric, kind, how, SIZE, |object, _| {
                let w = Words::of(shm, object)?;
                w.describe(cell, count, mode)?;
                // In a header that was used before, whoever held that object's lock has no claim any more.
                w.own_lock().reset();
                w.data().store(chunk.offset, Ordering::Release);
                used = chunk.change(mine, cell::Cell::held(object.offset));
                if used { Ok(()) } else { Err(Error::corrupt("a new chunk is somebody else's")) }
            })
        });
        if !used {
            shm.free(chunk, mine); // an error, or somebody else made the object meanwhile
        }
        Cells::attach(made?, kind)
    }

    fn attach(handle: Handle, kind: Kind) -> Result<Cells> {
        let w = words(&handle);
        let me = pins::enter(w, handle.id.birth)?;
        let shape = w.shape().inspect_err(|_| drop(pins::leave(w, me, handle.id.birth)))?;
        let mode = shape.mode;
        let inner = Arc::new(Attached { handle, kind, shape, pinned: AtomicU64::new(me.to_bits()) });
        let lock = Lockable::of(inner.handle.fabric(), mode)?;
        Ok(Cells { inner, lock })
    }
}

fn check_kind(kind: Kind, count: usize) -> Result<()> {
    if kind == Kind::Array || (kind == Kind::Value && count == 1) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, format!("{count} cells do not make a {}", kind.word())))
}

fn fill(shm: &Shm, chunk: &Chunk<'_>, contents: Option<&[u8]>) -> Result<()> {
    let all = chunk.bytes(shm)?;
    let contents = contents.unwrap_or(&[]);
    all.write(0, contents)?;
    // The rest up to the chunk's end too, so that nothing of what was there before is seen.
    let whole = contents.len() / 8 * 8;
    all.part(whole, all.len() - whole)?.zero();
    all.write(whole, &contents[whole..])
}

fn words(handle: &Handle) -> Words<'_> {
    Words { shm: handle.shm(), offset: handle.id.offset, at: handle.fixed() }
}

impl Attached {
    #[inline(always)]
    pub(crate) fn shm(&self) -> &Shm {
        self.handle.shm()
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> Words<'_> {
        words(&self.handle)
    }

    /// This process, which has the object pinned.
    #[inline(always)]
    pub(crate) fn me(&self) -> Result<Owner> {
        let me = self.shm().me()?;
        if self.pinned.load(Ordering::Acquire) == me.to_bits() { Ok(me) } else { self.pin_again() }
    }

    /// In a forked child: the pin of the parent is not ours.
    #[cold]
    fn pin_again(&self) -> Result<Owner> {
        let birth = self.handle.id.birth;
        let me = pins::enter(self.words(), birth)?;
        if self.pinned.swap(me.to_bits(), Ordering::AcqRel) == me.to_bits() {
            pins::leave(self.words(), me, birth)?; // another thread of ours was first
        }
        Ok(me)
    }

    #[inline(always)]
    pub(crate) fn alive(&self) -> Result<()> {
        if self.words().birth().load(Ordering::Acquire) == self.handle.id.birth { Ok(()) } else { Err(gone(self.kind)) }
    }

    /// The cells, pinned.
    #[inline(always)]
    pub(crate) fn data(&self) -> Result<Span<'_>> {
        self.me()?;
        self.alive()?;
        self.shm().segment.span(self.shape.data, self.shape.bytes() as u64)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let pinned = self.pinned.load(Ordering::Acquire);
        if let Some(me) = self.shm().me_if_joined()
            && me.to_bits() == pinned
        {
            // Nothing can be done about damaged memory here; the checker names it.
            let _ = pins::leave(self.words(), me, self.handle.id.birth);
        }
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.inner.kind.word(), self.inner.handle.label())
    }
}

impl serde::Serialize for Cells {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ticket().serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Cells {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Cells, D::Error> {
        Cells::from_ticket(&Ticket::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Cells>();
};
