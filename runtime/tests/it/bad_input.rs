//! Names, arguments and results that do not fit: typed errors that name the task, and a pool that goes on.

use polyproc::{ErrorKind, Pool, Task, ipc, task};
use serde::{Deserialize, Serialize, Serializer};

use crate::pool::square;
use crate::watched;

#[task(name = "twice")]
fn once(n: u64) -> u64 {
    n
}

#[task(name = "twice")]
fn again(n: u64) -> u64 {
    n
}

/// A value that cannot be encoded, or only here.
#[derive(Debug, Deserialize, PartialEq)]
struct Stubborn(bool);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 { Err(serde::ser::Error::custom("stubborn")) } else { serializer.serialize_newtype_struct("Stubborn", &false) }
    }
}

#[task]
fn stubborn(n: u64) -> Stubborn {
    Stubborn(n == 3)
}

#[task]
fn takes_stubborn(value: Stubborn) -> bool {
    value.0
}

#[test]
fn a_pool_of_nobody_is_refused() {
    for error in [Pool::new(0).unwrap_err(), Pool::builder().workers(1).chunk_size(0).build().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Ipc(ipc::ErrorKind::InvalidArgument));
    }
}

#[test]
fn calls_by_name() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.call::<u64>("it::pool::square", (7,)).unwrap(), 49);
        let unknown = pool.call::<u64>("it::nowhere", (7,)).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::UnknownTask);
        assert!(unknown.to_string().contains("'it::nowhere'"), "{unknown}");
        for error in [
            pool.call::<u64>("it::pool::square", ("seven",)).unwrap_err(),
            pool.call::<u64>("it::pool::square", (7, 8)).unwrap_err(),
            pool.call::<u64>("it::pool::square", ()).unwrap_err(),
            pool.call::<u64>("it::pool::square", 7).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::BadArguments);
            assert!(error.to_string().contains("'it::pool::square'"), "{error}");
        }
        let result = pool.call::<String>("it::pool::square", (7,)).unwrap_err();
        assert_eq!(result.kind(), ErrorKind::BadResult);
        assert!(result.to_string().contains("'it::pool::square'"), "{result}");
        assert_eq!(pool.call::<u64>(&"x".repeat(70_000), ()).unwrap_err().kind(), ErrorKind::UnknownTask);
        assert_eq!(pool.call::<()>("", ()).unwrap_err().kind(), ErrorKind::UnknownTask);
    });
}

#[test]
fn two_tasks_of_one_name_are_told_apart_by_their_places() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        for error in [pool.apply(once, (1,)).unwrap_err(), pool.map(again, [1]).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::AmbiguousTask);
            assert_eq!(error.to_string().matches("bad_input.rs:").count(), 2, "{error}");
        }
    });
}

#[test]
fn a_task_that_was_never_registered_is_unknown() {
    fn plain(n: u64) -> u64 {
        n
    }
    watched(|| {
        let task: Task<fn(u64) -> u64> = Task::new("plain", plain);
        assert_eq!(Pool::new(1).unwrap().map(task, 0..3).unwrap_err().kind(), ErrorKind::UnknownTask);
    });
}

#[test]
fn results_that_cannot_be_encoded_fail_alone() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        let results: Vec<_> = pool.imap(stubborn, 0..6).unwrap().collect();
        for (n, result) in results.iter().enumerate() {
            match result {
                Ok(value) => assert_eq!((n != 3, value), (true, &Stubborn(false))),
                Err(error) => {
                    assert_eq!((n, error.kind()), (3, ErrorKind::BadResult));
                    assert!(error.to_string().contains("stubborn'"), "{error}");
                }
            }
        }
    });
}

#[test]
fn arguments_that_cannot_be_encoded_submit_nothing() {
    watched(|| {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(takes_stubborn, (Stubborn(true),)).unwrap_err().kind(), ErrorKind::BadArguments);
        let error = pool.map(takes_stubborn, [Stubborn(false), Stubborn(true)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains("takes_stubborn") && error.to_string().contains("call 1"), "{error}");
        let results: Vec<_> = pool.imap(takes_stubborn, [Stubborn(false), Stubborn(true), Stubborn(false)]).unwrap().collect();
        assert!(matches!(&results[..], [Ok(false), Err(error), Ok(false)] if error.kind() == ErrorKind::BadArguments), "{results:?}");
        assert_eq!(pool.apply(square, (2,)).unwrap(), 4);
        pool.close();
        pool.join().unwrap();
    });
}
