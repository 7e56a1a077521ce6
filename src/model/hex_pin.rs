//! A SHA-256 that is pinned, as 64 hexadecimal digits in JSON, where there is one.

use serde::{Deserialize, Deserializer, Serializer};

/// Writes `pin`.
#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
pub(crate) fn serialize<S: Serializer>(pin: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    match pin {
        Some(pin) => serializer.serialize_str(&hex::encode(pin)),
        None => serializer.serialize_none(),
    }
}

/// Reads one.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Some).ok_or_else(|| serde::de::Error::custom("a pin has 64 hexadecimal digits"))
}
