//! Marks: what the far side prints that is meant for us, among whatever its shell's files print.

/// Length of a mark.
const MARK_LEN: usize = 16;

/// A new mark: 16 of `a-z 0-9`, from the operating system's randomness.
pub(in crate::bridge) fn mark() -> String {
    const DIGITS: [u8; 36] = *b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..MARK_LEN).map(|_| char::from(DIGITS[rand::random_range(0..DIGITS.len())])).collect()
}

/// Looks for the line `aurora MARK`, at whose end the frames begin. In the line that was asked for these two words are
/// not the last, so a shell that prints what it runs is not taken for the agent.
#[derive(Debug)]
pub(in crate::bridge) struct Marked {
    wanted: Vec<u8>,
    held: Vec<u8>,
    skipped: usize,
}

/// Most noise before the mark, in bytes.
const NOISE_MAX: usize = 256 * 1024;

impl Marked {
    pub(in crate::bridge) fn new(mark: &str) -> Self {
        Self { wanted: format!("aurora {mark}\n").into_bytes(), held: Vec::new(), skipped: 0 }
    }

    /// Takes in what came; answers what followed the mark, once it has come.
    ///
    /// # Errors
    /// When there is too much noise, with the last line of it.
    pub(in crate::bridge) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.held.extend_from_slice(bytes);
        if let Some(at) = self.held.windows(self.wanted.len()).position(|window| window == self.wanted) {
            return Ok(Some(self.held.split_off(at + self.wanted.len())));
        }
        let keep = self.held.len().min(self.wanted.len() - 1).max(self.held.len().min(200));
        self.skipped += self.held.drain(..self.held.len() - keep).len();
        if self.skipped > NOISE_MAX {
            return Err(format!(
                "{NOISE_MAX} bytes came, and none of them from an agent; the last were {}",
                self.last()
            ));
        }
        Ok(None)
    }

    /// The last line of noise, quoted.
    pub(in crate::bridge) fn last(&self) -> String {
        let text = String::from_utf8_lossy(&self.held);
        let line = text.trim_end().lines().last().unwrap_or_default();
        format!("{:?}", line.chars().take(120).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_skipped_in_whatever_pieces_it_comes() {
        let word = mark();
        assert_eq!(word.len(), MARK_LEN);
        let stream =
            format!("Welcome!\n+ echo aurora {word} && exec aurora agent stdio\nno newlineaurora {word}\nframes");
        for size in [1, 2, 7, 64, 4096] {
            let mut marked = Marked::new(&word);
            let mut rest = None;
            let mut fed = 0;
            for piece in stream.as_bytes().chunks(size) {
                fed += piece.len();
                rest = marked.feed(piece).expect("little noise");
                if rest.is_some() {
                    break;
                }
            }
            let rest = [rest.expect("found").as_slice(), &stream.as_bytes()[fed..]].concat();
            assert_eq!(rest, b"frames", "{size}");
        }
    }

    #[test]
    fn endless_noise_ends() {
        let mut marked = Marked::new("0123456789abcdef");
        let refusal = (0..1_000).find_map(|_| marked.feed(&[b'y'; 1024]).err()).expect("an end");
        assert!(refusal.contains("none of them from an agent") && refusal.len() < 300, "{refusal}");
    }
}
