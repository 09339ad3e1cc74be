//! What comes byte by byte, torn, cut or forged: always an error or a whole message, never a crash, a hang or a short one.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use polyproc_ipc::{Connection, ErrorKind, Framing, pipe};
use polyproc_testkit::watchdog::Watchdog;

use crate::common::{Dice, LONG, SHORT, kind};

/// A connection, and the bare stream at its other side.
fn bare() -> (Connection, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    (Connection::from_fd(OwnedFd::from(a)).unwrap(), b)
}

/// A message of 5 bytes as it stands on the stream.
const FIVE: &[u8] = b"\x05\0\0\0\0\0\0\0hello";

#[test]
fn golden_bytes_on_the_stream() {
    use std::io::Read;
    let (side, mut stream) = bare();
    side.send_bytes(b"hello").unwrap();
    side.send(&true).unwrap();
    let mut bytes = [0; 13 + 9];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes[..13], FIVE);
    assert_eq!(&bytes[13..], b"\x01\0\0\0\0\0\x01\0\xc3");
    let side = side.framed(Framing::Reference);
    side.send_bytes(b"hello").unwrap();
    let mut bytes = [0; 9];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0\x05hello");
    assert_eq!(kind(side.send(&true)), ErrorKind::Unsupported);
}

#[test]
fn a_receive_goes_on_where_its_time_ran_out() {
    let _dog = Watchdog::new(LONG);
    let (side, mut stream) = bare();
    let mut buffer = [0; 5];
    for into in [false, true] {
        for &byte in &FIVE[..FIVE.len() - 1] {
            stream.write_all(&[byte]).unwrap();
            let time = Duration::from_millis(1);
            let late = if into { side.recv_bytes_into_timeout(&mut buffer, time).map(drop) } else { side.recv_bytes_timeout(time).map(drop) };
            assert_eq!(kind(late), ErrorKind::Timeout);
            assert_eq!(kind(side.duplicate_fd()), ErrorKind::InvalidArgument, "in the middle of a message");
        }
        stream.write_all(&FIVE[FIVE.len() - 1..]).unwrap();
        if into {
            assert_eq!(side.recv_bytes_into(&mut buffer).unwrap(), 5);
            assert_eq!(&buffer, b"hello");
        } else {
            assert_eq!(side.recv_bytes().unwrap(), b"hello");
        }
    }
    side.duplicate_fd().unwrap();
}

#[test]
fn a_stream_that_ends_anywhere_in_a_message() {
    let _dog = Watchdog::new(LONG);
    for len in 1..FIVE.len() {
        for into in [false, true] {
            let (side, mut stream) = bare();
            stream.write_all(FIVE).unwrap();
            stream.write_all(&FIVE[..len]).unwrap();
            drop(stream);
            assert_eq!(side.recv_bytes().unwrap(), b"hello");
            let torn = if into { side.recv_bytes_into(&mut [0; 9]).map(drop) } else { side.recv_bytes().map(drop) };
            assert_eq!(kind(torn), ErrorKind::Corrupt, "{len}");
            assert_eq!(kind(side.recv_bytes()), ErrorKind::Closed);
        }
    }
}

#[test]
fn a_header_that_lies_takes_no_memory() {
    let _dog = Watchdog::new(LONG);
    let (side, mut stream) = bare();
    stream.write_all(&((1_u64 << 48) - 1).to_le_bytes()).unwrap();
    stream.write_all(&vec![0; 100_000]).unwrap();
    assert_eq!(kind(side.recv_bytes_timeout(SHORT)), ErrorKind::Timeout);
    drop(stream);
    assert_eq!(kind(side.recv_bytes()), ErrorKind::Corrupt);
}

#[test]
fn descriptors_that_were_not_announced_or_did_not_come() {
    let _dog = Watchdog::new(LONG);
    let (side, mut stream) = bare();
    stream.write_all(&(2_u64 << 56).to_le_bytes()).unwrap();
    assert_eq!(kind(side.recv_bytes()), ErrorKind::Corrupt);

    // The native frame through a side that thinks it sends another one: the descriptor comes with a header that announces none.
    let (a, b) = pipe().unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    a.send_with(b"", &[std::os::fd::AsFd::as_fd(&reader)]).unwrap();
    let b = b.framed(Framing::Reference);
    assert_eq!(b.recv_bytes().unwrap(), b"", "the first four bytes of that header are a length of 0 there");
}

#[test]
fn a_send_that_is_cut() {
    let _dog = Watchdog::new(LONG);
    let (a, b) = pipe().unwrap();
    let error = a.send_bytes_timeout(&vec![1; 8 << 20], SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("of 8388616 bytes"), "{error}");
    assert_eq!(kind(a.send_bytes(b"x")), ErrorKind::Closed);
    assert_eq!(kind(b.recv_bytes()), ErrorKind::Corrupt);
    b.send_bytes(b"the other direction is whole").unwrap();
    assert_eq!(a.recv_bytes().unwrap().len(), 28);
}

#[test]
fn any_bytes_are_answered() {
    let _dog = Watchdog::new(LONG * 2);
    let mut dice = Dice(11);
    let mut ends = 0;
    for round in 0..3000 {
        let (side, mut stream) = bare();
        let framing = *dice.pick(&[Framing::Native, Framing::Reference]);
        let side = side.framed(framing).limited(1 << 16);
        for _ in 0..dice.below(4) {
            let len = dice.below(40);
            let forged = match dice.below(3) {
                // Often a small length, so that the frames behind it are read too.
                0 => (dice.below(30) | dice.below(3) << 48).to_le_bytes().to_vec(),
                1 => (dice.below(30) as u32).to_be_bytes().to_vec(),
                _ => Vec::new(),
            };
            let noise: Vec<u8> = (0..len).map(|_| dice.roll() as u8).collect();
            stream.write_all(&[forged, noise].concat()).unwrap();
        }
        drop(stream);
        let mut buffer = [0; 64];
        for call in 0..100 {
            let result = match dice.below(4) {
                0 => side.recv_bytes().map(|bytes| bytes.len()),
                1 => side.recv_bytes_into(&mut buffer),
                2 => side.recv_bytes_max(dice.below(1 << 16)).map(|bytes| bytes.len()),
                _ => side.recv::<String>().map(|text| text.len()),
            };
            match result.map_err(|error| error.kind()) {
                Ok(len) => assert!(len < 1 << 16),
                Err(ErrorKind::Closed) => {
                    ends += 1;
                    break;
                }
                Err(ErrorKind::TooLarge | ErrorKind::Corrupt | ErrorKind::Decode) => {}
                Err(kind) => panic!("round {round}, call {call}: {kind:?}"),
            }
        }
    }
    assert!(ends > 1000, "{ends}");
}
