//! A form as it is handed to its provider and stored: its fields, and what is known about its files.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FormDecoder, FormError, PartHead, Piece, file_type};

/// Bytes of one field that are kept with the form. Longer ones are a file, with their beginning here.
const FIELD_KEPT: usize = 256 * 1024;
/// Bytes of all fields together that are kept so, beyond the first of each.
const FIELDS_KEPT: usize = 1 << 20;
/// Bytes of a field that are kept whatever came before it: what a form is signed with may stand at its end.
const FIELD_SURE: usize = 4 * 1024;

/// A form. As JSON this is what is stored of it, and what `events show --raw` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// The fields, in order.
    pub fields: Vec<FormField>,
    /// The files, in order; a field that is too long to be kept here is among them.
    pub files: Vec<FormFile>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// Its value; what is not UTF-8 is replaced.
    pub value: String,
    /// Whether the value is not all of it: the rest is in the file of the same field.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// One file, kept below `blobs/` under its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormFile {
    /// The field it came in.
    pub field: String,
    /// Its name, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its media type, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// Its media type by its first bytes, where they show one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of it, hexadecimal.
    pub sha256: String,
}

impl Form {
    /// Reads a whole form from memory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn decode(content_type: &str, body: &[u8]) -> Result<Self, FormError> {
        let mut decoder = FormDecoder::new(content_type)?;
        let mut builder = FormBuilder::default();
        decoder.feed(body);
        decoder.finish();
        while let Some(piece) = decoder.piece()? {
            builder.take(piece);
        }
        Ok(builder.form)
    }

    /// The form as it is stored, without its fields of these names.
    #[must_use]
    pub fn to_bytes(&self, without: &[&str]) -> Bytes {
        #[derive(Serialize)]
        struct Stored<'a> {
            fields: Vec<&'a FormField>,
            files: &'a [FormFile],
        }
        let fields = self.fields.iter().filter(|field| !without.contains(&field.name.as_str())).collect();
        let mut bytes = Vec::with_capacity(self.plain_len());
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut bytes, &Stored { fields, files: &self.files });
        bytes.into()
    }

    /// How many bytes [`Form::to_bytes`] takes at most. Control characters are written as six, so it can be several
    /// times as long as the form was. The texts of a small form are not looked at for it.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        /// As long as this, a form is taken to be all control characters.
        const SMALL: usize = 4 * 1024;
        let plain = self.plain_len();
        if plain <= SMALL {
            return 6 * plain;
        }
        let added = |text: &str| {
            let controls = text.bytes().filter(|byte| *byte < 0x20).count();
            let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
            5 * controls + escaped
        };
        plain + self.texts().map(added).sum::<usize>()
    }

    /// The same when nothing in it has to be escaped.
    fn plain_len(&self) -> usize {
        /// What stands around a field, and around a file with its size and its hash.
        const FIELD: usize = 40;
        const FILE: usize = 200;
        FIELD * (1 + self.fields.len()) + FILE * self.files.len() + self.texts().map(str::len).sum::<usize>()
    }

    /// Every text in it.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().flat_map(|field| [field.name.as_str(), field.value.as_str()]);
        let files = self.files.iter().flat_map(|file| {
            let told = [&file.name, &file.declared, &file.found];
            told.into_iter().flatten().map(String::as_str).chain([file.field.as_str()])
        });
        fields.chain(files)
    }

    /// The last value of field `name`.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.field(name).map(|field| field.value.as_str())
    }

    /// The last field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FormField> {
        self.fields.iter().rev().find(|field| field.name == name)
    }
}

/// A part that has begun.
#[derive(Debug)]
struct Open {
    head: PartHead,
    /// Its beginning; all of it as long as it is no file.
    kept: Vec<u8>,
    is_file: bool,
    size: u64,
    /// Of what went into its file.
    hash: Sha256,
}

impl Open {
    /// Makes a file of what was taken for a field.
    fn begin_file(&mut self, to_file: &mut Vec<Bytes>) {
        self.is_file = true;
        self.hash.update(&self.kept);
        to_file.push(Bytes::copy_from_slice(&self.kept));
    }
}

/// Makes a form of its pieces, and tells what of them belongs into files.
#[derive(Debug, Default)]
pub struct FormBuilder {
    form: Form,
    open: Option<Open>,
    held: usize,
    /// What of it draws on [`FIELDS_KEPT`].
    drawn: usize,
}

impl FormBuilder {
    /// Takes the next piece; answers the bytes to be added to the file of the part that is open, in order.
    ///
    /// At [`Piece::End`] the file is complete, and [`FormBuilder::form`] has its hash as the last of its files.
    pub fn take(&mut self, piece: Piece) -> Vec<Bytes> {
        match piece {
            Piece::Begin(head) => {
                let is_file = head.file_name.is_some();
                self.open = Some(Open { head, kept: Vec::new(), is_file, size: 0, hash: Sha256::new() });
                Vec::new()
            }
            Piece::Data(bytes) => self.data(bytes),
            Piece::End => self.end(),
        }
    }

    fn data(&mut self, bytes: Bytes) -> Vec<Bytes> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let mut to_file = Vec::new();
        open.size += bytes.len() as u64;
        let drawn = open.kept.len().saturating_sub(FIELD_SURE);
        let room = FIELD_KEPT.min(FIELD_SURE + drawn + FIELDS_KEPT.saturating_sub(self.drawn));
        if !open.is_file && open.kept.len() + bytes.len() > room {
            open.begin_file(&mut to_file);
        }
        let most = if open.head.file_name.is_some() { file_type::HEAD } else { room };
        let more = bytes.len().min(most.saturating_sub(open.kept.len()));
        open.kept.extend_from_slice(&bytes[..more]);
        self.held += more;
        if open.head.file_name.is_none() {
            self.drawn += open.kept.len().saturating_sub(FIELD_SURE) - drawn;
        }
        if open.is_file {
            open.hash.update(&bytes);
            to_file.push(bytes);
        }
        to_file
    }

    fn end(&mut self) -> Vec<Bytes> {
        let Some(mut open) = self.open.take() else { return Vec::new() };
        let mut to_file = Vec::new();
        if !open.is_file {
            match String::from_utf8(std::mem::take(&mut open.kept)) {
                Ok(value) => {
                    self.form.fields.push(FormField { name: open.head.name, value, cut: false });
                    return to_file;
                }
                // The form holds text. What is none is kept as it came.
                Err(other) => {
                    open.kept = other.into_bytes();
                    open.begin_file(&mut to_file);
                }
            }
        }
        if open.head.file_name.is_none() {
            let value = String::from_utf8_lossy(&open.kept).into_owned();
            self.form.fields.push(FormField { name: open.head.name.clone(), value, cut: true });
        } else {
            self.held -= open.kept.len();
        }
        self.form.files.push(FormFile {
            field: open.head.name,
            name: open.head.file_name,
            declared: open.head.media_type,
            found: file_type::of(&open.kept[..open.kept.len().min(file_type::HEAD)]).map(str::to_owned),
            size: open.size,
            sha256: hex::encode(open.hash.finalize()),
        });
        to_file
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The form so far.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The form, when everything was taken.
    #[must_use]
    pub fn finish(self) -> Form {
        self.form
    }
}

#[cfg(test)]
mod tests {
    use super::super::form_decoder::URLENCODED;
    use super::*;

    #[test]
    fn a_form_is_stored_and_read_again() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nH\xc3\xa9llo\r\n\
            --b\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"a.pdf\"\r\nContent-Type: text/html\r\n\r\n%PDF-1.7\r\n--b--";
        let form = Form::decode("multipart/form-data; boundary=b", body).expect("reads");
        assert_eq!(form.last("subject"), Some("Héllo"));
        let file = &form.files[0];
        assert_eq!((file.name.as_deref(), file.size), (Some("a.pdf"), 8));
        assert_eq!((file.declared.as_deref(), file.found.as_deref()), (Some("text/html"), Some("application/pdf")));
        assert_eq!(file.sha256, hex::encode(Sha256::digest(b"%PDF-1.7")));
        assert!(!form.to_bytes(&["subject"]).windows(7).any(|bytes| bytes == b"subject"));
        assert_eq!(serde_json::from_slice::<Form>(&form.to_bytes(&[])).expect("reads"), form);
    }

    #[test]
    fn the_last_of_equal_fields_counts() {
        let form = Form::decode(URLENCODED, b"token=a&x=1&token=b").expect("reads");
        assert_eq!(form.last("token"), Some("b"));
        assert_eq!(form.fields.len(), 3);
        assert_eq!(form.last("nothing"), None);
    }

    #[test]
    fn long_fields_and_what_is_no_text_become_files_with_their_beginning_kept() {
        let text = "a".repeat(FIELD_KEPT + 1);
        let form = Form::decode(URLENCODED, format!("long={text}&short=%ff&ok=1").as_bytes()).expect("reads");
        let field = form.field("long").expect("a field");
        assert!(field.cut && field.value.len() == FIELD_KEPT);
        assert!(form.field("short").expect("a field").cut);
        assert!(!form.field("ok").expect("a field").cut);
        let files: Vec<(&str, u64)> = form.files.iter().map(|file| (file.field.as_str(), file.size)).collect();
        assert_eq!(files, [("long", FIELD_KEPT as u64 + 1), ("short", 1)]);
        let hashes: Vec<&str> = form.files.iter().map(|file| file.sha256.as_str()).collect();
        assert_eq!(hashes, [hex::encode(Sha256::digest(&text)), hex::encode(Sha256::digest(b"\xff"))]);
    }

    #[test]
    fn many_long_fields_do_not_fill_the_memory_and_no_byte_is_lost() {
        let mut builder = FormBuilder::default();
        let mut written: Vec<Vec<u8>> = Vec::new();
        let mut decoder = FormDecoder::new(URLENCODED).expect("a form");
        let value = "b".repeat(200_000);
        for n in 0..40 {
            decoder.feed(format!("f{n}={value}&").as_bytes());
            while let Some(piece) = decoder.piece().expect("reads") {
                let ends = piece == Piece::End;
                if matches!(piece, Piece::Begin(_)) {
                    written.push(Vec::new());
                }
                for bytes in builder.take(piece) {
                    written.last_mut().expect("a part").extend_from_slice(&bytes);
                }
                assert!(builder.held() <= FIELDS_KEPT + 40 * FIELD_SURE);
                if ends && builder.form().fields.last().expect("a field").cut {
                    assert_eq!(written.last().expect("a part").len(), 200_000);
                }
            }
        }
        let form = builder.finish();
        assert_eq!(form.fields.len(), 40);
        assert_eq!(form.fields.iter().filter(|field| field.cut).count(), 35);
        assert!(form.fields.iter().all(|field| field.value.len() >= FIELD_SURE));
    }

    #[test]
    fn short_fields_are_whole_before_and_after_any_number_of_long_ones() {
        let long = "l".repeat(300_000);
        let longs = format!("long={long}&").repeat(6);
        let short = format!("token={}&", "t".repeat(FIELD_SURE));
        for body in [format!("{longs}{short}"), format!("{short}{longs}")] {
            let form = Form::decode(URLENCODED, body.as_bytes()).expect("reads");
            let token = form.field("token").expect("a field");
            assert_eq!((token.value.len(), token.cut), (FIELD_SURE, false));
            assert!(form.fields.iter().map(|field| field.value.len()).sum::<usize>() <= FIELDS_KEPT + 7 * FIELD_SURE);
        }
    }
}
