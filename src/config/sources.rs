//! Where each value of the configuration in effect comes from: the file, with its line, or the defaults.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;

/// The keys from the outermost table to a value.
pub type ValuePath = Vec<String>;

/// What an entry of a list of tables is called by: of checks and of nodes.
const NAMES: [&str; 2] = ["id", "name"];

/// The line of every key of `text`, counted from 1. An entry of a list of tables stands under its `id` or `name`. Nothing
/// where it is no TOML.
#[must_use]
pub fn lines_of_keys(text: &str) -> BTreeMap<ValuePath, usize> {
    let mut lines = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        take(table.get_ref(), &[], text, &mut lines);
    }
    lines
}

fn take(table: &DeTable<'_>, path: &[String], text: &str, lines: &mut BTreeMap<ValuePath, usize>) {
    for (key, value) in table {
        let path = joined(path, key.get_ref());
        lines.insert(path.clone(), line(text, key.span().start));
        match value.get_ref() {
            DeValue::Table(table) => take(table, &path, text, lines),
            DeValue::Array(entries) => entries.iter().for_each(|entry| take_entry(entry, &path, text, lines)),
            _ => {}
        }
    }
}

/// An entry of a list, where it is a table with a name.
fn take_entry(entry: &Spanned<DeValue<'_>>, path: &[String], text: &str, lines: &mut BTreeMap<ValuePath, usize>) {
    let DeValue::Table(table) = entry.get_ref() else { return };
    let name = NAMES.iter().find_map(|name| match table.get(*name)?.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    });
    if let Some(name) = name {
        let path = joined(path, name);
        lines.insert(path.clone(), line(text, entry.span().start));
        take(table, &path, text, lines);
    }
}

fn joined(path: &[String], key: &str) -> ValuePath {
    path.iter().map(String::as_str).chain([key]).map(str::to_owned).collect()
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

/// Every value of `effective` that is no table, with the keys that lead to it. An empty table is such a value.
fn values(effective: &Value) -> Vec<ValuePath> {
    let mut found = Vec::new();
    leaves(effective, &[], &mut found);
    found
}

fn leaves(value: &Value, path: &[String], found: &mut Vec<ValuePath>) {
    match value {
        Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                leaves(value, &joined(path, key), found);
            }
        }
        _ => found.push(path.to_vec()),
    }
}

impl Config {
    /// The line of its file that says each value of [`Config::effective`]; `None` is a default.
    #[must_use]
    pub fn value_lines(&self) -> Vec<(ValuePath, Option<usize>)> {
        let typed = lines_of_keys(self.text().unwrap_or_default());
        let said = |path: ValuePath| {
            let line = line_of(&path, &typed);
            (path, line)
        };
        values(&self.effective()).into_iter().map(said).collect()
    }
}

/// Where `path` is said.
fn line_of(path: &[String], typed: &BTreeMap<ValuePath, usize>) -> Option<usize> {
    let said = typed.get(path);
    let made = || match path {
        // Made of several keys of the check: address, path, name; preset or what is sent.
        [checks, _, key] if checks == "checks" && matches!(key.as_str(), "target" | "script") => typed.get(&path[..2]),
        _ => None,
    };
    said.or_else(made).copied()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{EXAMPLE, parse};
    use super::*;

    fn lines(text: &str) -> BTreeMap<String, Option<usize>> {
        let config = parse(text, Some(Path::new("test.toml"))).unwrap_or_else(|error| panic!("{error}"));
        config.value_lines().into_iter().map(|(path, line)| (path.join("."), line)).collect()
    }

    #[test]
    fn what_the_file_says_has_its_line_and_the_rest_is_the_default() {
        let lines = lines(
            "[listen]\ningress = \"127.0.0.1:9400\"\n\n[keys.global]\nnext_urgent = [\n  \"x\",\n]\n\
             [channels.a]\nprovider = \"github\"\nsecrets = [\"env:A\"]\n[[checks]]\nid = \"web\"\ntype = \"http\"\n\
             url = \"https://example.org/\"\nalert = { fail = 5 }\n[hosts.\"web-1\"]\nlayers = [\"exec\"]\n\
             ssh = { target = \"ops@web-1\" }\n",
        );
        let said = [
            ("listen.ingress", Some(2)),
            ("listen.api", None),
            ("keys.global.next_urgent", Some(5)),
            ("keys.global.quit", None),
            ("channels.a.provider", Some(9)),
            ("channels.a.secrets", Some(10)),
            ("channels.a.path", None),
            ("checks.web.target", Some(11)),
            ("checks.web.type", Some(13)),
            ("checks.web.alert.fail", Some(15)),
            ("checks.web.alert.ok", None),
            ("checks.web.interval", None),
            ("hosts.web-1.layers", Some(17)),
            ("hosts.web-1.ssh.target", Some(18)),
            ("hosts.web-1.ssh.port", None),
            ("commands.uptime.argv", None),
        ];
        for (path, line) in said {
            assert_eq!(lines.get(path), Some(&line), "{path}");
        }
    }

    #[test]
    fn without_a_file_everything_is_the_default_and_with_the_example_nothing_else_is_said() {
        assert!(lines("").values().all(Option::is_none));
        let typed = lines(EXAMPLE);
        assert_eq!(typed.keys().collect::<Vec<_>>(), lines("").keys().collect::<Vec<_>>());
        let line = typed["listen.ingress"].expect("it is written out");
        assert!(EXAMPLE.lines().nth(line - 1).is_some_and(|line| line.starts_with("ingress = ")));
    }
}
