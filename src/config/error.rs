//! Configuration errors that point at the mistake.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::model::nearest;

/// A mistake in a configuration file: where it is, what is wrong, what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// The whole text of the file; empty when it could not be read.
    pub source: String,
    /// Where in the text; `None` when the mistake is not at one place.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ConfigError {
    /// The error of the TOML reader, with a suggestion when a key is unknown.
    pub(super) fn from_toml(file: &str, source: &str, error: &toml::de::Error) -> Self {
        let message = error.message().trim();
        let span = error.span();
        let typed = span.clone().and_then(|span| source.get(span)).unwrap_or_default();
        let hidden = span.clone().and_then(|span| mask_secrets(source).get(span).map(|masked| masked != typed));
        let typed = typed.trim_matches(['"', '\'']);
        let message = match hidden {
            Some(true) if !typed.is_empty() => message.replace(typed, "***"),
            _ => message.to_owned(),
        };
        let help = suggestion(&message);
        Self { file: file.to_owned(), source: source.to_owned(), span, message, help }
    }

    /// Line and column of the mistake, both counted from 1; the column counts characters.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        let before = self.source.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
    }
}

impl ConfigError {
    /// The same in one line: `FILE:LINE:COLUMN: message`.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let place = self.position().map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{place}: {}{help}", self.file, self.message.replace('\n', " "))
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(span) = self.span.clone() else {
            write!(f, "error: {}\n --> {}", self.message, self.file)?;
            return self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n = help: {help}"));
        };
        let source = mask_secrets(&self.source);
        let snippet = Snippet::source(source.as_str()).path(&self.file).annotation(AnnotationKind::Primary.span(span));
        let mut group: Group<'_> = Level::ERROR.primary_title(&self.message).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl std::error::Error for ConfigError {}

/// Hides the values of keys called `secret`, `secrets` or `key`, unless they are references.
///
/// Every byte becomes one `*`, so places stay where they are. A quote that is never closed hides the
/// rest of its line, and so does a value without quotes: the mistake may be that very quote.
fn mask_secrets(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut in_list = false;
    for line in source.split_inclusive('\n') {
        // A file below `secrets/` is what a key refers to, not a key.
        if !in_list && !line.replace("file:secrets/", "").contains("secret") {
            mask_key(line, &mut masked);
            continue;
        }
        mask_line(line, in_list, &mut masked);
        in_list = !line.contains(']') && (in_list || line.contains('['));
    }
    masked
}

const REFERENCES: [&str; 4] = ["env:", "file:", "credential:", "cmd:"];

/// Hides what follows `key =` in a line, up to the end of its quotes. A key beside a certificate is a path.
fn mask_key(line: &str, masked: &mut String) {
    let is_key = |at: usize| {
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        begins && line[at + 3..].trim_start().starts_with('=')
    };
    let found = line.match_indices("key").map(|(at, _)| at).find(|at| is_key(*at));
    let Some(at) = found.filter(|_| !line.contains("cert")) else {
        masked.push_str(line);
        return;
    };
    let value_at = line[at..].find('=').map_or(line.len(), |equals| at + equals + 1);
    let quotes: &[char] = &['"', '\''];
    let inside = |opened: usize| line[opened + 1..].find(quotes).map_or(line.len(), |length| opened + 1 + length);
    let end = line[value_at..].find(quotes).map_or(line.len(), |opened| inside(value_at + opened));
    masked.push_str(&line[..value_at]);
    mask_line(&line[value_at..end], true, masked);
    mask_key(&line[end..], masked);
}

fn mask_line(line: &str, in_list: bool, masked: &mut String) {
    let value_at = if in_list { 0 } else { line.find('=').map_or(line.len(), |equals| equals + 1) };
    let (key, value) = line.split_at(value_at);
    masked.push_str(key);
    let quoted = value.trim_start().starts_with(['"', '\'', '[', '{', ']', '#']);
    let mut quote = None;
    let mut hide = !quoted;
    for (at, c) in value.char_indices() {
        match quote {
            None if quoted && matches!(c, '"' | '\'') => {
                quote = Some(c);
                hide = !REFERENCES.iter().any(|scheme| value[at + 1..].starts_with(scheme));
                masked.push(c);
            }
            Some(open) if c == open => {
                quote = None;
                hide = false;
                masked.push(c);
            }
            _ if hide && !c.is_whitespace() => masked.extend(std::iter::repeat_n('*', c.len_utf8())),
            _ => masked.push(c),
        }
    }
}

/// Reads serde's list of known names out of its message and picks the nearest one.
fn suggestion(message: &str) -> Option<String> {
    let unknown = message.strip_prefix("unknown field").or_else(|| message.strip_prefix("unknown variant"))?;
    let mut names = unknown.split('`').skip(1).step_by(2);
    let typed = names.next()?;
    nearest(typed, names).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_nonsense_is_not() {
        let known = "expected one of `listen`, `limits`, `channels`";
        let suggest = |typed: &str| suggestion(&format!("unknown field `{typed}`, {known}"));
        assert_eq!(suggest("lissten").as_deref(), Some("did you mean `listen`?"));
        assert_eq!(suggest("chanels").as_deref(), Some("did you mean `channels`?"));
        assert_eq!(suggest("zzz"), None);
    }

    #[test]
    fn values_of_secrets_are_hidden_and_references_are_not() {
        let cases = [
            ("secrets = [\"hunter2\"]\n", "secrets = [\"*******\"]\n"),
            ("secrets = [\"env:NAME\", 'hü']\n", "secrets = [\"env:NAME\", '***']\n"),
            ("secrets = [\"hunter2]\n", "secrets = [\"********\n"),
            ("secrets = hunter2\n", "secrets = *******\n"),
            ("secrets = [\n \"hunter2\",\n]\npath = \"/x\"\n", "secrets = [\n \"*******\",\n]\npath = \"/x\"\n"),
            ("socket = { addr = \"a:1\", key = \"hunter2\" }\n", "socket = { addr = \"a:1\", key = \"*******\" }\n"),
            ("socket = { key = \"hunter2, addr = 1 }\n", "socket = { key = \"******** **** * * *\n"),
            ("key = hunter2\n", "key = *******\n"),
            ("s = { addr = \"a\", key = \"file:secrets/a\" }\n", "s = { addr = \"a\", key = \"file:secrets/a\" }\n"),
            ("tls = { cert = \"a.pem\", key = \"b.pem\" }\n", "tls = { cert = \"a.pem\", key = \"b.pem\" }\n"),
            ("ssh_key = \"anna-laptop\"\n", "ssh_key = \"anna-laptop\"\n"),
            ("[channels.secret]\npath = \"/x\"\n", "[channels.secret]\npath = \"/x\"\n"),
        ];
        for (typed, shown) in cases {
            assert_eq!(mask_secrets(typed), shown);
            assert_eq!(mask_secrets(typed).len(), typed.len(), "places stay where they are");
        }
    }
}
