//! `Manager`: one place that makes every kind of object, as Python's manager does. Knows of each kind its type and how a new one is made, and nothing else.

use std::time::Duration;

use crate::cells::{Array, Cell, Value};
use crate::dict::{Dict, Namespace, Set};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::list::List;
use crate::queue::Queue;
use crate::sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, RwLock, Semaphore};

/// Makes shared objects: Python's `Manager`, without a server process. What it makes is in its fabric and not in the manager, which holds nothing else; so there is nothing to start,
/// and if the process that made a manager is killed, no other notices.
///
/// The objects have no names: each goes with its maker's last handle, or belongs to the fabric from when its ticket is made (by sending it to another process). Objects with
/// names are made by their own types (`List::create` and so on), in the manager's [fabric](Manager::fabric).
///
/// ```
/// use polyproc_ipc::Manager;
/// let manager = Manager::private()?;
/// let (results, jobs, lock) = (manager.list::<u64>()?, manager.queue::<u64>(10)?, manager.lock()?);
/// jobs.put(&7)?;
/// let _held = lock.lock()?;
/// results.append(&(jobs.get()? * 6))?;
/// assert_eq!(results.to_vec()?, [42]);
/// # Ok::<(), polyproc_ipc::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Manager {
    fabric: Fabric,
}

impl Manager {
    /// A manager of this fabric.
    pub fn new(fabric: &Fabric) -> Manager {
        Manager { fabric: fabric.clone() }
    }

    /// A manager of a private fabric of its own.
    pub fn private() -> Result<Manager> {
        Fabric::new().map(|fabric| Manager { fabric })
    }

    /// A manager of the fabric of this name, which is made if there is none: as [`Fabric::open_or_create`]. So unrelated programs meet.
    pub fn named(name: &str) -> Result<Manager> {
        Fabric::open_or_create(name).map(|fabric| Manager { fabric })
    }

    /// The fabric that the objects are made in.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }
}

/// One line for each kind: what the manager calls it, what it is, how a new one is made.
macro_rules! makes {
    ($($(#[$doc:meta])* $name:ident $([$($value:ident $(: $bound:ident)?),*])? ($($arg:ident: $type:ty),*) -> $made:ty = $new:path;)*) => {
        impl Manager {
            $($(#[$doc])* pub fn $name$(<$($value $(: $bound)?),*>)?(&self, $($arg: $type),*) -> Result<$made> { $new(&self.fabric, $($arg),*) })*
        }
    };
}

makes! {
    /// A new [`Lock`].
    lock() -> Lock = Lock::new;
    /// A new [`RLock`].
    rlock() -> RLock = RLock::new;
    /// A new [`Semaphore`] with so many permits.
    semaphore(value: u32) -> Semaphore = Semaphore::new;
    /// A new [`BoundedSemaphore`] with so many permits.
    bounded_semaphore(value: u32) -> BoundedSemaphore = BoundedSemaphore::new;
    /// A new [`RwLock`].
    rwlock() -> RwLock = RwLock::new;
    /// A new [`Event`], clear.
    event() -> Event = Event::new;
    /// A new [`Condition`] with a lock of its own.
    condition() -> Condition = Condition::new;
    /// A new [`Barrier`] for so many parties, with the time-out of a plain wait.
    barrier(parties: usize, time: Option<Duration>) -> Barrier = Barrier::new;
    /// A new [`Queue`] of at most `capacity` messages; 0: as many as the fabric holds.
    queue[T](capacity: usize) -> Queue<T> = Queue::new;
    /// A new [`Queue`] of at most `capacity` messages (0: as many as the fabric holds) whose getters say when they are done: [`Queue::task_done`], [`Queue::join`].
    joinable_queue[T](capacity: usize) -> Queue<T> = joinable;
    /// A new [`Value`] under a lock of its own.
    value[T: Cell](initial: T) -> Value<T> = Value::new;
    /// A new [`Array`] of these elements under a lock of its own.
    array[T: Cell](contents: &[T]) -> Array<T> = Array::new;
    /// A new, empty [`List`].
    list[T]() -> List<T> = List::new;
    /// A new, empty [`Dict`].
    dict[K, V]() -> Dict<K, V> = Dict::new;
    /// A new, empty [`Set`].
    set[T]() -> Set<T> = Set::new;
    /// A new, empty [`Namespace`].
    namespace() -> Namespace = Namespace::new;
}

fn joinable<T>(fabric: &Fabric, capacity: usize) -> Result<Queue<T>> {
    Queue::builder().capacity(capacity).joinable().new_in(fabric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manager_makes_is_its_fabrics() {
        let manager = Manager::new(&Fabric::builder().cap(4 << 20).private().unwrap());
        let made = (manager.lock().unwrap(), manager.queue::<u8>(3).unwrap(), manager.list::<u8>().unwrap());
        let (value, array) = (manager.value(7_i64).unwrap(), manager.array(&[1.5, 2.5]).unwrap());
        let (dict, namespace) = (manager.dict::<String, List<u8>>().unwrap(), manager.namespace().unwrap());
        assert_eq!(manager.fabric().objects().unwrap().len(), 7);
        assert_eq!((made.1.capacity(), value.get().unwrap(), array.to_vec().unwrap()), (Some(3), 7, vec![1.5, 2.5]));
        dict.set("a list", &made.2).unwrap();
        namespace.set("dict", &dict).unwrap();
        namespace.get::<Dict<String, List<u8>>>("dict").unwrap().item("a list").unwrap().append(&9).unwrap();
        assert_eq!(made.2.pop().unwrap(), 9);
        let queue = manager.joinable_queue::<u8>(0).unwrap();
        queue.put(&1).unwrap();
        queue.get().unwrap();
        queue.task_done().unwrap();
        queue.join().unwrap();
        made.2.append(&1).unwrap();
        drop(manager);
        assert_eq!(made.2.get(0).unwrap(), 1);
    }
}
