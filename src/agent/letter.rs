//! A letter: a hello and one question, for the layers that have no connection. And its answers, as far as they matter.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tokio::sync::mpsc;

use crate::protocol::{AGENT_FRAME_MAX, FromAgent, Journal, ToAgent};

use super::{Desk, Session};

/// Base64 without `+` and `/`; no shell takes any of it for something else. `=` at the end may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Answers that wait for whoever reads them.
const ANSWERS: usize = 64;
/// An order is on its way to its runner after this; whoever wants to know more asks again.
const HANDED_OVER: Duration = Duration::from_secs(10);
/// Letters and digits of a mark.
const MARK_LEN: usize = 16;

/// What cannot be taken for a letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLetter(String);

/// A hello and a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    hello: ToAgent,
    question: ToAgent,
}

/// A letter with the word that marks its answers among what else is printed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedLetter {
    /// The letter.
    pub letter: Letter,
    /// The word.
    pub mark: String,
}

impl Letter {
    /// Reads the JSON array `[hello, question]`.
    ///
    /// # Errors
    /// When it is longer than a frame or anything else.
    pub fn parse(json: &[u8]) -> Result<Self, BadLetter> {
        if json.len() > AGENT_FRAME_MAX {
            return Err(BadLetter(format!("a letter has at most {AGENT_FRAME_MAX} bytes")));
        }
        let (hello, question): (ToAgent, ToAgent) =
            serde_json::from_slice(json).map_err(|error| BadLetter(format!("it is not [hello, question]: {error}")))?;
        match (&hello, &question) {
            (ToAgent::Hello { .. }, ToAgent::Hello { .. }) => Err(BadLetter("it asks nothing".into())),
            (ToAgent::Hello { .. }, _) => Ok(Self { hello, question }),
            _ => Err(BadLetter("it does not begin with a hello".into())),
        }
    }

    /// Reads it from base64url.
    ///
    /// # Errors
    /// When it is not base64url, or as [`Letter::parse`].
    pub fn decode(text: &str) -> Result<Self, BadLetter> {
        let json = BASE64.decode(text).map_err(|error| BadLetter(format!("it is not base64url: {error}")))?;
        Self::parse(&json)
    }

    /// Asks `desk`, and gives each answer to `answered`. An order is answered when it is in the hands of a runner,
    /// which goes on by itself; a question that follows a job, when that is over.
    pub async fn answer(self, desk: &Desk, mut answered: impl FnMut(&FromAgent)) {
        let mut session = Session::letter();
        let (sender, mut answers) = mpsc::channel(ANSWERS);
        desk.serve(&mut session, self.hello, &sender).await;
        let Ok(answer) = answers.try_recv() else { return };
        answered(&answer);
        if !matches!(answer, FromAgent::Welcome { .. }) {
            return;
        }
        let asked = Kind::of(&self.question);
        desk.serve(&mut session, self.question, &sender).await;
        // From here on the answers end when nobody is left to give one.
        drop(sender);
        let until = tokio::time::Instant::now() + HANDED_OVER;
        loop {
            let next = match asked {
                Kind::Order => tokio::time::timeout_at(until, answers.recv()).await.ok().flatten(),
                Kind::ToTheEnd | Kind::Once => answers.recv().await,
            };
            let Some(answer) = next else { return };
            answered(&answer);
            if asked.ends_with(&answer) {
                return;
            }
        }
    }
}

/// How many answers a question has.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Order,
    ToTheEnd,
    Once,
}

impl Kind {
    fn of(question: &ToAgent) -> Self {
        match question {
            ToAgent::Run(_) => Self::Order,
            ToAgent::Query { follow: true, .. } | ToAgent::Cancel { .. } => Self::ToTheEnd,
            _ => Self::Once,
        }
    }

    fn ends_with(self, answer: &FromAgent) -> bool {
        match (self, answer) {
            (Self::Once, _) => true,
            (Self::Order, FromAgent::State { journal, .. }) => *journal != Journal::Accepted,
            (Self::ToTheEnd, FromAgent::State { journal, .. }) => {
                !matches!(journal, Journal::Accepted | Journal::Started { .. })
            }
            (_, FromAgent::Received { .. } | FromAgent::Output { .. }) => false,
            _ => true,
        }
    }
}

/// Whether `mark` is a word that a shell, a terminal and base64 leave alone.
#[must_use]
pub fn is_mark(mark: &str) -> bool {
    mark.len() == MARK_LEN && mark.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

impl MarkedLetter {
    /// Reads what a client of ssh asked for, where a key is bound to this agent: a program, `agent exec`, and the options
    /// `--id`, `--b64` and `--mark`. No shell sees it; only the letter and the mark are used.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_ssh(command: &str) -> Result<Self, BadLetter> {
        let bad =
            || BadLetter("only `agent exec --id ID --b64 LETTER --mark WORD` can be asked for with this key".into());
        let mut words = command.split(' ').skip_while(|word| *word != "agent").skip(1);
        if words.next() != Some("exec") {
            return Err(bad());
        }
        let (mut id, mut letter, mut mark) = (None, None, None);
        while let Some(option) = words.next() {
            let value = words.next().ok_or_else(bad)?;
            let place = match option {
                "--id" => &mut id,
                "--b64" => &mut letter,
                "--mark" => &mut mark,
                _ => return Err(bad()),
            };
            if place.replace(value).is_some() {
                return Err(bad());
            }
        }
        let (Some(letter), Some(mark)) = (letter, mark.filter(|mark| is_mark(mark))) else { return Err(bad()) };
        Ok(Self { letter: Letter::decode(letter)?, mark: mark.to_owned() })
    }

    /// The line for `answer`.
    #[must_use]
    pub fn line(mark: &str, answer: &FromAgent) -> String {
        let json = serde_json::to_vec(answer).unwrap_or_default();
        format!("{mark} {}", BASE64.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HELLO: &str =
        r#"{"hello":{"version":1,"engine":"eng_00000000000000000000000000000001","epoch":1,"host":"a"}}"#;

    fn letter(question: &str) -> String {
        BASE64.encode(format!("[{HELLO},{question}]"))
    }

    #[test]
    fn a_letter_is_a_hello_and_a_question() {
        let probe = r#"{"probe":{"nonce":1}}"#;
        let read = Letter::decode(&letter(probe)).expect("a letter");
        assert_eq!(read.question, ToAgent::Probe { nonce: 1 });
        assert_eq!(
            Letter::decode(&format!("{}==", letter(probe).trim_end_matches('='))).is_ok(),
            letter(probe).len() % 4 == 2
        );
        for bad in [
            letter(HELLO),
            BASE64.encode(format!("[{probe},{probe}]")),
            BASE64.encode(format!("[{HELLO}]")),
            BASE64.encode(format!("[{HELLO},{probe},{probe}]")),
            BASE64.encode(HELLO.repeat(20_000)),
            BASE64.encode("[".repeat(100_000)),
            "+/+/".to_owned(),
            String::new(),
        ] {
            assert!(Letter::decode(&bad).is_err(), "{bad:.80}");
        }
    }

    #[test]
    fn what_ssh_was_asked_for_is_read_without_a_shell() {
        let letter = letter(r#"{"probe":{"nonce":1}}"#);
        let (id, mark) = ("0".repeat(32), "abcdefgh01234567");
        let good = format!("/usr/local/bin/aurora agent exec --id {id} --b64 {letter} --mark {mark}");
        assert_eq!(MarkedLetter::from_ssh(&good).expect("a letter").mark, mark);
        for bad in [
            String::new(),
            "bash".to_owned(),
            "aurora agent stdio".to_owned(),
            format!("aurora agent exec --b64 {letter}"),
            format!("aurora agent exec --b64 {letter} --mark $(id)"),
            format!("aurora agent exec --b64 {letter} --mark {mark};id"),
            format!("aurora agent exec --b64 {letter};id --mark {mark}"),
            format!("{good} --config /tmp/own.toml"),
            format!("{good} --mark {mark}"),
            format!("{good}\nid"),
            format!("{good} "),
            good.replace(" --mark ", "\t--mark\t"),
        ] {
            assert!(MarkedLetter::from_ssh(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_ssh_was_asked_for_is_a_letter_or_an_error(
            before in ".{0,40}",
            option in "(--id|--b64|--mark|--|-c|;|\\$\\(id\\)|`id`|&&)?",
            value in "[ -~]{0,60}",
            mark in "[a-z0-9]{15,17}",
        ) {
            let probe = letter(r#"{"probe":{"nonce":1}}"#);
            let command = format!("{before} agent exec --b64 {probe} --mark {mark} {option} {value}");
            if let Ok(read) = MarkedLetter::from_ssh(&command) {
                prop_assert!(is_mark(&read.mark));
                prop_assert_eq!(read.letter.question, ToAgent::Probe { nonce: 1 });
            }
            // Text that nobody shaped must not come through at all.
            let unshaped = format!("{before}{value}");
            prop_assert!(MarkedLetter::from_ssh(&unshaped).is_err());
        }

        #[test]
        fn a_line_holds_nothing_but_its_mark_and_base64(reason in "\\PC*[\\x00-\\x1f]*") {
            let line = MarkedLetter::line("abcdefgh01234567", &FromAgent::Trouble { id: None, reason });
            prop_assert!(line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_".contains(&byte)));
        }
    }
}
