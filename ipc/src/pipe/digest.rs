//! Keyed digests by their names in the handshake. Knows no protocol.

use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Sha256, Sha384};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Md5,
    Sha256,
    Sha384,
}

impl Digest {
    pub(super) fn name(self) -> &'static str {
        match self {
            Digest::Md5 => "md5",
            Digest::Sha256 => "sha256",
            Digest::Sha384 => "sha384",
        }
    }

    pub(super) fn by_name(name: &[u8]) -> Option<Digest> {
        [Digest::Md5, Digest::Sha256, Digest::Sha384].into_iter().find(|digest| digest.name().as_bytes() == name)
    }

    /// The digest of `message` under `key`.
    pub(super) fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Digest::Md5 => begun::<Hmac<Md5>>(key, message).finalize().into_bytes().to_vec(),
            Digest::Sha256 => begun::<Hmac<Sha256>>(key, message).finalize().into_bytes().to_vec(),
            Digest::Sha384 => begun::<Hmac<Sha384>>(key, message).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether `mac` is the digest of `message` under `key`; in a time that does not tell where they differ.
    pub(super) fn verify(self, key: &[u8], message: &[u8], mac: &[u8]) -> bool {
        match self {
            Digest::Md5 => begun::<Hmac<Md5>>(key, message).verify_slice(mac).is_ok(),
            Digest::Sha256 => begun::<Hmac<Sha256>>(key, message).verify_slice(mac).is_ok(),
            Digest::Sha384 => begun::<Hmac<Sha384>>(key, message).verify_slice(mac).is_ok(),
        }
    }
}

fn begun<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> M {
    let mut mac = <M as Mac>::new_from_slice(key).expect("a key of any length is a key");
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    #[test]
    fn known_digests() {
        // RFC 2202 and RFC 4231, test case 2.
        let (key, text) = (b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&Digest::Md5.mac(key, text)), "750c783e6ab0b503eaa86e310a5db738");
        assert_eq!(hex(&Digest::Sha256.mac(key, text)), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(hex(&Digest::Sha384.mac(key, text)).starts_with("af45d2e376484031617f78d2b58a6b1b"));
    }

    #[test]
    fn only_the_whole_digest_is_right() {
        let mac = Digest::Sha256.mac(b"key", b"text");
        assert!(Digest::Sha256.verify(b"key", b"text", &mac));
        assert!(!Digest::Sha256.verify(b"key", b"text", &mac[..31]));
        assert!(!Digest::Sha256.verify(b"key", b"text", &[]));
        assert!(!Digest::Sha256.verify(b"kez", b"text", &mac));
    }
}
