//! Whether a raw mail may be taken apart: the parser goes as deep as a mail is nested, on a stack that ends.

use memchr::memchr_iter;

/// Parts that hold others, in one mail. Real mails have a handful.
const MAX_CONTAINERS: usize = 64;
/// Longest comment inside a media type that is looked through; what is longer is taken for a hostile one.
const MAX_COMMENT: usize = 1_000;
/// What stands for such a comment and all after it.
const OVERLONG: &[u8] = b"/digest";
/// The types of parts that hold others.
const CONTAINERS: [&[u8]; 2] = [b"message", b"multipart"];
/// The encodings that are none, which is all that a part that holds others may have (RFC 2046, 5.2.1 and 5.1).
const IDENTITIES: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];

/// Whether the parts of `raw` are few enough, and all of them to be seen before they are decoded.
///
/// It may say no of a mail that does no harm, never yes of one whose depth could end the process.
pub(super) fn is_shallow(raw: &[u8]) -> bool {
    let raw = raw.to_ascii_lowercase();
    let mut containers = 0;
    for block in blocks(&raw) {
        let before = containers;
        for name in CONTAINERS {
            for at in memchr::memmem::find_iter(block, name) {
                let Some(subtype) = subtype(&block[at + name.len()..]) else { continue };
                containers += 1;
                // The parts of a digest are mails without saying so.
                if containers > MAX_CONTAINERS || [&b"digest"[..], OVERLONG].iter().any(|bad| subtype.starts_with(bad))
                {
                    return false;
                }
            }
        }
        if containers > before && is_encoded(block) {
            return false;
        }
    }
    true
}

/// What is between empty lines: the headers of a part are never in two of them.
fn blocks(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_empty = |at: &usize| matches!(raw[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]);
    let ends = memchr_iter(b'\n', raw).filter(is_empty).chain([raw.len()]);
    ends.scan(0, |start, end| Some(&raw[std::mem::replace(start, end)..end]))
}

/// The subtype, when `rest` goes on as a media type does, with white space and comments wherever they are allowed.
fn subtype(rest: &[u8]) -> Option<&[u8]> {
    Some(without_comments(without_comments(rest).strip_prefix(b"/")?))
}

fn without_comments(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = rest.trim_ascii_start();
        if !rest.starts_with(b"(") {
            return rest;
        }
        let mut depth = 0;
        let mut is_escaped = false;
        let end = rest.iter().take(MAX_COMMENT).position(|byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        match end {
            Some(end) => rest = &rest[end + 1..],
            None if rest.len() < MAX_COMMENT => return rest,
            None => return OVERLONG,
        }
    }
}

/// Whether one of the headers in `block` says that a part is encoded.
fn is_encoded(block: &[u8]) -> bool {
    // The parser reads the name of a header without the white space in it.
    let block: Vec<u8> = block.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let name = b"content-transfer-encoding:";
    memchr::memmem::find_iter(&block, name).any(|at| {
        let value = &block[at + name.len()..];
        !IDENTITIES.iter().any(|identity| value.starts_with(identity))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_mails_are_shallow() {
        for mail in [
            "",
            "Subject: the message (long)\n\nhello message/",
            "Content-Type: text/plain; name=\"message.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
            "Content-Type: multipart/mixed; boundary=b\r\nSubject: Weekly digest\r\n\r\n--b\r\n\
             Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
             Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx\r\n--b--",
        ] {
            assert!(is_shallow(mail.as_bytes()), "{mail}");
        }
    }

    #[test]
    fn what_hides_its_depth_is_not() {
        for mail in [
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
            "Content-Trans fer-Encoding : =?utf-8?q?base64?=\nCONTENT-TYPE: Message/Global\n\naGk=",
            "Content-Type: multipart/digest; boundary=b\r\n\r\n",
            "Content-Type: multipart (a (b\\) c)) /\r\n\t() digest\r\n\r\n",
        ] {
            assert!(!is_shallow(mail.as_bytes()), "{mail}");
        }
        for level in [
            "Content-Type: message/rfc822\r\n\r\n",
            "Content-Type:MESSAGE/global\n\n",
            "C ontent-Type: message(x)\r\n /(y) rfc822\r\n\r\n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n",
        ] {
            assert!(is_shallow(level.repeat(MAX_CONTAINERS).as_bytes()), "{level}");
            assert!(!is_shallow(level.repeat(MAX_CONTAINERS + 1).as_bytes()), "{level}");
        }
        assert!(!is_shallow(format!("Content-Type: message{}", "(".repeat(5_000)).as_bytes()));
    }
}
