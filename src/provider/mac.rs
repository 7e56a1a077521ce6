//! HMAC-SHA256, the one primitive most providers share, and HMAC-SHA1, which Twilio has kept.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// An HMAC-SHA256 over `parts` in order.
fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length (RFC 2104)")
    };
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Whether `signature` is the HMAC-SHA256 of `parts` under `key`, compared in constant time.
pub(super) fn verifies(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    mac(key, parts).verify_slice(signature).is_ok()
}

/// The HMAC-SHA256 of `parts` under `key`.
pub(super) fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac(key, parts).finalize().into_bytes().into()
}

/// Whether two secrets are equal, in a time that tells nothing of either: their digests are compared.
pub(super) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

/// An HMAC-SHA1 over `parts` in order.
fn mac_sha1(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha1> {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length (RFC 2104)")
    };
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Whether `signature` is the HMAC-SHA1 of `parts` under `key`, compared in constant time.
pub(super) fn verifies_sha1(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    mac_sha1(key, parts).verify_slice(signature).is_ok()
}

/// The HMAC-SHA1 of `parts` under `key`.
pub(super) fn sign_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    mac_sha1(key, parts).finalize().into_bytes().into()
}
