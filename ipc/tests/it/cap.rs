//! Growth and its limit: past the cap a call answers `OutOfMemory` and nothing is lost; what is given back is used again, also for other sizes.

use polyproc_ipc::{BytesQueue, ErrorKind, Fabric, Lock, Queue};
use polyproc_testkit::watchdog::watchdog;

use crate::common::{LONG, capped, kind, whole};

#[test]
fn a_cap_out_of_range_is_refused() {
    for cap in [0, 1, (1 << 20) - 1, (1 << 45) + 1, u64::MAX] {
        assert_eq!(kind(Fabric::builder().cap(cap).private()), ErrorKind::InvalidArgument, "{cap}");
    }
    for cap in [1 << 20, (1 << 20) + 1, 12_345_678, 1 << 40] {
        let fabric = capped(cap);
        assert_eq!(fabric.cap(), cap);
        BytesQueue::new(&fabric, 0).unwrap().put(b"x").unwrap();
        assert!(fabric.size() <= cap);
        whole(&fabric);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_is_there() {
    watchdog(LONG, || {
        for size in [1, 100, 2048, 2049, 5000, 40_000, 300_000] {
            let fabric = capped(4 << 20);
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            for turn in 0..3 {
                let mut count = 0_u32;
                let error = loop {
                    let mut message = vec![turn; size];
                    message[0] = count as u8;
                    match queue.put(&message) {
                        Ok(()) => count += 1,
                        Err(error) => break error,
                    }
                };
                assert_eq!(error.kind(), ErrorKind::OutOfMemory);
                assert!(fabric.size() <= fabric.cap());
                assert!(u64::from(count) * size as u64 > (1 << 20) || size == 1, "{count} of {size}");
                assert_eq!(queue.len(), count as usize);
                // A getter at the cap needs no memory.
                for i in 0..count {
                    let message = queue.get().unwrap();
                    assert!(message.len() == size && message[0] == i as u8 && message[1..].iter().all(|byte| *byte == turn));
                }
                assert_eq!(whole(&fabric).private_chunks, 0);
            }
        }
    });
}

#[test]
fn put_many_tells_how_many_went_in() {
    watchdog(LONG, || {
        for sizes in [&[2000][..], &[3000], &[10, 5000, 100, 50_000]] {
            let fabric = capped(2 << 20);
            let queue = BytesQueue::new(&fabric, 0).unwrap();
            let messages: Vec<Vec<u8>> = (0..5000).map(|i| vec![i as u8; sizes[i % sizes.len()]]).collect();
            let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            let done = queue.put_many(&slices).unwrap();
            assert!(done > 0 && done < 5000);
            assert_eq!(queue.len(), done);
            assert_eq!(kind(queue.put_many(&[&vec![0; 1 << 20]])), ErrorKind::OutOfMemory);
            for message in &messages[..done] {
                assert!(*queue.get().unwrap() == **message);
            }
            assert_eq!(kind(queue.try_get()), ErrorKind::Empty);
            assert_eq!(queue.put_many(&slices[..10]).unwrap(), 10);
            whole(&fabric);
        }
        let typed = Queue::<String>::new(&capped(2 << 20), 0).unwrap();
        let values: Vec<String> = (0..1000).map(|i| i.to_string().repeat(1000)).collect();
        let done = typed.put_many(&values).unwrap();
        assert!(done > 0 && done < 1000);
        values[..done].iter().for_each(|value| assert_eq!(typed.get().unwrap(), *value));
    });
}

#[test]
fn what_could_never_fit_is_too_large() {
    watchdog(LONG, || {
        let fabric = capped(4 << 20);
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        let bytes = vec![0; (4 << 20) + 1];
        let error = queue.put(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("4194304"), "{error}");
        for len in [bytes.len(), 1 << 40, usize::MAX] {
            assert_eq!(kind(queue.loan(len)), ErrorKind::TooLarge, "{len}");
        }
        assert_eq!(kind(queue.put_many(&[&bytes])), ErrorKind::TooLarge);
        assert_eq!(queue.put_many(&[b"fits", &bytes, b"after"]).unwrap(), 1);
        assert_eq!(&*queue.get().unwrap(), b"fits");
        assert_eq!(kind(queue.put(&bytes[..4 << 20])), ErrorKind::OutOfMemory, "it is the whole cap");
        whole(&fabric);
    });
}

#[test]
fn memory_of_one_size_serves_another() {
    watchdog(LONG, || {
        let fabric = capped(8 << 20);
        let queue = BytesQueue::new(&fabric, 0).unwrap();
        let fill = |size: usize| {
            let mut loans = Vec::new();
            let error = loop {
                match queue.loan(size) {
                    Ok(loan) => loans.push(loan),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{size}");
            let bytes = loans.len() * size;
            drop(loans);
            bytes
        };
        // From every size to every other: no size keeps what it had.
        let sizes = [48, 300, 2000, 9000, 32 << 10, 64 << 10, 200_000, 1 << 20, 3 << 20];
        for (i, size) in sizes.iter().enumerate() {
            for other in &sizes[..i] {
                for size in [size, other] {
                    let bytes = fill(*size);
                    assert!(bytes >= 3 << 20, "only {bytes} bytes of {size} each, after {other}");
                    assert_eq!(whole(&fabric).private_chunks, 0);
                }
            }
        }
        assert!(fabric.size() <= fabric.cap());
    });
}

#[test]
fn objects_at_the_cap() {
    watchdog(LONG, || {
        let fabric = capped(1 << 20);
        let mut locks = Vec::new();
        let error = loop {
            match Lock::new(&fabric) {
                Ok(lock) => locks.push(lock),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        whole(&fabric);
        let count = locks.len();
        assert_eq!(kind(Lock::create(&fabric, "one more")), ErrorKind::OutOfMemory);
        assert_eq!(kind(Lock::open(&fabric, "one more")), ErrorKind::NotFound);
        locks.pop();
        locks.push(Lock::create(&fabric, "one more").unwrap());
        locks.iter().for_each(|lock| drop(lock.lock().unwrap()));
        locks.clear();
        fabric.remove("one more").unwrap();
        // The chunks of gone objects serve new ones.
        let again: Vec<Lock> = (0..count).map(|_| Lock::new(&fabric).unwrap()).collect();
        assert_eq!(whole(&fabric).objects, count);
        drop(again);
        whole(&fabric);
    });
}
