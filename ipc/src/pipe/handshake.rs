//! Mutual authentication by a key, as CPython's `multiprocessing.connection` does it. A machine that never waits: it goes on as far as messages have come.
//!
//! | step | listener | client |
//! | --- | --- | --- |
//! | 1 | sends `#CHALLENGE#{sha256}` and 40 random bytes | |
//! | 2 | | sends `{sha256}` and the HMAC, under the key, of all that followed `#CHALLENGE#` |
//! | 3 | compares; `#WELCOME#`, or `#FAILURE#` and the end | |
//! | 4 to 6 | answers | the same the other way round |
//!
//! Before 3.12, CPython's challenges are 20 random bytes without a name, and its answers 16 bytes of HMAC-MD5 without a name: understood where MD5 is allowed, and refused
//! otherwise. No message of a handshake has more than 256 bytes, and a longer one ends it before it is read.

use std::time::Duration;

use super::address::Peering;
use super::connection::Connection;
use super::digest::Digest;
use crate::codec;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::Deadline;
use crate::sys::socket;

const CHALLENGE: &[u8] = b"#CHALLENGE#";
const WELCOME: &[u8] = b"#WELCOME#";
const FAILURE: &[u8] = b"#FAILURE#";
const LONGEST: u64 = 256;
const RANDOM: usize = 40;
/// A challenge of exactly this length names no digest.
const OLD_CHALLENGE: usize = 20;
/// An answer of exactly this length names no digest.
const OLD_ANSWER: usize = 16;

/// What is awaited from the other side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Answer,
    Challenge,
    Verdict,
}

/// A handshake under way.
pub(super) struct Handshake {
    /// What is still to come, the next last.
    to_come: Vec<Awaited>,
    /// What was sent after `#CHALLENGE#`.
    challenge: Vec<u8>,
}

impl Handshake {
    /// Begins as the listener does: with a challenge.
    pub(super) fn listener(connection: &Connection) -> Result<Handshake> {
        let mut handshake = Handshake { to_come: vec![Awaited::Verdict, Awaited::Challenge, Awaited::Answer], challenge: Vec::new() };
        handshake.deliver(connection)?;
        Ok(handshake)
    }

    /// Begins as a client does: by waiting for a challenge.
    pub(super) fn client() -> Handshake {
        Handshake { to_come: vec![Awaited::Answer, Awaited::Verdict, Awaited::Challenge], challenge: Vec::new() }
    }

    /// Goes on as far as messages have come; whether it is done. [`ErrorKind::NotAuthenticated`] if the other side fails.
    pub(super) fn step(&mut self, connection: &Connection, terms: &Peering) -> Result<bool> {
        let key = terms.key.as_deref().unwrap_or_default();
        while let Some(&awaited) = self.to_come.last() {
            let message = match connection.receive(LONGEST, at_once()) {
                Ok(frame) => frame.bytes,
                Err(error) if error.kind() == ErrorKind::Timeout => return Ok(false),
                Err(error) => return Err(refused(&format!("ended the handshake or does not keep to it (has it a key, and the same frame?): {error}"))),
            };
            self.to_come.pop();
            match awaited {
                Awaited::Answer => {
                    let good = self.is_answer(&message, key, terms.md5);
                    // If the refusal cannot be sent, the end will be read.
                    let told = say(connection, if good { WELCOME } else { FAILURE });
                    if !good {
                        return Err(refused("does not know the key, or answered by a digest that is not allowed here"));
                    }
                    told?;
                }
                Awaited::Challenge => say(connection, &answer(&message, key, terms.md5)?)?,
                Awaited::Verdict if message != WELCOME => return Err(refused("does not accept our key")),
                Awaited::Verdict => {}
            }
            if awaited == Awaited::Verdict && self.to_come.last() == Some(&Awaited::Answer) {
                self.deliver(connection)?;
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, connection: &Connection) -> Result<()> {
        let mut random = [0; RANDOM];
        socket::random(&mut random)?;
        self.challenge = [b"{sha256}".as_slice(), &random].concat();
        say(connection, &[CHALLENGE, &self.challenge].concat())
    }

    fn is_answer(&self, message: &[u8], key: &[u8], md5: bool) -> bool {
        match named(message) {
            _ if message.len() == OLD_ANSWER => md5 && Digest::Md5.verify(key, &self.challenge, message),
            Some((digest, mac)) => (md5 || digest != Digest::Md5) && digest.verify(key, &self.challenge, mac),
            None => false,
        }
    }
}

/// What answers a challenge.
fn answer(message: &[u8], key: &[u8], md5: bool) -> Result<Vec<u8>> {
    let Some(challenge) = message.strip_prefix(CHALLENGE) else { return Err(refused("sent no challenge")) };
    if challenge.len() < OLD_CHALLENGE {
        return Err(refused("sent a challenge that is too short"));
    }
    let old = challenge.len() == OLD_CHALLENGE;
    let digest = if old { Some(Digest::Md5) } else { named(challenge).map(|(digest, _)| digest) };
    match digest {
        Some(Digest::Md5) if !md5 => Err(refused("wants HMAC-MD5 (is it CPython before 3.12?), which is not allowed here")),
        Some(digest) if old => Ok(digest.mac(key, challenge)),
        Some(digest) => Ok([format!("{{{}}}", digest.name()).as_bytes(), &digest.mac(key, challenge)].concat()),
        None => Err(refused("wants a digest that is not known here")),
    }
}

/// The digest that a message names in braces at its start, and the rest.
fn named(message: &[u8]) -> Option<(Digest, &[u8])> {
    let rest = message.strip_prefix(b"{")?;
    let end = rest.iter().take(16).position(|&byte| byte == b'}')?;
    Some((Digest::by_name(&rest[..end])?, &rest[end + 1..]))
}

/// A handshake's few bytes find room in a fresh socket; who lets them pile up is refused.
fn say(connection: &Connection, message: &[u8]) -> Result<()> {
    connection.send_message(message, codec::RAW, &[], at_once()).map_err(|error| refused(&format!("does not take part in the handshake: {error}")))
}

fn at_once() -> Deadline {
    Deadline::after(Some(Duration::ZERO))
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::NotAuthenticated, format!("the other side {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::pipe;
    use proptest::prelude::*;

    fn terms(key: &[u8]) -> Peering {
        Peering::new().authkey(key)
    }

    /// Both machines in turns, until both have an outcome.
    fn meet(listener: &Peering, client: &Peering) -> (Option<ErrorKind>, Option<ErrorKind>) {
        let (a, b) = pipe().unwrap();
        let (mut one, mut two) = (Handshake::listener(&a).unwrap(), Handshake::client());
        let (mut a, mut b) = (Some(a), Some(b));
        let (mut first, mut second) = (Ok(false), Ok(false));
        for _ in 0..10 {
            for (machine, side, terms, result) in [(&mut one, &mut a, listener, &mut first), (&mut two, &mut b, client, &mut second)] {
                if let (Some(connection), Ok(false)) = (side.as_ref(), &*result) {
                    *result = machine.step(connection, terms);
                    if result.is_err() {
                        *side = None;
                    }
                }
            }
        }
        assert!(!matches!(first, Ok(false)) && !matches!(second, Ok(false)), "nobody waits for ever");
        (first.err().map(|error| error.kind()), second.err().map(|error| error.kind()))
    }

    #[test]
    fn who_knows_the_key_is_let_in() {
        assert_eq!(meet(&terms(b"key"), &terms(b"key")), (None, None));
        assert_eq!(meet(&terms(b""), &terms(b"")), (None, None));
        let refused = Some(ErrorKind::NotAuthenticated);
        assert_eq!(meet(&terms(b"key"), &terms(b"kez")), (refused, refused));
    }

    #[test]
    fn md5_only_where_allowed() {
        let old = [CHALLENGE, &[7; 20]].concat();
        assert_eq!(answer(&old, b"k", false).unwrap_err().kind(), ErrorKind::NotAuthenticated);
        assert_eq!(answer(&old, b"k", true).unwrap(), Digest::Md5.mac(b"k", &[7; 20]));
        let handshake = Handshake { to_come: vec![], challenge: b"{sha256}abc".to_vec() };
        let bare = Digest::Md5.mac(b"k", b"{sha256}abc");
        assert!(handshake.is_answer(&bare, b"k", true) && !handshake.is_answer(&bare, b"k", false));
        let with_name = [b"{md5}".as_slice(), &bare].concat();
        assert!(handshake.is_answer(&with_name, b"k", true) && !handshake.is_answer(&with_name, b"k", false));
    }

    #[test]
    fn the_answer_covers_the_name_of_the_digest() {
        let challenge = [CHALLENGE, b"{sha384}", &[9; 40]].concat();
        let expected = [b"{sha384}".as_slice(), &Digest::Sha384.mac(b"k", &challenge[CHALLENGE.len()..])].concat();
        assert_eq!(answer(&challenge, b"k", false).unwrap(), expected);
        assert!(answer(b"#CHALLENGE#{sha3_256}0123456789012345678901234567890123456789", b"k", true).is_err());
        assert!(answer(b"#CHALLENGE#short", b"k", true).is_err());
        assert!(answer(b"hello", b"k", true).is_err());
    }

    proptest! {
        #[test]
        fn no_message_lets_a_stranger_in(message in proptest::collection::vec(any::<u8>(), 0..300), named in any::<bool>()) {
            let (a, b) = pipe().unwrap();
            let mut handshake = Handshake::listener(&a).unwrap();
            let message = if named { [b"{sha256}".as_slice(), &message].concat() } else { message };
            b.send_bytes(&message).unwrap();
            prop_assert_eq!(handshake.step(&a, &terms(b"key").allow_md5(true)).unwrap_err().kind(), ErrorKind::NotAuthenticated);
            let (a, b) = pipe().unwrap();
            b.send_bytes(&[CHALLENGE, &message].concat()).unwrap();
            let _ = Handshake::client().step(&a, &terms(b"key"));
        }
    }
}
