//! A figure and the noun it counts, as people write them.

use std::fmt::Display;

/// `1 host`, `2 hosts`, `0 entries`: a noun that is made plural as most are.
#[must_use]
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        return format!("{count} {noun}");
    }
    let ends_in_vowel_y = noun.ends_with("ay") || noun.ends_with("ey");
    match noun.strip_suffix('y').filter(|_| !ends_in_vowel_y) {
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_everything_else_is_not() {
        let shown = [counted(0_u64, "host"), counted(1_usize, "host"), counted(2_u32, "host")];
        assert_eq!(shown, ["0 hosts", "1 host", "2 hosts"]);
        let shown = [counted(1_u64, "entry"), counted(3_u64, "entry"), counted(2_u64, "try"), counted(2_u64, "key")];
        assert_eq!(shown, ["1 entry", "3 entries", "2 tries", "2 keys"]);
    }
}
