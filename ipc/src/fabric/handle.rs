//! What every object handle is made of: the fabric, which object, and whether it goes with this handle.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};

use super::Fabric;
use super::ticket::Ticket;
use crate::error::{Error, ErrorKind, Result};
use crate::objects::{self, Header, Kind, ObjectId};
use crate::shm::view::Pinned;
use crate::shm::{Deadline, Fixed, Nap, Shm, Span};
use crate::sync::wait;
use crate::sys;

/// A handle's inside. Clones of the public handle share one.
pub(crate) struct Handle {
    fabric: Fabric,
    pub(crate) id: ObjectId,
    /// The object's bytes, checked when the handle was made.
    object: Pinned,
    /// Made here without a name: it goes with this handle, unless its ticket was made or the process forked meanwhile.
    made_here: Option<u64>,
}

/// How an object comes to a handle.
#[derive(Clone, Copy)]
pub(crate) enum How<'a> {
    New,
    Create(&'a str),
    Open(&'a str),
    OpenOrCreate(&'a str),
}

impl Handle {
    /// Makes or opens an object of `kind`; `len` bytes in all, `fill` as in [`Directory::insert`].
    pub(crate) fn get(fabric: &Fabric, kind: Kind, how: How<'_>, len: usize, fill: impl FnOnce(Header<'_>, Span<'_>) -> Result<()>) -> Result<Handle> {
        let shm = fabric.shm();
        let name = match how {
            How::New => None,
            How::Create(name) | How::Open(name) | How::OpenOrCreate(name) => Some(name),
        };
        if let Some(name) = name {
            objects::check_name(kind.word(), name)?;
        }
        let mut directory = fabric.directory()?;
        if let Some(name) = name
            && let Some(found) = directory.find(name)?
        {
            if matches!(how, How::Create(_)) {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("{} already has an object named '{name}'; open it, or remove it first", shm.label)));
            }
            if found.kind() != kind as u64 {
                let other = Kind::from_number(found.kind()).map_or("strange object", Kind::word);
                return Err(Error::new(ErrorKind::WrongType, format!("'{name}' in {} is a {other}, not a {}", shm.label, kind.word())));
            }
            let id = ObjectId { offset: found.offset, birth: found.birth().load(Ordering::Acquire) };
            return Handle::of(fabric.clone(), id, len, None);
        }
        if let How::Open(name) = how {
            return Err(Error::new(ErrorKind::NotFound, format!("{} has no {} named '{name}'", shm.label, kind.word())));
        }
        let id = directory.insert(kind, name, len, fill)?;
        drop(directory);
        Handle::of(fabric.clone(), id, len, name.is_none().then(sys::children))
    }

    /// The object that a ticket leads to.
    pub(crate) fn from_ticket(ticket: &Ticket, kind: Kind, len: usize) -> Result<Handle> {
        let fabric = Fabric::by_id(ticket.fabric()).ok_or_else(|| {
            Error::new(ErrorKind::NotAttached, format!("this {} belongs to fabric {}, which this process has not attached", kind.word(), ticket.fabric()))
        })?;
        let shm = fabric.shm();
        let object = Header::at(shm, ticket.id().offset)?;
        if object.kind() != kind as u64 || ticket.kind() != Some(kind) {
            return Err(Error::new(ErrorKind::WrongType, format!("the ticket does not lead to a {}", kind.word())));
        }
        if object.birth().load(Ordering::Acquire) != ticket.id().birth {
            return Err(gone(kind));
        }
        Handle::of(fabric, ticket.id(), len, None)
    }

    fn of(fabric: Fabric, id: ObjectId, len: usize, made_here: Option<u64>) -> Result<Handle> {
        let object = Pinned::new(fabric.shm().segment.span(id.offset, len as u64)?);
        Ok(Handle { fabric, id, object, made_here })
    }

    /// The first `N` bytes of the object.
    #[inline(always)]
    pub(crate) fn fixed<const N: usize>(&self) -> Fixed<'_, N> {
        // SAFETY: the bytes are of `self.fabric`'s segment, which stays attached while `self` lives.
        unsafe { self.object.fixed() }
    }

    /// Its ticket; whom it belongs to stays as it is.
    pub(crate) fn lend(&self, kind: Kind) -> Ticket {
        Ticket::new(self.fabric.id(), kind, self.id)
    }

    /// From now on the object belongs to the fabric; its ticket.
    pub(crate) fn ticket(&self, kind: Kind) -> Ticket {
        if let Ok(header) = Header::at(self.shm(), self.id.offset)
            && header.birth().load(Ordering::Acquire) == self.id.birth
        {
            header.owner().store(0, Ordering::Release);
        }
        Ticket::new(self.fabric.id(), kind, self.id)
    }

    #[inline(always)]
    pub(crate) fn shm(&self) -> &Shm {
        self.fabric.shm()
    }

    pub(crate) fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    pub(crate) fn destroy(&self, kind: Kind) -> Result<()> {
        if self.fabric.directory()?.remove(self.id)? { Ok(()) } else { Err(gone(kind)) }
    }

    /// Tries until there is something or time is up (`None`), asleep on `word` in between. `ready` is a look without any lock that must not miss anything: while it says no,
    /// `attempt` is not called again but once per nap. Whoever makes the change calls [`wake`](crate::sync::wait::wake) on `word` after it. Spins a little before the first sleep.
    pub(crate) fn until<T>(
        &self,
        word: &AtomicU32,
        deadline: Deadline,
        ready: impl Fn() -> bool,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let mut nap = Nap::new();
        loop {
            if let Some(found) = attempt()? {
                return Ok(Some(found));
            }
            if deadline.is_over() {
                return Ok(None);
            }
            if nap.is_first() && spin(&ready) {
                nap.next();
                continue;
            }
            let Some(time) = deadline.left(nap.next()) else { continue };
            let announced = wait::announce(word);
            if !ready() {
                wait::sleep(self.shm(), word, announced, time);
            }
            if nap.is_long() {
                // What is waited for may be held by somebody who died with nobody to notice. Damaged memory is told by the call that meets it.
                let _ = self.fabric.sweep();
            }
        }
    }

    /// The object's name, or how to speak of one that has none.
    pub(crate) fn label(&self) -> String {
        match Header::at(self.shm(), self.id.offset).and_then(Header::name) {
            Ok(name) if !name.is_empty() => format!("'{name}'"),
            _ => format!("#{}", self.id.birth),
        }
    }
}

/// Looks for some microseconds whether it is so.
pub(crate) fn spin(ready: &impl Fn() -> bool) -> bool {
    const LOOKS: u32 = 24;
    const BEATS: u32 = 40;
    sys::can_spin()
        && (0..LOOKS).any(|_| {
            (0..BEATS).for_each(|_| sys::pause());
            ready()
        })
}

/// The answer of every operation on an object that was destroyed.
#[cold]
pub(crate) fn gone(kind: Kind) -> Error {
    Error::new(ErrorKind::Gone, format!("this {} was destroyed", kind.word()))
}

impl Drop for Handle {
    fn drop(&mut self) {
        let shm = self.shm();
        let Some(me) = shm.me_if_joined() else { return };
        if self.made_here != Some(sys::children()) {
            return;
        }
        let mine = Header::at(shm, self.id.offset).is_ok_and(|header| header.owner().load(Ordering::Acquire) == me.to_bits());
        if mine {
            // Nothing can be done about damaged memory here; the checker names it.
            let _ = self.fabric.directory().and_then(|mut directory| directory.remove(self.id));
        }
    }
}

/// What every object's public handle has in common. The type is a struct with `fn handle(&self) -> &Handle` and `fn of(Handle) -> Self`.
macro_rules! shared_object {
    ($name:ident, $kind:expr, $size:expr, $word:literal) => {
        impl $name {
            #[doc = concat!("The ", $word, " that a ticket leads to.")]
            pub fn from_ticket(ticket: &$crate::fabric::Ticket) -> $crate::error::Result<$name> {
                Ok($name::of($crate::fabric::handle::Handle::from_ticket(ticket, $kind, $size)?))
            }

            #[doc = concat!("How another process attaches to this ", $word, ". From now on it belongs to the fabric and lives until destroyed.")]
            pub fn ticket(&self) -> $crate::fabric::Ticket {
                self.handle().ticket($kind)
            }

            #[doc = concat!("A ticket for a child or another process that will not outlive this handle: the ", $word, " still goes with its maker's last handle, or with its")]
            /// maker's death. Who uses it after that gets [`ErrorKind::Gone`](crate::ErrorKind::Gone).
            pub fn lend(&self) -> $crate::fabric::Ticket {
                self.handle().lend($kind)
            }

            #[doc = concat!("Destroys the ", $word, ". Whoever waits for it or uses it from then on gets [`ErrorKind::Gone`](crate::ErrorKind::Gone).")]
            pub fn destroy(&self) -> $crate::error::Result<()> {
                self.handle().destroy($kind)
            }

            #[doc = concat!("The fabric that the ", $word, " lives in.")]
            pub fn fabric(&self) -> &$crate::fabric::Fabric {
                self.handle().fabric()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{} {}", stringify!($name), self.handle().label())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.ticket().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                $name::from_ticket(&$crate::fabric::Ticket::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use shared_object;
