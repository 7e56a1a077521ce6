//! Repeats: messages of one conversation that say the same again.
//!
//! Nothing is counted as messages arrive, so nothing can get out of step: whoever shows a conversation counts along an
//! index, to a limit. Nothing is joined across conversations, so the first occurrence always has a row of its own.

use sha2::{Digest, Sha256};

use crate::model::Parsed;

/// What equal messages of a channel have in common: type, sender and subject, numbers ignored. Where nobody is known to
/// have sent it, the text counts, too: two strangers do not repeat each other.
pub(super) fn key(kind: &str, parsed: &Parsed) -> i64 {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update([0]);
    match &parsed.from {
        Some(person) => hash.update(&person.address),
        None => hash.update(without_numbers(&parsed.text)),
    }
    hash.update([0]);
    hash.update(without_numbers(&parsed.subject));
    let hash = hash.finalize();
    i64::from_be_bytes(std::array::from_fn(|index| hash[index]))
}

/// The text with `#` for every run of digits.
fn without_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_numeric() {
            masked.push(c);
        } else if !masked.ends_with('#') {
            masked.push('#');
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use crate::model::Person;

    use super::*;

    #[test]
    fn numbers_make_no_difference_and_everything_else_does() {
        let parsed = |from: &str, subject: &str, text: &str| Parsed {
            from: (!from.is_empty()).then(|| Person { address: from.to_owned(), name: String::new() }),
            subject: subject.to_owned(),
            text: text.to_owned(),
            ..Parsed::default()
        };
        let disk = key("alert", &parsed("web-1", "Disk 97 % full", "a"));
        assert_eq!(disk, key("alert", &parsed("web-1", "Disk 100 % full", "b")));
        assert_ne!(disk, key("alert", &parsed("web-2", "Disk 97 % full", "a")), "another sender");
        assert_ne!(disk, key("clear", &parsed("web-1", "Disk 97 % full", "a")), "another type");
        assert_ne!(disk, key("alert", &parsed("web-1", "Disk 97 % free", "a")), "another subject");
        let form = |text| key("form", &parsed("", "Contact", text));
        assert_eq!(form("call me at 5"), form("call me at 17"));
        assert_ne!(form("call me"), form("write to me"), "two strangers");
    }
}
