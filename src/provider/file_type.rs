//! What a file is, by its first bytes and not by its name.

/// Bytes that are enough to tell.
pub(super) const HEAD: usize = 8 * 1024;

/// The media type that the beginning of a file shows; `None` when it shows none.
pub(super) fn of(head: &[u8]) -> Option<&'static str> {
    if let Some(found) = infer::get(head) {
        return Some(found.mime_type());
    }
    let is_text = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character may be cut where the beginning ends.
        Err(error) => error.error_len().is_none(),
    };
    (is_text && !head.is_empty() && !head.contains(&0)).then_some("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_decide() {
        assert_eq!(of(b"%PDF-1.7\n"), Some("application/pdf"));
        assert_eq!(of(b"\x89PNG\r\n\x1a\n0000"), Some("image/png"));
        assert_eq!(of(&[&b"\x7fELF\x02\x01\x01"[..], &[0; 60]].concat()), Some("application/x-executable"));
        assert_eq!(of("h\u{e9}llo \u{fc}".as_bytes().split_last().expect("bytes").1), Some("text/plain"));
        assert_eq!(of(b"\xff\xfe\x00x"), None);
        assert_eq!(of(b""), None);
    }
}
