//! The directory: every object of the fabric, named or not. Knows of an object only the common header; what follows is its kind's.
//!
//! Common header, 192 bytes at the start of the object's chunk:
//!
//! | offset | word | |
//! | --- | --- | --- |
//! | 0 | next | next object of the bucket, or of the retired list |
//! | 8 | kind | [`Kind`] number; never changes while the segment lives |
//! | 16 | owner | owner bits: goes with that process; 0: belongs to the fabric |
//! | 24 | birth | serial number of this use of the chunk; 0: destroyed. Every operation checks it under the object's lock |
//! | 32 | name length | 0: unnamed |
//! | 40 | bucket | |
//! | 48 | kept | 1: the object was destroyed, and some process still uses what it held; not to be used again yet. Its kind's to say |
//! | 64 | name | up to 128 bytes of UTF-8 |
//!
//! The chunk is HELD by itself, and is **never used for anything but an object of its kind** while the segment lives: a destroyed object's chunk
//! goes to its kind's retired list and is used again from there (not while it is *kept*). So a late process may touch the lock and wait words of an object that is gone, finds another birth number and goes.
//! All changes are made under the directory lock:
//!
//! **Insert**: header filled, intent := X, cell := HELD(X), X.next := bucket, bucket := X (the commit), intent := none.
//! **Remove**: intent := X, the kind's quiesce (takes the object's locks, sets birth := 0, the commit, and frees what the object held), unlink, pushed to the retired list, intent := none.
//! **Repair** with intent X: in its bucket with a birth: nothing (inserted whole, or not yet removed). Else: removed to the end; every step of that may be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::heap::cell::{Cell, Holder};
use crate::shm::layout::{BUCKETS, UNIT, at};
use crate::shm::{Fixed, Owner, Shm, Span};
use crate::sync::guard::Guard;

/// Bytes of the common header.
pub(crate) const HEADER: usize = 192;
const NAME_AT: usize = 64;
/// Longest name of an object, in bytes.
pub(crate) const MAX_NAME: usize = 128;

/// What an object is. The numbers are in shared memory and in tickets; they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u64)]
pub enum Kind {
    /// [`Lock`](crate::Lock).
    Lock = 1,
    /// [`Queue`](crate::Queue) and [`BytesQueue`](crate::BytesQueue).
    Queue = 2,
    /// A lock that its thread may take again.
    RLock = 3,
    /// A semaphore, bounded or not.
    Semaphore = 4,
    /// A condition with its lock.
    Condition = 5,
    /// An event.
    Event = 6,
    /// A barrier.
    Barrier = 7,
    /// A lock for many readers or one writer.
    RwLock = 8,
    /// One typed cell.
    Value = 9,
    /// A row of typed cells.
    Array = 10,
    /// A dict.
    Dict = 11,
    /// A list.
    List = 12,
    /// A set: a dict without values.
    Set = 13,
    /// A namespace: a dict whose keys are names.
    Namespace = 14,
    /// [`Events`](crate::Events).
    Events = 15,
}

impl Kind {
    /// Kinds that a layout has room for.
    const ALL: usize = 64;

    /// Every kind with the word by which sentences speak of it, in the order of the numbers.
    const WORDS: [(Kind, &'static str); 15] = [
        (Kind::Lock, "lock"),
        (Kind::Queue, "queue"),
        (Kind::RLock, "rlock"),
        (Kind::Semaphore, "semaphore"),
        (Kind::Condition, "condition"),
        (Kind::Event, "event"),
        (Kind::Barrier, "barrier"),
        (Kind::RwLock, "rwlock"),
        (Kind::Value, "value"),
        (Kind::Array, "array"),
        (Kind::Dict, "dict"),
        (Kind::List, "list"),
        (Kind::Set, "set"),
        (Kind::Namespace, "namespace"),
        (Kind::Events, "event ring"),
    ];

    pub(crate) fn from_number(number: u64) -> Option<Kind> {
        let (kind, _) = Kind::WORDS.get(usize::try_from(number.checked_sub(1)?).ok()?)?;
        Some(*kind)
    }

    /// The word by which sentences speak of this kind.
    pub(crate) fn word(self) -> &'static str {
        Kind::WORDS[self as usize - 1].1
    }
}

const _: () = assert!(at::RETIRED + Kind::ALL * 8 <= at::BUCKETS);

/// The common header of an object.
#[derive(Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(crate) offset: u64,
    at: Fixed<'a, HEADER>,
}

impl<'a> Header<'a> {
    #[inline(always)]
    pub(crate) fn at(shm: &'a Shm, offset: u64) -> Result<Header<'a>> {
        Ok(Header { offset, at: shm.segment.fixed(offset)? })
    }
    fn next(self) -> &'a AtomicU64 {
        self.at.u64(0)
    }
    pub(crate) fn kind(self) -> u64 {
        self.at.u64(8).load(Ordering::Relaxed)
    }
    pub(crate) fn owner(self) -> &'a AtomicU64 {
        self.at.u64(16)
    }
    #[inline(always)]
    pub(crate) fn birth(self) -> &'a AtomicU64 {
        self.at.u64(24)
    }
    fn name_len(self) -> &'a AtomicU64 {
        self.at.u64(32)
    }
    fn bucket(self) -> &'a AtomicU64 {
        self.at.u64(40)
    }
    pub(crate) fn kept(self) -> &'a AtomicU64 {
        self.at.u64(48)
    }

    pub(crate) fn name(self) -> Result<String> {
        let len = self.name_len().load(Ordering::Relaxed) as usize;
        if len > MAX_NAME {
            return Err(Error::corrupt(format_args!("object {:#x} has a name of {len} bytes", self.offset)));
        }
        let mut bytes = vec![0; len];
        self.at.span().read(NAME_AT, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| Error::corrupt(format_args!("object {:#x} has a name that is not UTF-8", self.offset)))
    }
}

/// One object as a handle or ticket names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ObjectId {
    pub(crate) offset: u64,
    pub(crate) birth: u64,
}

/// What a kind does before its object may go: takes the object's locks, sets its birth to 0 under them, and gives back what it holds. May be repeated.
pub(crate) type Quiesce = fn(&Shm, Kind, Header<'_>) -> Result<()>;

/// The directory lock, held.
pub(crate) struct Directory<'a> {
    shm: &'a Shm,
    quiesce: Quiesce,
    guard: Guard<'a>,
}

impl<'a> Directory<'a> {
    pub(crate) fn lock(shm: &'a Shm, quiesce: Quiesce) -> Result<Directory<'a>> {
        let word = shm.segment.header().u64(at::DIRECTORY_LOCK);
        let guard = Guard::enter(shm, word, |_| repair(shm, quiesce))?;
        Ok(Directory { shm, quiesce, guard })
    }

    /// The object of this name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Header<'a>>> {
        for object in chain(self.shm, bucket_of_name(name)) {
            let object = object?;
            if object.birth().load(Ordering::Acquire) != 0 && object.name()? == name {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// Every object.
    pub(crate) fn all(&self) -> impl Iterator<Item = Result<Header<'a>>> {
        let shm = self.shm;
        (0..BUCKETS).flat_map(move |bucket| chain(shm, bucket))
    }

    /// Every chunk on the retired lists.
    pub(crate) fn retired(&self) -> impl Iterator<Item = Result<Header<'a>>> {
        let shm = self.shm;
        (0..Kind::ALL).flat_map(move |kind| links(shm, shm.segment.header().u64(at::RETIRED + kind * 8)))
    }

    /// Every object that must be brought past a member's death or leave: all that are listed, and the destroyed ones that processes still use.
    pub(crate) fn to_outlive(&self) -> Result<Vec<Header<'a>>> {
        let kept = self.retired().filter(|object| !matches!(object, Ok(object) if object.kept().load(Ordering::Acquire) == 0));
        self.all().chain(kept).collect()
    }

    /// The first retired object of this kind that nobody uses any more, and the link that leads to it.
    fn reusable(&self, kind: Kind) -> Result<Option<(&'a AtomicU64, Header<'a>)>> {
        let mut link = self.shm.segment.header().u64(at::RETIRED + kind as usize * 8);
        for object in links(self.shm, link) {
            let object = object?;
            if object.kept().load(Ordering::Acquire) == 0 {
                return Ok(Some((link, object)));
            }
            link = object.next();
        }
        Ok(None)
    }

    /// Makes an object of `len` bytes in all and lists it. `fill` gets the header and the bytes after it, zeroed when the chunk is new; in a chunk that
    /// was used before, they are as they were left, and `fill` must leave lock and wait words alone.
    pub(crate) fn insert(&mut self, kind: Kind, name: Option<&str>, len: usize, fill: impl FnOnce(Header<'_>, Span<'_>) -> Result<()>) -> Result<ObjectId> {
        self.try_insert(kind, name, len, fill).inspect_err(|_| drop(repair(self.shm, self.quiesce)))
    }

    fn try_insert(&mut self, kind: Kind, name: Option<&str>, len: usize, fill: impl FnOnce(Header<'_>, Span<'_>) -> Result<()>) -> Result<ObjectId> {
        let shm = self.shm;
        let fixed = shm.segment.header();
        let (object, span) = if let Some((link, object)) = self.reusable(kind)? {
            let span = shm.chunk(object.offset)?.bytes(shm)?;
            if span.len() < len {
                return Err(Error::corrupt(format_args!("the retired {} at {:#x} has {} bytes", kind.word(), object.offset, span.len())));
            }
            fixed.u64(at::DIRECTORY_INTENT).store(object.offset, Ordering::Release);
            link.store(object.next().load(Ordering::Relaxed), Ordering::Release);
            (object, span)
        } else {
            let chunk = shm.alloc(len as u64)?;
            let span = chunk.bytes(shm)?;
            for word in (0..span.len()).step_by(8) {
                span.u64(word)?.store(0, Ordering::Relaxed);
            }
            let object = Header::at(shm, chunk.offset)?;
            object.at.u64(8).store(kind as u64, Ordering::Relaxed);
            fixed.u64(at::DIRECTORY_INTENT).store(chunk.offset, Ordering::Release);
            chunk.change(Cell::private(self.guard.me), Cell::held(chunk.offset));
            (object, span)
        };
        fill(object, span.part(HEADER, span.len() - HEADER)?)?;
        let birth = fixed.u64(at::BIRTHS).fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        let name_bytes = name.unwrap_or("").as_bytes();
        object.at.span().write(NAME_AT, name_bytes)?;
        object.name_len().store(name_bytes.len() as u64, Ordering::Relaxed);
        object.owner().store(if name.is_some() { 0 } else { self.guard.me.to_bits() }, Ordering::Relaxed);
        let bucket = name.map_or_else(|| bucket_of_offset(object.offset), bucket_of_name);
        object.bucket().store(bucket as u64, Ordering::Relaxed);
        let first = first_of(shm, bucket);
        object.next().store(first.load(Ordering::Relaxed), Ordering::Relaxed);
        object.birth().store(birth, Ordering::Release);
        first.store(object.offset, Ordering::Release);
        fixed.u64(at::DIRECTORY_INTENT).store(0, Ordering::Release);
        Ok(ObjectId { offset: object.offset, birth })
    }

    /// Destroys an object, if it is still the one meant. False: it was gone.
    pub(crate) fn remove(&mut self, id: ObjectId) -> Result<bool> {
        let object = Header::at(self.shm, id.offset)?;
        if object.birth().load(Ordering::Acquire) != id.birth {
            return Ok(false);
        }
        self.shm.segment.header().u64(at::DIRECTORY_INTENT).store(id.offset, Ordering::Release);
        let done = Kind::from_number(object.kind()).ok_or_else(|| strange(object)).and_then(|kind| {
            (self.quiesce)(self.shm, kind, object)?;
            finish_removal(self.shm, object)
        });
        done.inspect_err(|_| drop(repair(self.shm, self.quiesce)))?;
        Ok(true)
    }

    /// Destroys every object that goes with this (dead or leaving) process; how many.
    pub(crate) fn remove_all_of(&mut self, owner: Owner) -> Result<usize> {
        let mut gone = Vec::new();
        for object in self.all() {
            let object = object?;
            if object.owner().load(Ordering::Relaxed) == owner.to_bits() {
                gone.push(ObjectId { offset: object.offset, birth: object.birth().load(Ordering::Acquire) });
            }
        }
        let mut count = 0;
        for id in gone {
            count += usize::from(self.remove(id)?);
        }
        Ok(count)
    }
}

/// An object name's rules, checked.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let fault = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > MAX_NAME {
        format!("it has {} bytes, {MAX_NAME} are allowed", name.len())
    } else if name.contains('/') || name.contains(char::is_control) {
        "it contains '/' or a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::BadName, format!("{name:?} is not a name for a {what}: {fault}")))
}

fn strange(object: Header<'_>) -> Error {
    Error::corrupt(format_args!("object {:#x} is of unknown kind {}", object.offset, object.kind()))
}

fn first_of(shm: &Shm, bucket: usize) -> &AtomicU64 {
    shm.segment.header().u64(at::BUCKETS + bucket % BUCKETS * 8)
}

fn bucket_of_name(name: &str) -> usize {
    // FNV-1a, fixed by docs/format.md because every language must find the same bucket.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3));
    hash as usize % BUCKETS
}

fn bucket_of_offset(offset: u64) -> usize {
    (offset / 64) as usize % BUCKETS
}

fn chain(shm: &Shm, bucket: usize) -> impl Iterator<Item = Result<Header<'_>>> {
    links(shm, first_of(shm, bucket))
}

/// Follows a list; ends with an error where it leads astray or round in a circle.
fn links<'a>(shm: &'a Shm, first: &'a AtomicU64) -> impl Iterator<Item = Result<Header<'a>>> {
    let mut next = first.load(Ordering::Acquire);
    let mut left = shm.segment.units() * (UNIT / 64);
    std::iter::from_fn(move || {
        if next == 0 {
            return None;
        }
        let object = if left == 0 { Err(Error::corrupt("the directory runs in a circle")) } else { listed(shm, next) };
        left = left.saturating_sub(1);
        next = object.as_ref().map_or(0, |object| object.next().load(Ordering::Acquire));
        Some(object)
    })
}

/// The object that a list leads to, which must be one: a damaged link must not make a lock word of whatever stands there.
fn listed(shm: &Shm, offset: u64) -> Result<Header<'_>> {
    if shm.chunk(offset)?.holder() != Holder::Held(offset) {
        return Err(Error::corrupt(format_args!("the directory leads to {offset:#x}, where no object is")));
    }
    Header::at(shm, offset)
}

/// Unlinks X from its bucket if it is there, retires it, clears the intent. What it held was given back by its kind's quiesce.
fn finish_removal(shm: &Shm, object: Header<'_>) -> Result<()> {
    let first = first_of(shm, object.bucket().load(Ordering::Relaxed) as usize);
    let mut link = first;
    for other in links(shm, first) {
        let other = other?;
        if other.offset == object.offset {
            link.store(object.next().load(Ordering::Acquire), Ordering::Release);
            break;
        }
        link = other.next();
    }
    retire(shm, object)
}

fn retire(shm: &Shm, object: Header<'_>) -> Result<()> {
    let kind = object.kind() as usize;
    if kind >= Kind::ALL {
        return Err(strange(object));
    }
    let fixed = shm.segment.header();
    let retired = fixed.u64(at::RETIRED + kind * 8);
    for other in links(shm, retired) {
        if other?.offset == object.offset {
            fixed.u64(at::DIRECTORY_INTENT).store(0, Ordering::Release);
            return Ok(());
        }
    }
    object.next().store(retired.load(Ordering::Relaxed), Ordering::Release);
    retired.store(object.offset, Ordering::Release);
    fixed.u64(at::DIRECTORY_INTENT).store(0, Ordering::Release);
    Ok(())
}

fn repair(shm: &Shm, quiesce: Quiesce) -> Result<()> {
    let intent = shm.segment.header().u64(at::DIRECTORY_INTENT);
    let offset = intent.load(Ordering::Acquire);
    if offset == 0 {
        return Ok(());
    }
    if shm.chunk(offset)?.holder() != Holder::Held(offset) {
        // Died before the chunk became the object's: it is (or was) the dead process's own and is swept as such.
        intent.store(0, Ordering::Release);
        return Ok(());
    }
    let object = Header::at(shm, offset)?;
    let mut listed = false;
    for other in chain(shm, object.bucket().load(Ordering::Relaxed) as usize) {
        listed |= other?.offset == offset;
    }
    if listed && object.birth().load(Ordering::Acquire) != 0 {
        intent.store(0, Ordering::Release);
        return Ok(());
    }
    let kind = Kind::from_number(object.kind()).ok_or_else(|| strange(object))?;
    quiesce(shm, kind, object)?;
    finish_removal(shm, object)
}
