//! `Manager`: one place that makes every kind of object, as Python's manager does. Knows of each kind its type and how a new one is made, and nothing else.

use crate::error::Result;
use crate::fabric::Fabric;
use crate::list::List;
use crate::queue::Queue;
use crate::sync::Lock;

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
    ($($(#[$doc:meta])* $name:ident $([$value:ident])? ($($arg:ident: $type:ty),*) -> $made:ty = $new:path;)*) => {
        impl Manager {
            $($(#[$doc])* pub fn $name$(<$value>)?(&self, $($arg: $type),*) -> Result<$made> { $new(&self.fabric, $($arg),*) })*
        }
    };
}

makes! {
    /// A new [`Lock`].
    lock() -> Lock = Lock::new;
    /// A new [`Queue`] of at most `capacity` messages; 0: as many as the fabric holds.
    queue[T](capacity: usize) -> Queue<T> = Queue::new;
    /// A new, empty [`List`].
    list[T]() -> List<T> = List::new;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manager_makes_is_its_fabrics() {
        let manager = Manager::new(&Fabric::builder().cap(4 << 20).private().unwrap());
        let made = (manager.lock().unwrap(), manager.queue::<u8>(3).unwrap(), manager.list::<u8>().unwrap());
        assert_eq!(manager.fabric().objects().unwrap().len(), 3);
        assert_eq!(made.1.capacity(), Some(3));
        made.2.append(&1).unwrap();
        drop(manager);
        assert_eq!(made.2.get(0).unwrap(), 1);
    }
}
