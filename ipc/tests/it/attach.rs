//! Attaching to what is no fabric, or one of another kind of program: each has its own answer, which names what was meant.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use polyproc_ipc::{Backing, BytesQueue, ErrorKind, Fabric};
use polyproc_testkit::peer;
use polyproc_testkit::temp::TempDir;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, capped, kind, play, reopened, whole};

fn file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

fn attach(file: &File) -> Result<Fabric, polyproc_ipc::Error> {
    Fabric::attach(OwnedFd::from(file.try_clone().unwrap()))
}

/// A copy of a fabric's memory, as a file.
fn copy(fabric: &Fabric, path: &Path) -> File {
    let from = reopened(fabric);
    let mut bytes = vec![0; from.metadata().unwrap().len() as usize];
    from.read_exact_at(&mut bytes, 0).unwrap();
    std::fs::write(path, bytes).unwrap();
    file(path)
}

#[test]
fn what_is_no_fabric_is_refused() {
    watchdog(LONG, || {
        let dir = TempDir::new("attach");
        let path = dir.path().join("file");
        let empty = file(&path);
        let error = attach(&empty).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAFabric);
        let mut dice = Dice(3);
        for len in [1, 8, 39, 40, 4096, 1 << 20] {
            let bytes: Vec<u8> = (0..len).map(|_| dice.roll() as u8).collect();
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(kind(attach(&file(&path))), ErrorKind::NotAFabric, "{len}");
        }
        for odd in [Path::new("/dev/null"), Path::new("/dev/zero"), Path::new("/proc/self/stat"), dir.path()] {
            let error = Fabric::attach(OwnedFd::from(File::open(odd).unwrap())).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotAFabric | ErrorKind::Os), "{}: {error:?}", odd.display());
        }
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(matches!(kind(Fabric::attach(OwnedFd::from(reader))), ErrorKind::NotAFabric | ErrorKind::Os));
        assert!(matches!(kind(Fabric::attach(OwnedFd::from(writer))), ErrorKind::NotAFabric | ErrorKind::Os));
    });
}

#[test]
fn every_word_of_the_stamp_is_believed_in_its_turn() {
    watchdog(LONG, || {
        let dir = TempDir::new("stamp");
        let fabric = capped(8 << 20);
        let queue = BytesQueue::create(&fabric, "queue", 0).unwrap();
        queue.put(b"from before").unwrap();
        let copy = copy(&fabric, &dir.path().join("copy"));
        let word = |at: u64, len: usize| {
            let mut bytes = vec![0; len];
            copy.read_exact_at(&mut bytes, at).unwrap();
            bytes
        };
        let mut swapped = word(0, 8);
        swapped.reverse();
        let len = copy.metadata().unwrap().len();
        let cases: &[(&str, u64, Vec<u8>, ErrorKind)] = &[
            ("magic of all zeros", 0, vec![0; 8], ErrorKind::NotAFabric),
            ("another magic", 0, b"POLYPROX".to_vec(), ErrorKind::NotAFabric),
            ("magic of the other byte order", 0, swapped, ErrorKind::ForeignAbi),
            ("later layout", 8, 2_u32.to_ne_bytes().to_vec(), ErrorKind::ForeignVersion),
            ("layout 0", 8, vec![0; 4], ErrorKind::ForeignVersion),
            ("32 bit words", 12, (32_u32 << 16 | 0x0102).to_ne_bytes().to_vec(), ErrorKind::ForeignAbi),
            ("other byte order", 12, (64_u32 << 16 | 0x0201).to_ne_bytes().to_vec(), ErrorKind::ForeignAbi),
            ("cap of 0", 16, vec![0; 8], ErrorKind::Corrupt),
            ("cap of all ones", 16, vec![0xff; 8], ErrorKind::Corrupt),
            ("cap that needs a longer file", 16, (1_u64 << 40).to_ne_bytes().to_vec(), ErrorKind::Corrupt),
            ("name that is too long", 512, u64::MAX.to_ne_bytes().to_vec(), ErrorKind::Corrupt),
        ];
        for (what, at, bytes, expected) in cases {
            let before = word(*at, bytes.len());
            copy.write_all_at(bytes, *at).unwrap();
            let error = attach(&copy).unwrap_err();
            assert_eq!(error.kind(), *expected, "{what}: {error}");
            copy.write_all_at(&before, *at).unwrap();
        }
        // A copy that is whole is a fabric; its members are of the original and dead here.
        let attached = attach(&copy).unwrap();
        assert_eq!(attached.sweep().unwrap(), 1);
        assert_eq!(&*BytesQueue::open(&attached, "queue").unwrap().get().unwrap(), b"from before");
        whole(&attached);
        drop(attached);
        for short in [len / 2, 100_000, 4096, 40, 39, 8, 1] {
            copy.set_len(short).unwrap();
            let expected = if short < 40 { ErrorKind::NotAFabric } else { ErrorKind::Corrupt };
            let Err(error) = attach(&copy) else {
                // Long enough for the fixed part: what is missing of the heap is found when it is used.
                assert!(short > 150_000);
                continue;
            };
            assert_eq!(error.kind(), expected, "{short}: {error}");
        }
        whole(&fabric);
    });
}

#[test]
fn a_shortened_heap_is_corrupt_where_it_is_used() {
    watchdog(LONG, || {
        let dir = TempDir::new("short");
        let fabric = capped(8 << 20);
        let queue = BytesQueue::create(&fabric, "queue", 0).unwrap();
        for _ in 0..20 {
            queue.put(&vec![1; 100_000]).unwrap();
        }
        let copy = copy(&fabric, &dir.path().join("copy"));
        let len = copy.metadata().unwrap().len();
        copy.set_len(len - (1 << 20)).unwrap();
        let attached = attach(&copy).unwrap();
        let opened = BytesQueue::open(&attached, "queue").unwrap();
        let error = loop {
            match opened.try_get() {
                Ok(message) => assert!(message.iter().all(|byte| *byte == 1)),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        // Either is right, a problem or an error: it must be an answer.
        assert!(attached.check().map_or(true, |report| !report.is_whole()));
    });
}

#[test]
fn by_name_the_answer_names_the_fabric() {
    let dir = TempDir::new("byname");
    watchdog(LONG, || play("attach::by_name", dir.path()));
}

#[test]
#[ignore = "a role"]
fn by_name() {
    if !peer::is("attach::by_name") {
        return;
    }
    let fabric = Fabric::builder().cap(4 << 20).backing(Backing::File).create("stamped").unwrap();
    let memory = file(&Path::new(&peer::arg("POLYPROC_DIR")).join("stamped.memory"));
    for (at, expected) in [(0, ErrorKind::NotAFabric), (8, ErrorKind::ForeignVersion), (12, ErrorKind::ForeignAbi)] {
        let mut before = [0; 4];
        memory.read_exact_at(&mut before, at).unwrap();
        memory.write_all_at(&[9; 4], at).unwrap();
        for result in [Fabric::open("stamped"), Fabric::open_or_create("stamped")] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), expected);
            assert!(error.to_string().contains("'stamped'"), "{error}");
        }
        memory.write_all_at(&before, at).unwrap();
    }
    assert_eq!(Fabric::open("stamped").unwrap().id(), fabric.id());
    // Its own members are not disturbed by a refused one.
    assert_eq!(fabric.members().len(), 1);
}
