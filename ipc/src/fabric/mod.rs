//! Fabric: one shared world. Makes, finds, attaches and leaves it; sweeps and checks across all layers.
//!
//! | file | idea |
//! | --- | --- |
//! | `names` | how unrelated programs find a named fabric, and what is left when they die |
//! | `handle` | what every object handle is made of |
//! | `kinds` | what each kind of object does when it, or a member, goes |
//! | `ticket` | how an object is named outside the segment |
//! | `check` | the checker: accounts for every chunk |

mod check;
pub(crate) mod handle;
pub(crate) mod kinds;
mod names;
mod ticket;

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use check::Report;
pub use names::Backing;
pub(crate) use names::runtime_directory;
pub use ticket::{FabricId, Ticket};

use crate::error::{Error, ErrorKind, Result};
use crate::objects::{Directory, Header, Kind, ObjectId, check_name};
use crate::shm::layout::at;
use crate::shm::{Member, Members, OnJoin, Owner, Segment, Shm};
use crate::sync::guard::Guard;
use crate::sys;
use kinds::{Parting, ops};
use names::{Found, NameDir, NameLock};

/// One shared world: memory, a table of member processes, and a directory of named objects. A cheap handle; clones are the same fabric.
///
/// A *private* fabric is known only to those who inherit its descriptor; a *named* one is found by unrelated programs of the same user. Both go with their
/// last member, however it ends: the memory is the kernel's to free. (Of a named one whose last member was killed, a file of a few dozen bytes stays
/// in the runtime directory until the next opener or [`Fabric::collect_names`] clears it.)
///
/// **When a member dies**, all it held is given back by the next [`sweep`](Fabric::sweep): anybody's, at the latest the next process to open the
/// fabric. Nobody waits for a member that no longer exists.
///
/// **Fork**: a forked child is a member of its own from its first use on.
///
/// ```
/// use polyproc_ipc::{Fabric, Queue};
/// let fabric = Fabric::new()?;
/// let queue = Queue::<String>::new(&fabric, 0)?;
/// queue.put(&"hello".to_owned())?;
/// assert_eq!(queue.get()?, "hello");
/// assert!(fabric.check()?.is_whole());
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone)]
pub struct Fabric(Arc<Inner>);

struct Inner {
    shm: Shm,
    name: Option<String>,
}

/// How a fabric is to be made or opened.
#[derive(Clone, Debug)]
pub struct FabricBuilder {
    cap: Option<u64>,
    backing: Backing,
}

/// One object as [`Fabric::objects`] lists it.
#[derive(Clone, Debug)]
pub struct ObjectInfo {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it is; none for a kind that this version does not know.
    pub kind: Option<Kind>,
    /// The process it goes with; none: it belongs to the fabric.
    pub owner: Option<Owner>,
}

impl Fabric {
    /// A private fabric with the default cap.
    pub fn new() -> Result<Fabric> {
        Fabric::builder().private()
    }

    /// Cap and backing, to be chosen.
    pub fn builder() -> FabricBuilder {
        FabricBuilder { cap: None, backing: Backing::Memory }
    }

    /// Makes the fabric of this name; [`ErrorKind::AlreadyExists`] if a living member has it.
    pub fn create(name: &str) -> Result<Fabric> {
        Fabric::builder().create(name)
    }

    /// Opens the fabric of this name; [`ErrorKind::NotFound`] if no living member has it.
    pub fn open(name: &str) -> Result<Fabric> {
        Fabric::builder().open(name)
    }

    /// Opens the fabric of this name, or makes it. Of many processes that call this at once, one makes it.
    pub fn open_or_create(name: &str) -> Result<Fabric> {
        Fabric::builder().open_or_create(name)
    }

    /// The fabric of this program: the one inherited from the parent process, else a private one that is made by the first call.
    pub fn current() -> Result<Fabric> {
        let mut current = lock(&CURRENT);
        if let Some(fabric) = &*current {
            return Ok(fabric.clone());
        }
        Ok(current.insert(Fabric::new()?).clone())
    }

    /// What [`Fabric::current`] answers from now on.
    pub fn set_current(fabric: &Fabric) {
        *lock(&CURRENT) = Some(fabric.clone());
    }

    /// Runs `body` while no thread is about to change what this process knows of its fabrics, so that a fork in it leaves no lock behind that nobody holds.
    #[doc(hidden)]
    pub fn hold_still<R>(body: impl FnOnce() -> R) -> R {
        let _held = (lock(&CURRENT), lock(&ATTACHED));
        body()
    }

    /// As [`hold_still`](Fabric::hold_still), from now until what this gives is dropped, by the same thread.
    #[doc(hidden)]
    #[must_use]
    pub fn be_still() -> Still {
        Still(lock(&CURRENT), lock(&ATTACHED))
    }

    /// The fabric of this identity, if this process has it attached.
    ///
    /// ```
    /// use polyproc_ipc::Fabric;
    /// let fabric = Fabric::new()?;
    /// assert_eq!(Fabric::attached(fabric.id()).map(|found| found.id()), Some(fabric.id()));
    /// # Ok::<(), polyproc_ipc::Error>(())
    /// ```
    pub fn attached(id: FabricId) -> Option<Fabric> {
        Fabric::by_id(id)
    }

    /// Attaches by descriptor, as a child does with the one it inherited.
    pub fn attach(descriptor: OwnedFd) -> Result<Fabric> {
        let segment = Segment::attach(descriptor, "the inherited fabric")?;
        let name = stored_name(&segment)?;
        let fabric = match &name {
            Some(name) => {
                let (directory, lock) = lock_name(name)?;
                drop(directory);
                enlist(lock, Fabric::join(segment, Some(name.clone()))?)?
            }
            None => Fabric::join(segment, None)?,
        };
        Ok(fabric)
    }

    /// The descriptor of the memory, to hand to a child. It is close-on-exec here; a child attaches with [`Fabric::attach`].
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.shm().segment.file()
    }

    /// The fabric's identity.
    pub fn id(&self) -> FabricId {
        FabricId(self.shm().segment.id())
    }

    /// The fabric's name; none: private.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Bytes that the fabric may grow to.
    pub fn cap(&self) -> u64 {
        self.shm().segment.cap()
    }

    /// Bytes that the fabric takes at the moment.
    pub fn size(&self) -> u64 {
        let segment = &self.shm().segment;
        crate::shm::layout::Plan::committed(segment.units())
    }

    /// This process as a member.
    pub fn member(&self) -> Result<Owner> {
        self.shm().me()
    }

    /// All members, dead ones that nobody has swept included.
    pub fn members(&self) -> Vec<Member> {
        self.shm().list_members()
    }

    /// Whether that member lives. A stopped process lives; a zombie does not.
    pub fn alive(&self, owner: Owner) -> bool {
        self.shm().alive(owner)
    }

    /// Gives back what dead members held, and wakes everybody who may wait for them; how many members that were.
    pub fn sweep(&self) -> Result<usize> {
        let shm = self.shm();
        let dead: Vec<Owner> = shm.list_members().into_iter().filter(|member| !member.alive).map(|member| member.owner).collect();
        if dead.is_empty() {
            return Ok(0);
        }
        // A sweep may be repeated from its beginning, so its lock needs no repair.
        let _table = Guard::enter(shm, shm.segment.header().u64(at::TABLE_LOCK), |_| Ok(()))?;
        let mut swept = 0;
        for owner in dead {
            // Another sweeper may have been here first, and the slot may be somebody's by now: ask again under the lock.
            if shm.alive(owner) || !shm.list_members().iter().any(|member| member.owner == owner) {
                continue;
            }
            // Not `self.directory()`, which may sweep.
            let mut directory = Directory::lock(shm, quiesce)?;
            directory.remove_all_of(owner)?;
            let objects = directory.to_outlive()?;
            drop(directory); // a header stays one of its kind, whatever happens to its object
            outlive(shm, &objects, owner, Parting::Died)?;
            shm.free_all_of(owner)?;
            shm.free_slot(owner);
            swept += 1;
        }
        if swept > 0 {
            shm.announce_death();
        }
        Ok(swept)
    }

    /// Walks the whole segment and accounts for every chunk: see [`Report`]. Other processes wait while it looks.
    pub fn check(&self) -> Result<Report> {
        check::check(self)
    }

    /// All objects, with and without a name.
    pub fn objects(&self) -> Result<Vec<ObjectInfo>> {
        let list = self.directory()?;
        list.all()
            .map(|object| {
                let object = object?;
                let owner = object.owner().load(Ordering::Relaxed);
                Ok(ObjectInfo {
                    name: Some(object.name()?).filter(|name| !name.is_empty()),
                    kind: Kind::from_number(object.kind()),
                    owner: (owner != 0).then(|| Owner::from_bits(owner)),
                })
            })
            .collect()
    }

    /// Destroys the object of this name. Whoever uses it from then on gets [`ErrorKind::Gone`].
    pub fn remove(&self, name: &str) -> Result<()> {
        check_name("object", name)?;
        let mut directory = self.directory()?;
        let found = directory.find(name)?;
        let id = found.map(|object| ObjectId { offset: object.offset, birth: object.birth().load(Ordering::Acquire) });
        match id {
            Some(id) if directory.remove(id)? => Ok(()),
            _ => Err(Error::new(ErrorKind::NotFound, format!("{} has no object named '{name}'", self.shm().label))),
        }
    }

    /// Before a fork: whatever object this process made belongs to its fabric from now on, and does not go with this process; the child has it too. What messages are mapped
    /// [privately](crate::Message::privately) becomes a copy.
    pub fn keep_all() -> Result<()> {
        crate::queue::before_fork();
        let fabrics: Vec<Fabric> = lock(&ATTACHED).iter().filter_map(|(_, fabric)| fabric.upgrade()).map(Fabric).collect();
        for fabric in fabrics {
            // Who has not used it has made nothing in it.
            let Some(me) = fabric.shm().me_if_joined() else { continue };
            let list = fabric.directory()?;
            for object in list.all() {
                // One store each: killed in between, some are the fabric's and some go with us.
                let _ = object?.owner().compare_exchange(me.to_bits(), 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Clears the files of named fabrics that have no living member; their names.
    pub fn collect_names() -> Result<Vec<String>> {
        NameDir::open()?.gc()
    }

    pub(crate) fn shm(&self) -> &Shm {
        &self.0.shm
    }

    pub(crate) fn directory(&self) -> Result<Directory<'_>> {
        self.shm().me()?;
        if self.shm().take_crowded() {
            // The dead may have filled the table: the next one who comes must find room. Damaged memory is told by the call that meets it.
            let _ = self.sweep();
        }
        Directory::lock(self.shm(), quiesce)
    }

    /// An attached fabric of this identity.
    pub(crate) fn by_id(id: FabricId) -> Option<Fabric> {
        lock(&ATTACHED).iter().find(|(known, _)| *known == id).and_then(|(_, fabric)| fabric.upgrade()).map(Fabric)
    }

    fn join(segment: Segment, name: Option<String>) -> Result<Fabric> {
        let label = name.as_ref().map_or_else(|| format!("private fabric {}", &FabricId(segment.id()).to_string()[..8]), |name| format!("fabric '{name}'"));
        let on_join: OnJoin = match name.clone() {
            None => Box::new(|_| Ok(())),
            Some(name) => {
                // The first join happens under the name's lock, whose holder adds us itself.
                let first = AtomicBool::new(true);
                Box::new(move |segment| {
                    if first.swap(false, Ordering::Relaxed) {
                        return Ok(());
                    }
                    let (_directory, lock) = lock_name(&name)?;
                    lock.add_member(segment.file().as_raw_fd())
                })
            }
        };
        let fabric = Fabric(Arc::new(Inner { shm: Shm { segment, members: Members::new(), label, on_join }, name }));
        fabric.shm().me()?;
        let mut attached = lock(&ATTACHED);
        attached.retain(|(_, fabric)| fabric.strong_count() > 0);
        attached.push((fabric.id(), Arc::downgrade(&fabric.0)));
        Ok(fabric)
    }
}

impl FabricBuilder {
    /// Bytes that the fabric may grow to: 1 MiB at least. Default: the smaller of half the machine's memory and what the memory cgroup leaves.
    /// Growth past the cap is [`ErrorKind::OutOfMemory`] from the call that needed it, and loses nothing. Used only by who makes the fabric.
    #[must_use]
    pub fn cap(mut self, bytes: u64) -> Self {
        self.cap = Some(bytes);
        self
    }

    /// Where a named fabric's memory lives. Used only by who makes the fabric.
    #[must_use]
    pub fn backing(mut self, backing: Backing) -> Self {
        self.backing = backing;
        self
    }

    /// A private fabric.
    pub fn private(self) -> Result<Fabric> {
        Fabric::join(Segment::initialise(sys::memory_file("polyproc")?, self.chosen_cap(), true)?, None)
    }

    /// As [`Fabric::create`].
    pub fn create(self, name: &str) -> Result<Fabric> {
        let (_directory, lock) = lock_name(name)?;
        match lock.find()? {
            Found::Memory(_) | Found::File(_) => {
                Err(Error::new(ErrorKind::AlreadyExists, format!("fabric '{name}' exists already; open it, or choose another name")))
            }
            Found::Absent | Found::Stale => self.make(lock, name),
        }
    }

    /// As [`Fabric::open`].
    pub fn open(self, name: &str) -> Result<Fabric> {
        let (_directory, lock) = lock_name(name)?;
        match lock.find()? {
            Found::Memory(file) | Found::File(file) => enter(lock, file, name),
            Found::Absent | Found::Stale => {
                lock.remove_file()?;
                Err(Error::new(ErrorKind::NotFound, format!("there is no fabric named '{name}'; create it first, or use open_or_create")))
            }
        }
    }

    /// As [`Fabric::open_or_create`].
    pub fn open_or_create(self, name: &str) -> Result<Fabric> {
        let (_directory, lock) = lock_name(name)?;
        match lock.find()? {
            Found::Memory(file) | Found::File(file) => enter(lock, file, name),
            Found::Absent | Found::Stale => self.make(lock, name),
        }
    }

    fn chosen_cap(&self) -> u64 {
        self.cap.unwrap_or_else(sys::limits::default_cap)
    }

    fn make(self, lock: NameLock, name: &str) -> Result<Fabric> {
        let file = match self.backing {
            Backing::Memory => sys::memory_file("polyproc")?,
            Backing::File => lock.create_memory_file()?,
        };
        let segment = Segment::initialise(file, self.chosen_cap(), self.backing == Backing::Memory)?;
        store_name(&segment, name);
        let identity = sys::identity(segment.file())?;
        lock.publish(self.backing, identity, segment.id())?;
        enlist(lock, Fabric::join(segment, Some(name.to_owned()))?)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A forked child that never used the fabric has nothing to give back.
        let Some(me) = self.shm.me_if_joined() else { return };
        if let Ok(mut directory) = Directory::lock(&self.shm, quiesce) {
            let _ = directory.remove_all_of(me);
            let objects = directory.to_outlive();
            drop(directory);
            let _ = objects.and_then(|objects| outlive(&self.shm, &objects, me, Parting::Left));
        }
        let _ = self.shm.free_all_of(me);
        self.shm.leave(me);
        if let Some(name) = &self.name
            && let Ok((_directory, lock)) = lock_name(name)
        {
            let _ = lock.remove_member(self.shm.segment.file().as_raw_fd());
        }
    }
}

impl std::fmt::Debug for Fabric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shm().label)
    }
}

static CURRENT: Mutex<Option<Fabric>> = Mutex::new(None);
static ATTACHED: Mutex<Vec<(FabricId, Weak<Inner>)>> = Mutex::new(Vec::new());

/// What [`Fabric::be_still`] gives.
#[doc(hidden)]
#[allow(dead_code, reason = "held, and never looked at")]
pub struct Still(MutexGuard<'static, Option<Fabric>>, MutexGuard<'static, Vec<(FabricId, Weak<Inner>)>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock_name(name: &str) -> Result<(NameDir, NameLock)> {
    let directory = NameDir::open()?;
    let lock = directory.lock(name)?;
    Ok((directory, lock))
}

/// Attaches to a fabric that was found, under its name's lock, and then gives back what the dead left in it.
fn enter(lock: NameLock, file: OwnedFd, name: &str) -> Result<Fabric> {
    let segment = Segment::attach(file, &format!("fabric '{name}'"))?;
    let fabric = enlist(lock, Fabric::join(segment, Some(name.to_owned()))?)?;
    fabric.sweep()?;
    Ok(fabric)
}

/// Lists this process under the name, and unlocks it. (A fabric that leaves takes the lock itself, so a failed one must go after it.)
fn enlist(lock: NameLock, fabric: Fabric) -> Result<Fabric> {
    let listed = lock.add_member(fabric.descriptor().as_raw_fd());
    drop(lock);
    listed.map(|()| fabric)
}

fn store_name(segment: &Segment, name: &str) {
    let header = segment.header();
    for (i, bytes) in name.as_bytes().chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        header.u64(at::NAME + 8 + i * 8).store(u64::from_ne_bytes(word), Ordering::Relaxed);
    }
    header.u64(at::NAME).store(name.len() as u64, Ordering::Release);
}

fn stored_name(segment: &Segment) -> Result<Option<String>> {
    let header = segment.header();
    let len = header.u64(at::NAME).load(Ordering::Acquire) as usize;
    if len == 0 {
        return Ok(None);
    }
    let damaged = || Error::corrupt("the fabric's stored name is not a name");
    if len > names::MAX_NAME {
        return Err(damaged());
    }
    let bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|i| header.u64(at::NAME + 8 + i * 8).load(Ordering::Relaxed).to_ne_bytes()).take(len).collect();
    String::from_utf8(bytes).map(Some).map_err(|_| damaged())
}

/// What each kind does before its object may go.
fn quiesce(shm: &Shm, kind: Kind, object: Header<'_>) -> Result<()> {
    (ops(kind).quiesce)(shm, object)
}

/// Brings every object past the death or leave of a member. No lock is held but, in a sweep, the members table's.
fn outlive(shm: &Shm, objects: &[Header<'_>], gone: Owner, parting: Parting) -> Result<()> {
    for object in objects {
        if let Some(outlive) = Kind::from_number(object.kind()).and_then(|kind| ops(kind).outlive) {
            outlive(shm, *object, gone, parting)?;
        }
    }
    Ok(())
}
