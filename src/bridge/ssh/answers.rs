//! The lines in which a one-shot agent answers: `MARK base64url(JSON)`. Everything else is noise. Pure.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::protocol::{AGENT_FRAME_MAX, FromAgent, ToAgent};

/// Longest line: a frame as base64, and the mark before it.
const LINE_MAX: usize = AGENT_FRAME_MAX / 3 * 4 + 256;
/// Most noise on one connection, in bytes.
const NOISE_MAX: usize = 256 * 1024;
/// Longest letter, in bytes of base64. The whole line is one argument of the host's shell, which Linux limits to 128 KiB.
const LETTER_MAX: usize = 96 * 1024;
/// Of what a parser says about an answer, this many characters are repeated.
const QUOTED_MAX: usize = 200;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A question for a layer without connections: who asks, and what, as base64url.
///
/// # Errors
/// When it is longer than a line for a shell may be.
pub(in crate::bridge) fn letter(hello: &ToAgent, question: &ToAgent) -> Result<String, String> {
    let json = serde_json::to_vec(&[hello, question]).map_err(|error| format!("encode: {error}"))?;
    let text = BASE64.encode(json);
    if text.len() > LETTER_MAX {
        return Err(format!("encode: it is {} bytes long, and a line for a shell holds {LETTER_MAX}", text.len()));
    }
    Ok(text)
}

/// Takes answers out of what the far side prints.
#[derive(Debug)]
pub(in crate::bridge) struct Answers {
    mark: Vec<u8>,
    line: Vec<u8>,
    noise: usize,
}

impl Answers {
    pub(in crate::bridge) fn new(mark: &str) -> Self {
        Self { mark: format!("{mark} ").into_bytes(), line: Vec::new(), noise: 0 }
    }

    /// Takes in what came; answers what is whole.
    ///
    /// # Errors
    /// When a line is too long, an answer is none, or there is too much noise. Nothing more is to be read then.
    pub(in crate::bridge) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<FromAgent>, String> {
        let mut answers = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > LINE_MAX {
                return Err(format!("an answer is longer than {LINE_MAX} bytes"));
            }
            if !piece.ends_with(b"\n") {
                // Noise without an end is not kept until it is long.
                let is_mark = self.line.iter().zip(&self.mark).all(|(found, wanted)| found == wanted);
                if !is_mark && self.line.len() > NOISE_MAX {
                    return Err(too_much());
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match line.trim_ascii_end().strip_prefix(self.mark.as_slice()) {
                Some(text) => answers.push(answer(text)?),
                None => self.noise += line.len(),
            }
            if self.noise > NOISE_MAX {
                return Err(too_much());
            }
        }
        Ok(answers)
    }
}

fn too_much() -> String {
    format!("{NOISE_MAX} bytes came that are no answer; does a file of the host's shell print them?")
}

fn answer(text: &[u8]) -> Result<FromAgent, String> {
    let json = BASE64.decode(text).map_err(|error| format!("an answer is no base64url: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| {
        let quoted: String = error.to_string().chars().take(QUOTED_MAX).collect();
        format!("an answer is no message: {quoted}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "0123456789abcdef";

    fn line(json: &str) -> String {
        format!("{WORD} {}\n", BASE64.encode(json))
    }

    #[test]
    fn answers_are_found_among_noise_in_whatever_pieces_they_come() {
        let trouble = r#"{"trouble":{"id":null,"reason":"full"}}"#;
        let stream = format!(
            "Welcome\r\n+ aurora agent exec --mark {WORD}\n\n{}{WORD}\nno end of line\n {}{}",
            line(trouble),
            line(trouble),
            line(trouble).replace('\n', "\r\n"),
        );
        for size in [1, 3, 100, 5_000] {
            let mut answers = Answers::new(WORD);
            let found: usize =
                stream.as_bytes().chunks(size).map(|piece| answers.feed(piece).expect("little noise").len()).sum();
            assert_eq!(found, 2, "the one that is indented is noise");
        }
    }

    #[test]
    fn what_a_hostile_host_prints_is_bounded_and_refused_in_words() {
        let refused = |stream: &[u8]| {
            let mut answers = Answers::new(WORD);
            stream.chunks(1 << 16).find_map(|piece| answers.feed(piece).err())
        };
        let cases: [(Vec<u8>, &str); 8] = [
            (vec![b'y'; 4 << 20], "no answer"),
            (b"y\n".repeat(1 << 20), "no answer"),
            ([WORD.as_bytes(), b" ", &vec![b'A'; 2 << 20]].concat(), "longer than"),
            (format!("{WORD} ***\n").into_bytes(), "base64url"),
            (line("{}").into_bytes(), "no message"),
            (line(r#"{"alive":{"nonce":1}}"#).into_bytes(), "no message"),
            (line(&"[".repeat(100_000)).into_bytes(), "no message"),
            (line(&format!(r#"{{"{}":1}}"#, "x".repeat(100_000))).into_bytes(), "no message"),
        ];
        for (stream, words) in cases {
            let refusal = refused(&stream).expect(words);
            assert!(refusal.contains(words) && refusal.len() < 300, "{words}: {refusal}");
        }
    }

    #[test]
    fn a_letter_is_words_for_a_shell_and_not_too_long() {
        let hello = ToAgent::Probe { nonce: 0 };
        let text = letter(&hello, &ToAgent::Probe { nonce: u64::MAX }).expect("short");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
    }
}
