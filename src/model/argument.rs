//! The typed arguments of commands: what a value may be, and why it is refused.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::{Deserialize, Serialize};

use super::unseen::is_unseen;

/// What an argument may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentKind {
    /// One of these words.
    OneOf(Vec<String>),
    /// A whole number between these two, both included.
    Int(i64, i64),
    /// Text that this regular expression matches from its beginning to its end.
    Pattern(String),
    /// An absolute path at or below this directory, without `..`.
    PathBelow(String),
}

/// What a value is taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A part of a word: nothing in it may lead out of a directory.
    #[default]
    Word,
    /// A line that is typed.
    Line,
    /// Lines that are typed; tabs are let in too.
    Lines,
}

impl Shape {
    /// Whether it is the usual one.
    #[must_use]
    pub fn is_word(&self) -> bool {
        *self == Self::Word
    }
}

/// One argument of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name, as `{name}` in `argv`.
    pub name: String,
    /// What it may be.
    pub kind: ArgumentKind,
    /// What it is when nothing is said.
    pub default: Option<String>,
    /// Longest value, in bytes.
    pub max_len: usize,
    /// What it is taken for.
    #[serde(default, skip_serializing_if = "Shape::is_word")]
    pub shape: Shape,
}

/// Memory one compiled pattern may take, in bytes. `\w{1,64}` takes more; `[a-z0-9]{1,64}` does not.
const PATTERN_SIZE: usize = 1 << 20;
/// Characters of a refused value that a refusal repeats.
const REPEATED: usize = 64;

impl Argument {
    /// Whether `value` may be its value.
    ///
    /// The rules that hold for every kind: not empty, at most `max_len` bytes, no control characters, no invisible ones,
    /// no `..` between slashes.
    ///
    /// # Errors
    /// Why not, in words that are safe to show.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err("an empty value is never taken".to_owned());
        }
        if value.len() > self.max_len {
            return Err(format!("{} bytes are more than its {}", value.len(), self.max_len));
        }
        let is_let_in = |c: char| self.shape == Shape::Lines && matches!(c, '\n' | '\t');
        if let Some(c) = value.chars().find(|c| is_unseen(*c) && !is_let_in(*c)) {
            return Err(format!("{} holds U+{:04X}, which controls or hides", quoted(value), u32::from(c)));
        }
        if self.shape.is_word() && value.split('/').any(|part| part == "..") {
            return Err(format!("{} leads out of its directory by `..`", quoted(value)));
        }
        match (self.shape, &self.kind) {
            // A pattern is about a line, so each of them has to match; empty ones are between paragraphs.
            (Shape::Lines, ArgumentKind::Pattern(_)) if value.contains('\n') => {
                value.split('\n').filter(|line| !line.is_empty()).try_for_each(|line| self.kind.check(line))
            }
            _ => self.kind.check(value),
        }
    }
}

impl ArgumentKind {
    fn check(&self, value: &str) -> Result<(), String> {
        let refused = |why: &str| Err(format!("{} {why}", quoted(value)));
        match self {
            Self::OneOf(words) if words.iter().any(|word| word == value) => Ok(()),
            Self::OneOf(words) => refused(&format!("is not one of {}", words.join(", "))),
            Self::Int(least, most) => match value.parse::<i64>() {
                // One way to write a number, so that no program reads another one: no sign but minus, no zeros before.
                Ok(number) if number.to_string() != value => refused(&format!("is written {number}")),
                Ok(number) if (*least..=*most).contains(&number) => Ok(()),
                _ => refused(&format!("is not a whole number from {least} to {most}")),
            },
            Self::Pattern(pattern) => match compile_pattern(pattern) {
                Ok(whole) if whole.is_match(value) => Ok(()),
                Ok(_) => refused(&format!("does not match {pattern}")),
                Err(error) => Err(error),
            },
            Self::PathBelow(root) if !is_plain_path(value) => {
                refused(&format!("is not a plain path below {root}: absolute, without `.`, `..` and doubled slashes"))
            }
            Self::PathBelow(root)
                if value == root || value.strip_prefix(root).is_some_and(|in_it| in_it.starts_with('/')) =>
            {
                Ok(())
            }
            Self::PathBelow(root) => refused(&format!("is not below {root}")),
        }
    }

    /// Whether it says for itself what may come: words that somebody wrote down, or a number.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::OneOf(_) | Self::Int(..))
    }

    /// Whether a value could begin with `-` without having been written down as such, and so be an option.
    #[must_use]
    pub fn may_look_like_an_option(&self) -> bool {
        match self {
            Self::OneOf(_) | Self::PathBelow(_) => false,
            Self::Int(least, _) => *least < 0,
            Self::Pattern(pattern) => regex_syntax::parse(pattern).map_or(true, |hir| first(&hir).dash),
        }
    }
}

/// Compiles a pattern that has to match a whole value.
///
/// # Errors
/// Why it cannot be compiled, in one line.
pub fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(PATTERN_SIZE).dfa_size_limit(4 * PATTERN_SIZE).build();
    // By itself first: `a)|(?:b` is none, but would be one between the anchors, and match less than a whole value.
    build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z"))).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "this pattern is too big; [a-z0-9] takes less room than \\w".to_owned(),
        error => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("this is not a regular expression: {reason}")
        }
    })
}

/// Whether `path` is absolute and written the one way that needs no reading: `/srv/www`.
#[must_use]
pub fn is_plain_path(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// How what a pattern matches can begin.
struct First {
    /// With a `-`.
    dash: bool,
    /// With whatever comes behind: it can match nothing.
    empty: bool,
}

/// What [`First`] is of a pattern. It may say yes too often, never too seldom.
fn first(hir: &Hir) -> First {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => First { dash: false, empty: true },
        HirKind::Literal(literal) => First { dash: literal.0.first() == Some(&b'-'), empty: literal.0.is_empty() },
        HirKind::Class(Class::Unicode(class)) => {
            First { dash: class.iter().any(|range| (range.start()..=range.end()).contains(&'-')), empty: false }
        }
        HirKind::Class(Class::Bytes(class)) => {
            First { dash: class.iter().any(|range| (range.start()..=range.end()).contains(&b'-')), empty: false }
        }
        HirKind::Repetition(repetition) => {
            let inner = first(&repetition.sub);
            First { dash: inner.dash, empty: inner.empty || repetition.min == 0 }
        }
        HirKind::Capture(capture) => first(&capture.sub),
        HirKind::Concat(parts) => parts.iter().fold(First { dash: false, empty: true }, |before, part| {
            let part = first(part);
            First { dash: before.dash || before.empty && part.dash, empty: before.empty && part.empty }
        }),
        HirKind::Alternation(ways) => ways.iter().map(first).fold(First { dash: false, empty: false }, |all, way| {
            First { dash: all.dash || way.dash, empty: all.empty || way.empty }
        }),
    }
}

/// A value between quotes, with escapes for whatever controls or hides, and cut when it is long.
#[must_use]
pub fn quoted(value: &str) -> String {
    let mut beginning: String = value.chars().take(REPEATED).collect();
    if beginning.len() < value.len() {
        beginning.push('…');
    }
    format!("{beginning:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(kind: ArgumentKind) -> Argument {
        Argument { name: "a".into(), kind, default: None, max_len: 100, shape: Shape::Word }
    }

    fn taken(kind: ArgumentKind, good: &[&str], bad: &[&str]) {
        let argument = argument(kind);
        for value in good {
            assert_eq!(argument.check(value), Ok(()), "{value:?}");
        }
        for value in bad {
            assert!(argument.check(value).is_err(), "{:?} takes {value:?}", argument.kind);
        }
    }

    #[test]
    fn words_are_taken_as_they_are_written_down() {
        taken(
            ArgumentKind::OneOf(vec!["list".into(), "-a".into()]),
            &["list", "-a"],
            &["", "List", "list ", "lis", "a"],
        );
    }

    #[test]
    fn a_number_is_written_one_way() {
        taken(
            ArgumentKind::Int(-5, 100),
            &["0", "100", "-5"],
            &["", "+1", "01", "-0", "1.0", " 1", "1 ", "101", "-6", "0x10", "1e1", "١", "9223372036854775808"],
        );
        taken(
            ArgumentKind::Int(i64::MIN, i64::MAX),
            &["-9223372036854775808", "9223372036854775807"],
            &["9223372036854775808"],
        );
    }

    #[test]
    fn a_pattern_matches_all_of_a_value() {
        taken(ArgumentKind::Pattern("a|ab".into()), &["a", "ab"], &["", "abc", "xa", "a\nb", "a\n"]);
        taken(ArgumentKind::Pattern("^(?i)abc$".into()), &["ABC"], &["abcd"]);
        taken(ArgumentKind::Pattern("(?m)^a$".into()), &["a"], &["a\na", "b\na"]);
        for escape in ["a)|(?:b", "(?x) a # ", "a(", "[", r"\p{Nope}", "(a{1000}){1000}"] {
            assert!(compile_pattern(escape).is_err(), "{escape}");
        }
    }

    #[test]
    fn a_path_stays_below() {
        let below = ArgumentKind::PathBelow("/srv/www".into());
        let bad = [
            "",
            "/",
            "/srv",
            "/srv/wwwx",
            "/srv/www/..",
            "/srv/www/../x",
            "/srv/www/./x",
            "/srv//www",
            "/srv/www/",
            "srv/www",
            "/etc/passwd",
            "~/x",
            "/srv/www/a\0b",
            "/srv/www/\n",
            "/srv/www/a\u{202e}b",
        ];
        taken(below, &["/srv/www", "/srv/www/a b", "/srv/www/..a", "/srv/www/a/-rf"], &bad);
    }

    #[test]
    fn nothing_that_controls_or_hides_gets_into_any_value() {
        let any = argument(ArgumentKind::Pattern("(?s).*".into()));
        for c in [
            '\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{9b}', '\u{ad}', '\u{200b}', '\u{202e}', '\u{2028}',
            '\u{feff}',
        ] {
            let refusal = any.check(&format!("a{c}b")).expect_err("refused");
            assert!(refusal.chars().all(|c| !is_unseen(c)), "{refusal:?}");
        }
        assert!(any.check("../a").is_err() && any.check("a/..").is_err() && any.check("a..b").is_ok());
        assert!(any.check(&"x".repeat(101)).is_err());
        assert_eq!(any.check("$(id) `id` ;|&<>\\'\" *?[]~ äöü 漢字 👍"), Ok(()));
    }

    #[test]
    fn what_is_typed_may_speak_of_directories_and_only_lines_have_ends() {
        let text = |shape| Argument { shape, ..argument(ArgumentKind::Pattern(".+".into())) };
        for shape in [Shape::Line, Shape::Lines] {
            assert_eq!(text(shape).check("look into ../src/.. please"), Ok(()));
            for bad in ["a\x1b[201~b", "a\rb", "a\u{202e}b", "\u{9b}", "\0"] {
                assert!(text(shape).check(bad).is_err(), "{bad:?}");
            }
        }
        assert!(text(Shape::Line).check("one\ntwo").is_err());
        assert_eq!(text(Shape::Lines).check("one\n\n\ttwo"), Ok(()));
        let words = Argument { shape: Shape::Lines, ..argument(ArgumentKind::Pattern("[a-z]+".into())) };
        assert!(words.check("one\ntwo").is_ok() && words.check("one\nTwo").is_err());
    }

    #[test]
    fn a_pattern_that_lets_an_option_in_is_known() {
        let may = |pattern: &str| ArgumentKind::Pattern(pattern.into()).may_look_like_an_option();
        for pattern in [".*", "-x", "a*-", "(a|-)b", "[ -/]x", "\\W.", "()-", "^-", "(?:a?b?)-?", "\\b-", "[^a]"] {
            assert!(may(pattern), "{pattern}");
        }
        for pattern in ["a-", "[a-z0-9][a-z0-9-]*", "\\w+", "(a|b)-", "[[:alnum:]].*", "^a"] {
            assert!(!may(pattern), "{pattern}");
        }
        assert!(
            ArgumentKind::Int(-1, 1).may_look_like_an_option() && !ArgumentKind::Int(0, 1).may_look_like_an_option()
        );
    }
}
