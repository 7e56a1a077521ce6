//! `application/x-www-form-urlencoded` (WHATWG URL, 5.1), one piece at a time.

use bytes::{Buf, BytesMut};

use super::multipart::MAX_NAME;
use super::{FormError, PartHead, Piece};

/// A form on its way in.
#[derive(Debug, Default)]
pub(super) struct Urlencoded {
    pending: BytesMut,
    in_value: bool,
    finished: bool,
}

impl Urlencoded {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn piece(&mut self) -> Result<Option<Piece>, FormError> {
        if self.in_value { Ok(self.value()) } else { self.name() }
    }

    fn name(&mut self) -> Result<Option<Piece>, FormError> {
        while self.pending.first() == Some(&b'&') {
            self.pending.advance(1);
        }
        // Each byte of a name may be written as three.
        let window = &self.pending[..self.pending.len().min(3 * MAX_NAME + 1)];
        let end = match memchr::memchr2(b'=', b'&', window) {
            Some(end) => end,
            None if window.len() > 3 * MAX_NAME => return Err(FormError::TooLarge("the name of a field")),
            None if self.finished && !window.is_empty() => window.len(),
            None => return Ok(None),
        };
        // Names are short and many: each is read where it is, and only its text is made.
        let len = resolve(&mut self.pending[..end], true);
        let name = (len <= MAX_NAME).then(|| String::from_utf8_lossy(&self.pending[..len]).into_owned());
        self.pending.advance(end);
        // A name without a value is followed by `&`, which ends the value as well.
        if self.pending.first() == Some(&b'=') {
            self.pending.advance(1);
        }
        let Some(name) = name else { return Err(FormError::TooLarge("the name of a field")) };
        self.in_value = true;
        Ok(Some(Piece::Begin(PartHead { name, file_name: None, media_type: None })))
    }

    fn value(&mut self) -> Option<Piece> {
        let end = memchr::memchr(b'&', &self.pending);
        let ready = match end {
            Some(end) => end,
            None if self.finished => self.pending.len(),
            None => {
                // An escape that is cut waits for its rest.
                let from = self.pending.len().saturating_sub(2);
                memchr::memrchr(b'%', &self.pending[from..]).map_or(self.pending.len(), |at| from + at)
            }
        };
        if ready > 0 {
            return Some(Piece::Data(unescaped(self.pending.split_to(ready)).freeze()));
        }
        if end.is_none() && !self.finished {
            return None;
        }
        self.in_value = false;
        Some(Piece::End)
    }
}

/// Resolves `%XX`, and `+` where `plus`; what is no escape stays as it is.
pub(super) fn unescape(text: &[u8], plus: bool) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let len = resolve(&mut bytes, plus);
    bytes.truncate(len);
    bytes
}

/// The same where the bytes are: no value is copied for it.
fn unescaped(mut text: BytesMut) -> BytesMut {
    let len = resolve(&mut text, true);
    text.truncate(len);
    text
}

/// Writes what the escapes in `text` mean over its beginning; answers how long that is.
fn resolve(text: &mut [u8], plus: bool) -> usize {
    let is_first = |byte: &u8| *byte == b'%' || (plus && *byte == b'+');
    let Some(first) = text.iter().position(is_first) else { return text.len() };
    let (mut read, mut written) = (first, first);
    while let Some(byte) = text.get(read) {
        let (value, length) = match (*byte, text.get(read + 1..read + 3)) {
            (b'%', Some([high, low])) => match DIGITS[usize::from(*high)] << 4 | DIGITS[usize::from(*low)] {
                NO_DIGIT.. => (b'%', 1),
                escaped => (u8::try_from(escaped).unwrap_or_default(), 3),
            },
            (b'+', _) if plus => (b' ', 1),
            (other, _) => (other, 1),
        };
        text[written] = value;
        read += length;
        written += 1;
    }
    written
}

/// More than any two digits are worth.
const NO_DIGIT: u16 = 0x100;
/// What each byte is worth as a hexadecimal digit.
static DIGITS: [u16; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut worth = 0;
    while worth < 16 {
        digits[b"0123456789abcdef"[worth as usize] as usize] = worth;
        digits[b"0123456789ABCDEF"[worth as usize] as usize] = worth;
        worth += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::form_decoder::URLENCODED;
    use super::super::form_decoder::tests::parts;
    use super::*;

    proptest! {
        /// The same as a well-known reader of whole forms, however the bytes are cut.
        #[test]
        fn it_reads_what_others_read(text in "[a-c=&%+0-9A-Fé]{0,60}", size in 1usize..20) {
            let expected: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let read: Vec<(String, String)> = parts(URLENCODED, text.as_bytes(), size)
                .expect("reads")
                .into_iter()
                .map(|(name, _, value)| (name, String::from_utf8_lossy(&value).into_owned()))
                .collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn an_endless_name_is_refused() {
        let name = "n".repeat(10_000);
        assert!(matches!(parts(URLENCODED, name.as_bytes(), 100), Err(FormError::TooLarge(_))));
    }
}
