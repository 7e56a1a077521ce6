//! Keys by their names, as a terminal sends them.

/// The bytes of a key, named as tmux names it.
pub(super) fn bytes(name: &str) -> Option<Vec<u8>> {
    if let Some(letter) = name.strip_prefix("C-") {
        return match letter.as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => Some(vec![letter.to_ascii_lowercase() & 0x1f]),
            _ => None,
        };
    }
    let bytes: &[u8] = match name {
        "Enter" => b"\r",
        "Tab" => b"\t",
        "Escape" => b"\x1b",
        "Space" => b" ",
        "BSpace" => b"\x7f",
        "Up" => b"\x1b[A",
        "Down" => b"\x1b[B",
        "Right" => b"\x1b[C",
        "Left" => b"\x1b[D",
        _ => return None,
    };
    Some(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_a_terminal_sends_and_nothing_else_is_one() {
        assert_eq!(bytes("C-c").expect("a key"), [3]);
        assert_eq!(bytes("C-Z").expect("a key"), [26]);
        assert_eq!(bytes("Up").expect("a key"), b"\x1b[A");
        for none in ["", "c", "C-", "C-cc", "C-1", "C-é", "enter", "0x41", "F1"] {
            assert!(bytes(none).is_none(), "{none}");
        }
    }
}
