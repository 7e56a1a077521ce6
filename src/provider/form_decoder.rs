//! Forms as they come in, piece by piece: neither a body nor a part of it is ever held whole.

use bytes::Bytes;

use super::multipart::Multipart;
use super::parameters;
use super::urlencoded::Urlencoded;

/// The media type of forms without files.
pub(super) const URLENCODED: &str = "application/x-www-form-urlencoded";
/// The media type of forms with files (RFC 7578).
pub(super) const MULTIPART: &str = "multipart/form-data";

/// Fields and files of one form.
const MAX_PARTS: usize = 200;

/// What a part is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHead {
    /// The field.
    pub name: String,
    /// The name of the file, when it is one.
    pub file_name: Option<String>,
    /// What the sender says is in it.
    pub media_type: Option<String>,
}

/// One step through a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A part begins.
    Begin(PartHead),
    /// More of it.
    Data(Bytes),
    /// It ends.
    End,
}

/// Why a form is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is not what it says it is, or is cut off.
    #[error("the form cannot be read: {0}")]
    Malformed(&'static str),
    /// It has more of something than is taken.
    #[error("the form is too large: {0}")]
    TooLarge(&'static str),
}

#[derive(Debug)]
enum Kind {
    Urlencoded(Urlencoded),
    Multipart(Multipart),
}

/// Reads one form. Whoever has bytes feeds them and takes pieces until there are none.
#[derive(Debug)]
pub struct FormDecoder {
    kind: Kind,
    parts: usize,
}

impl FormDecoder {
    /// Whether `media_type` is that of a form.
    #[must_use]
    pub fn reads(media_type: Option<&str>) -> bool {
        matches!(media_type, Some(URLENCODED | MULTIPART))
    }

    /// A decoder for a body of this `Content-Type`.
    ///
    /// # Errors
    /// When it is no form, or says nothing or two things about its boundary.
    pub fn new(content_type: &str) -> Result<Self, FormError> {
        let (media_type, parameters) = parameters::split(content_type)?;
        let kind = match media_type.as_str() {
            URLENCODED => Kind::Urlencoded(Urlencoded::default()),
            MULTIPART => {
                Kind::Multipart(Multipart::new(parameters::find(&parameters, "boundary").unwrap_or_default())?)
            }
            _ => return Err(FormError::Malformed("it is no form")),
        };
        Ok(Self { kind, parts: 0 })
    }

    /// Takes the next bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.kind {
            Kind::Urlencoded(form) => form.feed(bytes),
            Kind::Multipart(form) => form.feed(bytes),
        }
    }

    /// There are no more bytes: what is left comes out, and what is missing is missed.
    pub fn finish(&mut self) {
        match &mut self.kind {
            Kind::Urlencoded(form) => form.finish(),
            Kind::Multipart(form) => form.finish(),
        }
    }

    /// The next piece; `None` when it takes more bytes, or the form has ended.
    ///
    /// # Errors
    /// When the form cannot be read. What was read before is worth nothing then.
    pub fn piece(&mut self) -> Result<Option<Piece>, FormError> {
        let piece = match &mut self.kind {
            Kind::Urlencoded(form) => form.piece()?,
            Kind::Multipart(form) => form.piece()?,
        };
        if matches!(piece, Some(Piece::Begin(_))) {
            self.parts += 1;
            if self.parts > MAX_PARTS {
                return Err(FormError::TooLarge("more than 200 parts"));
            }
        }
        Ok(piece)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Name, file name and content.
    pub(in crate::provider) type Part = (String, Option<String>, Vec<u8>);

    /// Every part of `body` fed in chunks of `size`: name, file name, bytes.
    pub(in crate::provider) fn parts(content_type: &str, body: &[u8], size: usize) -> Result<Vec<Part>, FormError> {
        let mut decoder = FormDecoder::new(content_type)?;
        let mut parts: Vec<Part> = Vec::new();
        let mut chunks = body.chunks(size);
        let mut open = false;
        loop {
            while let Some(piece) = decoder.piece()? {
                match piece {
                    Piece::Begin(head) => {
                        assert!(!std::mem::replace(&mut open, true), "parts do not nest");
                        parts.push((head.name, head.file_name, Vec::new()));
                    }
                    Piece::Data(bytes) => parts.last_mut().expect("a part").2.extend_from_slice(&bytes),
                    Piece::End => assert!(std::mem::take(&mut open), "an end has a beginning"),
                }
            }
            match chunks.next() {
                Some(chunk) => decoder.feed(chunk),
                None => break,
            }
        }
        decoder.finish();
        while let Some(piece) = decoder.piece()? {
            match piece {
                Piece::Begin(head) => parts.push((head.name, head.file_name, Vec::new())),
                Piece::Data(bytes) => parts.last_mut().expect("a part").2.extend_from_slice(&bytes),
                Piece::End => {}
            }
        }
        Ok(parts)
    }

    #[test]
    fn two_hundred_parts_and_no_more() {
        let form = |count: usize| (0..count).map(|n| format!("f{n}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(parts(URLENCODED, form(200).as_bytes(), 64).map(|parts| parts.len()), Ok(200));
        assert!(matches!(parts(URLENCODED, form(201).as_bytes(), 64), Err(FormError::TooLarge(_))));
    }

    #[test]
    fn only_forms_with_one_boundary_are_read() {
        let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
        for bad in [
            "text/plain",
            "multipart/mixed; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a b \"",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=\"a\r\nb\"",
            long.as_str(),
        ] {
            assert!(FormDecoder::new(bad).is_err(), "{bad}");
        }
        assert!(FormDecoder::new("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"").is_ok());
    }
}
