//! What engine and agent of a host share, and the marks by which each frame is known to be theirs.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Bytes of a mark.
pub(super) const MARK: usize = 32;

type HmacSha256 = Hmac<Sha256>;

/// The key of a host. Whoever has it may order what the host's own whitelist allows.
#[derive(Clone)]
pub struct AgentKey(SecretString);

/// A key that could be guessed by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of a host has at least {KEY_MIN} characters; make one with `openssl rand -hex 32`")]
pub struct WeakKey;

/// A proof made with the key can be tried against guesses elsewhere, so no key may be short enough for that.
const KEY_MIN: usize = 32;

impl AgentKey {
    /// The key that `secret` holds.
    ///
    /// # Errors
    /// When it is shorter than 32 bytes.
    pub fn new(secret: SecretString) -> Result<Self, WeakKey> {
        if secret.expose_secret().len() < KEY_MIN { Err(WeakKey) } else { Ok(Self(secret)) }
    }

    /// HMAC-SHA256 over `parts` one after another. Each use begins with words of its own, so that a mark for one use
    /// is worth nothing in another.
    pub(super) fn mark(&self, parts: &[&[u8]]) -> [u8; MARK] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether `mark` is that of `parts`. How long it takes says nothing about where they differ.
    pub(super) fn fits(&self, parts: &[&[u8]], mark: &[u8]) -> bool {
        self.over(parts).verify_slice(mark).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> HmacSha256 {
        keyed(self.0.expose_secret().as_bytes(), parts)
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentKey")
    }
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> HmacSha256 {
    let Ok(mut mac) = HmacSha256::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length (RFC 2104)")
    };
    for part in parts {
        mac.update(part);
    }
    mac
}

/// One direction of a proven connection. Each frame carries a mark over its number and its bytes, so that none is
/// altered, put in, left out, repeated or taken from another connection or the other direction unseen.
pub struct Seal {
    key: [u8; MARK],
    number: u64,
}

impl Seal {
    /// A direction with a key of its own.
    pub(super) fn new(key: [u8; MARK]) -> Self {
        Self { key, number: 0 }
    }

    /// The mark of the next frame.
    pub(super) fn mark(&mut self, frame: &[u8]) -> [u8; MARK] {
        self.next(frame).finalize().into_bytes().into()
    }

    /// Whether `mark` is that of the next frame.
    pub(super) fn fits(&mut self, frame: &[u8], mark: &[u8]) -> bool {
        self.next(frame).verify_slice(mark).is_ok()
    }

    fn next(&mut self, frame: &[u8]) -> HmacSha256 {
        let number = self.number.to_be_bytes();
        self.number += 1;
        keyed(&self.key, &[&number, frame])
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_refused_and_none_is_shown() {
        assert_eq!(AgentKey::new("x".repeat(31).into()).expect_err("short"), WeakKey);
        let key = AgentKey::new("hunter2-hunter2-hunter2-hunter2-".into()).expect("long enough");
        assert!(!format!("{key:?} {:?}", Seal::new(key.mark(&[]))).contains("hunter2"));
    }

    #[test]
    fn a_mark_is_for_one_frame_at_one_place() {
        let (mut out, mut r#in) = (Seal::new([7; 32]), Seal::new([7; 32]));
        let first = out.mark(b"run");
        let second = out.mark(b"run");
        assert_ne!(first, second);
        assert!(r#in.fits(b"run", &first));
        assert!(!r#in.fits(b"run", &first), "it is repeated");
        assert!(!Seal::new([7; 32]).fits(b"run", &second), "one is left out");
        assert!(!Seal::new([7; 32]).fits(b"ruN", &first));
        assert!(!Seal::new([8; 32]).fits(b"run", &first));
        assert!(!Seal::new([7; 32]).fits(b"run", &first[..31]));
    }
}
