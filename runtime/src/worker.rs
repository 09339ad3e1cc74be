//! What a task can know of the worker it runs in, and a place where it keeps what should outlive the call.
//!
//! One value of each type for the process. Must not know pools, nor what is kept.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crate::serving::{serve, serve_with_signals};

type Values = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// The place of this worker in its pool, plus one; 0: this process is no worker.
static PLACE: AtomicU64 = AtomicU64::new(0);
static VALUES: Mutex<Option<Values>> = Mutex::new(None);

/// The place of this worker in its pool: 0 for the first, and so on. `None` in a process that is no worker of a pool.
///
/// No two workers of a pool that live at the same time have the same, and a worker that is started in place of another has the
/// other's. So it can choose among things that every worker shall have one of, such as a device or a file.
///
/// ```
/// use polyproc::{Pool, task, worker};
///
/// #[task]
/// fn place() -> Option<usize> {
///     worker::number()
/// }
///
/// let pool = Pool::new(1)?;
/// assert_eq!(pool.apply(place, ())?, Some(0));
/// assert_eq!(worker::number(), None);
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn number() -> Option<usize> {
    PLACE.load(Ordering::Relaxed).checked_sub(1).map(|place| place as usize)
}

/// Keeps `value` for every later call in this process, in place of what was kept of the same type; that one is returned.
///
/// Made for an [`on_start`](crate::PoolBuilder::on_start) hook, which prepares what each call needs: a connection, a model, a cache.
/// It goes with the process; a worker that takes a dead one's place begins with nothing and runs the hook again.
///
/// ```
/// use polyproc::{Pool, task, worker};
/// use std::collections::HashMap;
///
/// struct Prices(HashMap<String, u32>);
///
/// #[task]
/// fn load(apple: u32) {
///     worker::set(Prices(HashMap::from([("apple".to_string(), apple)])));
/// }
///
/// #[task]
/// fn price(of: String) -> Option<u32> {
///     worker::with(|prices: &Prices| prices.0.get(&of).copied())
/// }
///
/// let pool = Pool::builder().workers(2).on_start(load, (7,)).build()?;
/// assert_eq!(pool.apply(price, ("apple".into(),))?, Some(7));
/// # Ok::<(), polyproc::Error>(())
/// ```
pub fn set<T: Send + Sync + 'static>(value: T) -> Option<Arc<T>> {
    let before = lock().get_or_insert_default().insert(TypeId::of::<T>(), Arc::new(value));
    before.and_then(|before| before.downcast().ok())
}

/// What is kept of this type.
pub fn get<T: Send + Sync + 'static>() -> Option<Arc<T>> {
    let kept = lock().as_ref()?.get(&TypeId::of::<T>())?.clone();
    kept.downcast().ok()
}

/// What is kept of this type; if nothing is, what `make` returns is kept from now on. Two threads may both make one: the first counts.
pub fn get_or_set<T: Send + Sync + 'static>(make: impl FnOnce() -> T) -> Arc<T> {
    if let Some(kept) = get() {
        return kept;
    }
    // User code runs here, so nothing is locked.
    let made = Arc::new(make());
    let kept = lock().get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(|| made.clone()).clone();
    kept.downcast().unwrap_or(made)
}

/// Calls `body` with what is kept of this type. Other threads may do so at the same time; what shall change stands in a `Mutex`.
///
/// # Panics
///
/// If nothing of this type is kept; in a task that fails the call with a sentence that names the type.
pub fn with<T: Send + Sync + 'static, R>(body: impl FnOnce(&T) -> R) -> R {
    let Some(kept) = get::<T>() else {
        panic!("nothing of type {} is kept in this process: set it in the pool's on_start hook by polyproc::worker::set", type_name::<T>());
    };
    body(&kept)
}

/// This process is a worker from now on.
pub(crate) fn enter(place: u32) {
    PLACE.store(u64::from(place) + 1, Ordering::Relaxed);
}

fn lock() -> MutexGuard<'static, Option<Values>> {
    VALUES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type() {
        #[derive(Debug, PartialEq)]
        struct Count(u32);
        struct Never;
        assert!(get::<Count>().is_none() && set(Count(1)).is_none());
        assert_eq!(set(Count(2)).as_deref(), Some(&Count(1)));
        assert_eq!(get_or_set(|| -> Count { unreachable!() }).0, 2);
        assert_eq!(with(|count: &Count| count.0), 2);
        // A value may be replaced while it is used.
        with(|count: &Count| {
            set(Count(3));
            assert_eq!(count.0, 2);
        });
        assert_eq!(with(|count: &Count| count.0), 3);
        let payload = std::panic::catch_unwind(|| with(|_: &Never| ())).unwrap_err();
        assert!(payload.downcast_ref::<String>().is_some_and(|text| text.contains("Never")));
        assert_eq!(number(), None);
    }
}
