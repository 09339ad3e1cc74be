//! Named blocks and lists: as other processes and CPython see them, full file systems, killed makers and writers, damage.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use polyproc_ipc::{ErrorKind, ShareableItem, ShareableList, SharedMemory};
use polyproc_testkit::peer::{self, Peer};
use polyproc_testkit::temp::unique_name;
use polyproc_testkit::watchdog::watchdog;

use crate::common::{Dice, LONG, kind};

/// A name for this test alone, unlinked at the end whatever happens.
struct Name(String);

impl Name {
    fn new(label: &str) -> Name {
        Name(unique_name(label))
    }

    fn file(&self) -> PathBuf {
        PathBuf::from("/dev/shm").join(&self.0)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = SharedMemory::unlink_name(&self.0);
    }
}

#[test]
fn a_block_is_made_attached_and_unlinked() {
    watchdog(LONG, || {
        let name = Name::new("block");
        assert_eq!(kind(SharedMemory::attach(&name.0)), ErrorKind::NotFound);
        let made = SharedMemory::create(Some(&name.0), 10_000).unwrap();
        assert_eq!((made.name(), made.size(), made.is_writable()), (&*name.0, 10_000, true));
        assert_eq!(kind(SharedMemory::create(Some(&name.0), 1)), ErrorKind::AlreadyExists);
        let meta = std::fs::metadata(name.file()).unwrap();
        assert_eq!((meta.permissions().mode() & 0o777, meta.len()), (0o600, 10_000));
        assert!(meta.blocks() * 512 >= 10_000, "reserved");
        let (other, reader) = (SharedMemory::attach(&format!("/{}", name.0)).unwrap(), SharedMemory::attach_read_only(&name.0).unwrap());
        made.write(9_995, b"ends!").unwrap();
        let mut bytes = [1; 6];
        other.read(9_994, &mut bytes).unwrap();
        assert_eq!(&bytes, b"\0ends!");
        reader.read(9_994, &mut bytes).unwrap();
        assert_eq!((&bytes, reader.size(), reader.is_writable()), (b"\0ends!", 10_000, false));
        assert_eq!(kind(reader.write(0, b"x")), ErrorKind::InvalidArgument);
        for (at, len) in [(9_995, 6), (10_001, 0), (usize::MAX, 2)] {
            assert_eq!(kind(made.write(at, &vec![0; len])), ErrorKind::InvalidArgument);
            assert_eq!(kind(made.read(at, &mut vec![0; len])), ErrorKind::InvalidArgument);
        }
        made.write(10_000, b"").unwrap();
        // Closing and dropping leave it; unlinking leaves it to those who have it.
        made.close();
        drop(SharedMemory::attach(&name.0).unwrap());
        other.unlink().unwrap();
        assert_eq!((kind(other.unlink()), kind(SharedMemory::attach_read_only(&name.0))), (ErrorKind::NotFound, ErrorKind::NotFound));
        other.write(0, b"still").unwrap();
        let mut bytes = [0; 5];
        reader.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"still");
        let (a, b) = (SharedMemory::create(None, 1).unwrap(), SharedMemory::create(None, 1).unwrap());
        assert_ne!(a.name(), b.name());
        a.unlink().unwrap();
        b.unlink().unwrap();
        assert_eq!(kind(SharedMemory::create(Some("a/b"), 1)), ErrorKind::BadName);
        assert_eq!(kind(SharedMemory::create(None, 0)), ErrorKind::InvalidArgument);
    });
}

#[test]
fn what_there_is_no_room_for_is_an_error_and_leaves_nothing() {
    watchdog(LONG, || {
        for size in [1 << 46, usize::MAX >> 1] {
            let name = Name::new("room");
            let refused = SharedMemory::create(Some(&name.0), size).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::OutOfMemory | ErrorKind::Os), "{refused:?}");
            assert!(!name.file().exists());
        }
        // A block that another program made longer than there is memory: refused, where touching it would be a bus error.
        let name = Name::new("sparse");
        std::fs::File::create(name.file()).unwrap().set_len(1 << 44).unwrap();
        assert_eq!(kind(SharedMemory::attach(&name.0)), ErrorKind::OutOfMemory);
        assert_eq!(kind(SharedMemory::attach_read_only(&name.0)), ErrorKind::OutOfMemory);
        std::fs::File::create(name.file()).unwrap().set_len(0).unwrap();
        assert_eq!(kind(SharedMemory::attach(&name.0)), ErrorKind::NotFound);
        std::fs::File::create(name.file()).unwrap().set_len(100_000).unwrap();
        let attached = SharedMemory::attach(&name.0).unwrap();
        assert!(std::fs::metadata(name.file()).unwrap().blocks() * 512 >= 100_000, "reserved by who attached");
        attached.write(99_999, b"x").unwrap();
    });
}

#[test]
fn a_block_stays_when_its_maker_is_killed_and_when_its_child_ends() {
    watchdog(LONG, || {
        let name = Name::new("stays");
        let mut peer = Peer::builder("named::maker").arg("NAME", &name.0).start();
        peer.expect("MADE", LONG);
        let other = SharedMemory::attach(&name.0).unwrap();
        peer.kill();
        let mut bytes = [0; 4];
        other.read(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"made");
        drop(other);
        assert!(name.file().exists());
        SharedMemory::unlink_name(&name.0).unwrap();
        assert!(!name.file().exists());
    });
}

#[test]
#[ignore = "a role"]
#[allow(unsafe_code)]
fn maker() {
    if peer::is("named::maker") {
        let name = peer::arg("NAME");
        let block = SharedMemory::create(Some(&name), 100).unwrap();
        // SAFETY: the child drops what it inherited and ends by _exit.
        match unsafe { libc::fork() } {
            0 => {
                drop(block);
                // SAFETY: as above.
                unsafe { libc::_exit(0) }
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for our own child.
                assert_eq!((unsafe { libc::waitpid(child, &raw mut status, 0) }, status), (child, 0));
            }
        }
        drop(SharedMemory::attach(&name).unwrap());
        block.write(0, b"made").unwrap();
        peer::say("MADE");
        peer::park();
    }
}

/// Runs a Python program with the block's name; none if there is no Python with shared memory.
fn python(program: &str, name: &str) -> Option<String> {
    let has = Command::new("python3").args(["-c", "import multiprocessing.shared_memory"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        eprintln!("python3 is not there: not tested with it");
        return None;
    }
    let head = "import sys\nfrom multiprocessing import shared_memory, resource_tracker\n\
                def untracked(shm):\n    resource_tracker.unregister(shm._name, 'shared_memory')\n    return shm\n";
    let output = Command::new("python3").args(["-c", &format!("{head}{program}"), name]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn cpython_sees_the_same_block() {
    watchdog(LONG, || {
        let name = Name::new("ours");
        let block = SharedMemory::create(Some(&name.0), 4096).unwrap();
        block.write(0, b"from rust").unwrap();
        let said = python(
            "shm = untracked(shared_memory.SharedMemory(sys.argv[1]))\nprint(bytes(shm.buf[:9]).decode(), shm.size)\nshm.buf[100:111] = b'from python'\nshm.close()",
            &name.0,
        );
        let Some(said) = said else { return };
        assert_eq!(said.trim(), "from rust 4096");
        let mut bytes = [0; 11];
        block.read(100, &mut bytes).unwrap();
        assert_eq!(&bytes, b"from python");
        block.unlink().unwrap();
        let name = Name::new("theirs");
        python("shm = untracked(shared_memory.SharedMemory(sys.argv[1], create=True, size=5000))\nshm.buf[4990:4994] = b'made'\nshm.close()", &name.0);
        let block = SharedMemory::attach(&name.0).unwrap();
        let mut bytes = [0; 4];
        block.read(4990, &mut bytes).unwrap();
        assert_eq!((&bytes, block.size()), (b"made", 5000));
        block.unlink().unwrap();
    });
}

#[test]
fn a_list_keeps_its_values() {
    watchdog(LONG, || {
        let items: Vec<ShareableItem> = vec![
            ShareableItem::None,
            true.into(),
            (-5_i64).into(),
            2.5.into(),
            "text\0\0".into(),
            (&b"\0bytes\0"[..]).into(),
            "".into(),
            "äöü€".repeat(50).as_str().into(),
        ];
        let name = Name::new("list");
        let list = ShareableList::create(Some(&name.0), &items).unwrap();
        let other = ShareableList::attach(&name.0).unwrap();
        assert_eq!((other.to_vec().unwrap(), other.len(), other.is_empty()), (items.clone(), items.len(), false));
        assert_eq!(other.format().unwrap(), "x?qd8s8s8s456s");
        assert_eq!((list.count(&ShareableItem::None).unwrap(), list.index(&2.5.into()).unwrap(), list.index(&"no".into()).unwrap()), (1, Some(3), None));
        // Any type in any cell, if it fits.
        for (index, item) in items.iter().enumerate().rev() {
            list.set(0, "12345678").unwrap();
            let fits = list.set(0, item.clone());
            assert_eq!(fits.is_ok(), index != 7, "{item:?}");
            assert_eq!(other.get(0).unwrap(), if index == 7 { "12345678".into() } else { item.clone() });
        }
        assert_eq!(kind(list.set(4, "123456789")), ErrorKind::TooLarge);
        assert_eq!((list.capacity(0).unwrap(), list.capacity(7).unwrap()), (8, 456));
        assert_eq!((kind(list.get(8)), kind(list.set(usize::MAX, 1_i64))), (ErrorKind::InvalidArgument, ErrorKind::InvalidArgument));
        let reader = ShareableList::attach_read_only(&name.0).unwrap();
        assert_eq!((kind(reader.set(0, 1_i64)), reader.get(5).unwrap()), (ErrorKind::InvalidArgument, items[5].clone()));
        let empty = ShareableList::create(None, &[]).unwrap();
        assert!(empty.is_empty() && ShareableList::attach(empty.shm().name()).unwrap().to_vec().unwrap().is_empty());
        empty.unlink().unwrap();
        let roomy = ShareableList::with_capacity(None, &[ShareableItem::None, 1_i64.into()], 100).unwrap();
        roomy.set(0, "x".repeat(104)).unwrap();
        assert_eq!(kind(roomy.set(0, "x".repeat(105))), ErrorKind::TooLarge);
        roomy.unlink().unwrap();
        list.unlink().unwrap();
    });
}

/// One writer, killed at any moment, and a reader: every value is whole.
#[test]
fn a_value_is_never_torn() {
    watchdog(LONG, || {
        let name = Name::new("torn");
        let list = ShareableList::with_capacity(Some(&name.0), &["".into()], 4000).unwrap();
        for round in 0..6 {
            let mut peer = Peer::builder("named::writer").arg("NAME", &name.0).start();
            peer.expect("WRITING", LONG);
            let check = || match list.get(0).unwrap() {
                ShareableItem::Str(text) => assert!(text.bytes().all(|byte| byte == text.as_bytes()[0]), "torn"),
                ShareableItem::Int(_) => {}
                other => panic!("{other:?}"),
            };
            (0..2000 + round * 500).for_each(|_| check());
            peer.kill();
            check();
        }
    });
}

#[test]
#[ignore = "a role"]
fn writer() {
    if peer::is("named::writer") {
        let list = ShareableList::attach(&peer::arg("NAME")).unwrap();
        list.set(0, 0_i64).unwrap();
        peer::say("WRITING");
        let mut dice = Dice(9);
        loop {
            let letter = char::from(b'a' + dice.below(26) as u8).to_string();
            list.set(0, letter.repeat(1 + dice.below(3999) as usize)).unwrap();
            list.set(0, 7_i64).unwrap();
        }
    }
}

#[test]
fn damaged_lists_answer() {
    watchdog(LONG, || {
        let list = ShareableList::create(None, &["text".into(), 1_i64.into(), (&b"bytes"[..]).into()]).unwrap();
        let (shm, mut dice) = (list.shm(), Dice(3));
        let mut before = vec![0; shm.size()];
        shm.read(0, &mut before).unwrap();
        let mut corrupt = 0;
        for _ in 0..5000 {
            let at = dice.below(shm.size() as u64 / 8) as usize * 8;
            let value = [dice.roll(), dice.below(300), u64::MAX, 5 << 32 | dice.below(20), 1 << 63][dice.below(5) as usize];
            shm.write(at, &value.to_le_bytes()).unwrap();
            for answer in [ShareableList::attach(shm.name()).and_then(|other| other.to_vec()), list.to_vec()] {
                if let Err(error) = answer {
                    assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::WrongType | ErrorKind::ForeignVersion), "{error:?}");
                    corrupt += u32::from(error.kind() == ErrorKind::Corrupt);
                }
            }
            drop(list.set(0, "new"));
            shm.write(0, &before).unwrap();
        }
        assert!(corrupt > 1000, "{corrupt}");
        let other = SharedMemory::create(None, 16).unwrap();
        assert_eq!(kind(ShareableList::attach(other.name())), ErrorKind::WrongType);
        other.unlink().unwrap();
        list.unlink().unwrap();
    });
}
