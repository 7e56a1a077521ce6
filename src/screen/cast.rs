//! A recording of a pane as asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a line for its head, then one for each
//! event. Whatever was written up to the end of a line is a whole recording.
//!
//! What is typed is never in it, only what the pane shows of it; secrets are taken out by [`Redactor`].

use jiff::Timestamp;
use serde_json::json;

use super::hide::KnownSecrets;
use super::redact::Redactor;
use super::text::json as harmless;
use crate::model::PaneSeed;

/// Writes one recording, line by line. Each line that is handed out ends with its line break.
#[derive(Debug)]
pub struct Cast {
    redactor: Redactor,
    started: Timestamp,
    /// The time of the last event, in microseconds: times never go back.
    last: i64,
    size: (u16, u16),
}

impl Cast {
    /// Begins a recording of a pane that shows `seed`, with its head and its screen.
    #[must_use]
    pub fn begin(seed: &PaneSeed, title: &str, known: KnownSecrets, at: Timestamp) -> (Self, String) {
        let size = (seed.cols, seed.rows);
        let head = json!({
            "version": 2,
            "width": seed.cols,
            "height": seed.rows,
            "timestamp": at.as_second(),
            "title": title,
            "env": { "TERM": "tmux-256color" },
        });
        let mut cast = Self { redactor: Redactor::new(known), started: at, last: 0, size };
        let mut lines = format!("{}\n", harmless(&head.to_string()));
        lines.push_str(&cast.output(&seed.bytes, at));
        (cast, lines)
    }

    /// What the pane printed. It may hand out no line yet, or more than was printed just now.
    pub fn output(&mut self, bytes: &[u8], at: Timestamp) -> String {
        let text = self.redactor.push(bytes);
        self.event("o", &text, at)
    }

    /// A whole screen in place of what was lost. A mark says how much that was.
    pub fn seed(&mut self, seed: &PaneSeed, at: Timestamp) -> String {
        let rest = self.redactor.finish();
        let mut lines = self.event("o", &rest, at);
        if seed.missed > 0 {
            lines.push_str(&self.event("m", &format!("{} bytes were not seen", seed.missed), at));
        }
        if seed.too_fast {
            lines.push_str(&self.event("m", "it was too fast to follow", at));
        }
        if self.size != (seed.cols, seed.rows) {
            self.size = (seed.cols, seed.rows);
            lines.push_str(&self.event("r", &format!("{}x{}", seed.cols, seed.rows), at));
        }
        // The screen is reset first, whatever it was in the middle of.
        lines.push_str(&self.output(&[b"\x18\x1bc", &seed.bytes[..]].concat(), at));
        lines
    }

    /// The end: what was kept back because it may have become a secret.
    pub fn finish(&mut self, at: Timestamp) -> String {
        let rest = self.redactor.finish();
        self.event("o", &rest, at)
    }

    fn event(&mut self, kind: &str, text: &str, at: Timestamp) -> String {
        if text.is_empty() {
            return String::new();
        }
        self.last = self.last.max(at.as_microsecond() - self.started.as_microsecond());
        let time = format!("{}.{:06}", self.last / 1_000_000, self.last % 1_000_000);
        format!("[{time}, {}, {}]\n", json!(kind), harmless(&json!(text).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::model::PaneId;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + milliseconds).expect("in range")
    }

    fn seed(columns: u16, missed: u64, text: &str) -> PaneSeed {
        let pane = PaneId { server: 7, number: 3 };
        PaneSeed { pane, offset: 0, missed, too_fast: false, cols: columns, rows: 24, history: 0, bytes: text.into() }
    }

    fn events(lines: &str) -> Vec<Value> {
        assert!(lines.is_empty() || lines.ends_with('\n'));
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn a_recording_is_what_players_read() {
        let (mut cast, mut lines) =
            Cast::begin(&seed(80, 0, "$ "), "web-1:0.1", KnownSecrets::new(["correct-horse".to_owned()]), at(0));
        lines.push_str(&cast.output(b"ls correct-", at(1_500)));
        lines.push_str(&cast.output(b"horse \xe2\x82", at(1_400)));
        lines.push_str(&cast.output(b"\xac\x1b]0;title\x07\xff", at(2_000)));
        lines.push_str(&cast.seed(&seed(100, 12, "new"), at(3_000)));
        lines.push_str(&cast.output(b" correct", at(4_000)));
        lines.push_str(&cast.finish(at(5_000)));
        let events = events(&lines);
        assert_eq!(
            (&events[0]["version"], &events[0]["width"], &events[0]["timestamp"]),
            (&json!(2), &json!(80), &json!(1_700_000_000))
        );
        assert_eq!(
            events[1..],
            [
                json!([0.0, "o", "$ "]),
                json!([1.5, "o", "ls "]),
                json!([1.5, "o", "[redacted] "]),
                json!([2.0, "o", "€\u{fffd}"]),
                json!([3.0, "m", "12 bytes were not seen"]),
                json!([3.0, "r", "100x24"]),
                json!([3.0, "o", "\x1bcnew"]),
                json!([4.0, "o", " "]),
                json!([5.0, "o", "[redacted]"]),
            ]
        );
    }

    proptest! {
        #[test]
        fn every_line_is_whole_and_no_secret_is_in_any(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..10), cut in 1usize..12) {
            let (mut cast, mut lines) = Cast::begin(&seed(80, 0, ""), "a\u{202e}b", KnownSecrets::new(["canary-secret".to_owned()]), at(0));
            let (one, two) = "canary-secret".split_at(cut);
            for (number, piece) in pieces.iter().enumerate() {
                let now = at(i64::try_from(number).expect("small"));
                lines.push_str(&cast.output(piece, now));
                lines.push_str(&cast.output(b"\x18\n", now));
                lines.push_str(&cast.output(one.as_bytes(), now));
                lines.push_str(&cast.output(two.as_bytes(), now));
            }
            lines.push_str(&cast.finish(at(99)));
            for event in &events(&lines)[1..] {
                prop_assert!(event[0].is_number() && event[1] == "o", "{}", event);
            }
            prop_assert!(!lines.contains("canary-secret"), "{}", lines);
            prop_assert!(lines.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
