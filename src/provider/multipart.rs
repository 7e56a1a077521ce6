//! `multipart/form-data` (RFC 7578, RFC 2046), one piece at a time.
//!
//! A line that begins like the boundary and goes on otherwise is refused: one reader would take it for text,
//! another for the next part.

use bytes::{Buf, BytesMut};
use memchr::memmem;

use super::{FormError, PartHead, Piece, parameters};

/// Longest boundary (RFC 2046, 5.1.1).
const MAX_BOUNDARY: usize = 70;
/// Bytes before the first boundary.
const MAX_PREAMBLE: usize = 1024;
/// White space after a boundary.
const MAX_PADDING: usize = 64;
/// Bytes and lines of a part's headers.
const MAX_HEAD: usize = 8 * 1024;
const MAX_LINES: usize = 16;
/// Longest name of a field, in bytes.
pub(super) const MAX_NAME: usize = 256;
/// Longest name of a file, in bytes; longer ones are cut.
const MAX_FILE_NAME: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    AfterBoundary,
    Head,
    Data,
    Epilogue,
}

/// A form on its way in.
#[derive(Debug)]
pub(super) struct Multipart {
    /// What ends a part: line end, two dashes, boundary.
    delimiter: Vec<u8>,
    pending: BytesMut,
    state: State,
    finished: bool,
}

impl Multipart {
    pub(super) fn new(boundary: &str) -> Result<Self, FormError> {
        let visible = boundary.bytes().all(|b| matches!(b, b' '..=b'~'));
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY || !visible || boundary.ends_with(' ') {
            return Err(FormError::Malformed("its boundary is not 1 to 70 visible characters"));
        }
        // The line end in front lets the first boundary look like the others.
        let pending = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Ok(Self { delimiter, pending, state: State::Preamble, finished: false })
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.state != State::Epilogue {
            self.pending.extend_from_slice(bytes);
        }
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn piece(&mut self) -> Result<Option<Piece>, FormError> {
        loop {
            let before = self.state;
            let piece = match self.state {
                State::Preamble => self.preamble()?,
                State::AfterBoundary => self.after_boundary()?,
                State::Head => self.head()?,
                State::Data => self.data(),
                State::Epilogue => None,
            };
            if piece.is_some() {
                return Ok(piece);
            }
            if self.state == before {
                break;
            }
        }
        if self.finished && self.state != State::Epilogue {
            return Err(FormError::Malformed("it is cut off"));
        }
        Ok(None)
    }

    fn preamble(&mut self) -> Result<Option<Piece>, FormError> {
        match memmem::find(&self.pending, &self.delimiter) {
            Some(at) if at <= MAX_PREAMBLE => {
                self.pending.advance(at + self.delimiter.len());
                self.state = State::AfterBoundary;
                Ok(None)
            }
            None if self.pending.len() <= MAX_PREAMBLE => Ok(None),
            _ => Err(FormError::Malformed("it does not begin with its boundary")),
        }
    }

    fn after_boundary(&mut self) -> Result<Option<Piece>, FormError> {
        if self.pending.starts_with(b"--") {
            self.pending.clear();
            self.state = State::Epilogue;
            return Ok(None);
        }
        let padding = self.pending.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let rest = &self.pending[padding..];
        if rest.starts_with(b"\r\n") {
            self.pending.advance(padding + 2);
            self.state = State::Head;
        } else if padding > MAX_PADDING || !(rest.is_empty() || rest == b"\r" || (padding == 0 && rest == b"-")) {
            return Err(FormError::Malformed("a line begins like the boundary and goes on"));
        }
        Ok(None)
    }

    fn head(&mut self) -> Result<Option<Piece>, FormError> {
        let window = &self.pending[..self.pending.len().min(MAX_HEAD)];
        match memmem::find(window, b"\r\n\r\n") {
            Some(end) => {
                let head = head(&String::from_utf8_lossy(&self.pending[..end]))?;
                self.pending.advance(end + 4);
                self.state = State::Data;
                Ok(Some(Piece::Begin(head)))
            }
            None if self.pending.len() >= MAX_HEAD => Err(FormError::TooLarge("the headers of a part")),
            None => Ok(None),
        }
    }

    fn data(&mut self) -> Option<Piece> {
        let end = match memmem::find(&self.pending, &self.delimiter) {
            Some(0) => {
                self.pending.advance(self.delimiter.len());
                self.state = State::AfterBoundary;
                return Some(Piece::End);
            }
            Some(at) => at,
            // The last bytes may be the beginning of a boundary.
            None => (self.pending.len() + 1).saturating_sub(self.delimiter.len()),
        };
        (end > 0).then(|| Piece::Data(self.pending.split_to(end).freeze()))
    }
}

/// Reads the headers of a part.
fn head(text: &str) -> Result<PartHead, FormError> {
    let (mut disposition, mut media_type) = (None, None);
    for (number, line) in text.split("\r\n").enumerate() {
        if number >= MAX_LINES {
            return Err(FormError::TooLarge("the headers of a part"));
        }
        let (name, value) = line.split_once(':').ok_or(FormError::Malformed("a part has a line that is no header"))?;
        let slot = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut disposition,
            "content-type" => &mut media_type,
            _ => continue,
        };
        if slot.replace(value.trim().to_owned()).is_some() {
            return Err(FormError::Malformed("a part has a header twice"));
        }
    }
    let disposition = disposition.ok_or(FormError::Malformed("a part has no Content-Disposition"))?;
    let (kind, parameters) = parameters::split(&disposition)?;
    let name = parameters::find(&parameters, "name").unwrap_or_default();
    if kind != "form-data" || name.is_empty() {
        return Err(FormError::Malformed("a part has no name"));
    }
    if name.len() > MAX_NAME {
        return Err(FormError::TooLarge("the name of a field"));
    }
    let file_name = parameters::find(&parameters, "filename*")
        .and_then(extended)
        .or_else(|| parameters::find(&parameters, "filename").map(str::to_owned));
    Ok(PartHead {
        name: name.to_owned(),
        file_name: file_name.map(|name| name[..name.floor_char_boundary(MAX_FILE_NAME)].to_owned()),
        media_type: media_type.map(|media_type| media_type[..media_type.floor_char_boundary(MAX_NAME)].to_owned()),
    })
}

/// `UTF-8''na%C3%AFve.txt` (RFC 8187). Anything else than UTF-8 is read as Latin-1, which names every byte.
fn extended(text: &str) -> Option<String> {
    let mut fields = text.splitn(3, '\'');
    let (charset, _language, value) = (fields.next()?, fields.next()?, fields.next()?);
    let bytes = super::urlencoded::unescape(value.as_bytes(), false);
    if charset.eq_ignore_ascii_case("utf-8") {
        Some(String::from_utf8_lossy(&bytes).into_owned())
    } else {
        Some(bytes.iter().map(|byte| char::from(*byte)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::form_decoder::tests::parts;
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=AaB03x";

    fn body(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (head, data) in parts {
            body.extend_from_slice(format!("--AaB03x\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--AaB03x--\r\n");
        body
    }

    #[test]
    fn parts_come_out_however_the_bytes_are_cut() {
        let data: &[u8] = b"a\r\n--AaB03\r\n-\r\r\n--\xff\x00";
        let body = body(&[("name=\"a\"", b""), ("name=\"f\"; filename=\"x.bin\"", data), ("name=b", b"\r\n")]);
        let whole = parts(TYPE, &body, body.len()).expect("reads");
        assert_eq!(
            whole,
            [
                ("a".into(), None, Vec::new()),
                ("f".into(), Some("x.bin".into()), data.to_vec()),
                ("b".into(), None, b"\r\n".to_vec())
            ]
        );
        for size in 1..body.len() {
            assert_eq!(parts(TYPE, &body, size).expect("reads"), whole, "{size}");
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let body = body(&[("name=\"a\"", b"one"), ("name=\"f\"; filename=\"x\"", b"two")]);
        let closed = body.len() - b"\r\n".len();
        for end in 0..closed {
            assert!(parts(TYPE, &body[..end], 7).is_err(), "{end}");
        }
        assert!(parts(TYPE, &body[..closed], 7).is_ok(), "the last line end is not needed");
    }

    #[test]
    fn tricks_with_boundaries_are_refused() {
        let good = "--AaB03x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n";
        for (what, text) in [
            ("a longer boundary", format!("{good}--AaB03xYZ\r\nContent-Disposition: form-data; name=b\r\n\r\nw\r\n--AaB03x--")),
            ("bare line feeds", good.replace("\r\n", "\n") + "--AaB03x--"),
            ("no headers", format!("{good}--AaB03x\r\n\r\nw\r\n--AaB03x--")),
            ("no name", format!("{good}--AaB03x\r\nContent-Disposition: form-data\r\n\r\nw\r\n--AaB03x--")),
            ("two names", "--AaB03x\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nv\r\n--AaB03x--".into()),
            (
                "two dispositions",
                "--AaB03x\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nv\r\n--AaB03x--".into(),
            ),
            ("an attachment", good.replace("form-data", "attachment") + "--AaB03x--"),
            ("a long beginning", "x".repeat(2_000) + "\r\n" + good + "--AaB03x--"),
            ("no form at all", "x=y&z".into()),
            ("nothing", String::new()),
        ] {
            for size in [1, 5, 4096] {
                assert!(parts(TYPE, text.as_bytes(), size).is_err(), "{what} in chunks of {size}");
            }
        }
    }

    #[test]
    fn a_form_inside_a_form_is_data() {
        let inner = b"--inner\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\nforged\r\n--inner--\r\n";
        let read = parts(TYPE, &body(&[("name=\"a\"", inner)]), 16).expect("reads");
        assert_eq!(read, [("a".into(), None, inner.to_vec())]);
    }

    #[test]
    fn endless_headers_are_refused_while_they_come() {
        let text = format!("--AaB03x\r\nX: {}", "a".repeat(20_000));
        assert!(matches!(parts(TYPE, text.as_bytes(), 1_000), Err(FormError::TooLarge(_))));
        let lines = format!("--AaB03x\r\nContent-Disposition: form-data; name=a\r\n{}\r\n", "X: y\r\n".repeat(20));
        assert!(matches!(parts(TYPE, lines.as_bytes(), 1_000), Err(FormError::TooLarge(_))));
    }

    #[test]
    fn file_names_come_in_three_ways() {
        for (given, name) in [
            ("filename=\"plain.txt\"", "plain.txt"),
            ("filename=\"na\u{ef}ve.txt\"", "na\u{ef}ve.txt"),
            ("filename=\"x\"; filename*=UTF-8''na%C3%AFve%20%22.txt", "na\u{ef}ve \".txt"),
            ("filename*=iso-8859-1'de'%FC.txt", "\u{fc}.txt"),
            ("filename=\"../../etc/passwd\"", "../../etc/passwd"),
        ] {
            let read = parts(TYPE, &body(&[(&format!("name=\"f\"; {given}"), b"x")]), 64).expect("reads");
            assert_eq!(read[0].1.as_deref(), Some(name), "{given}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..600), size in 1usize..50) {
            let _ = parts(TYPE, &bytes, size);
            let mut framed = b"--AaB03x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".to_vec();
            framed.extend_from_slice(&bytes);
            framed.extend_from_slice(b"\r\n--AaB03x--");
            if let Ok(read) = parts(TYPE, &framed, size) {
                prop_assert_eq!(&read[0].2, &bytes);
            }
        }
    }
}
