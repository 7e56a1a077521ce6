//! `[operators.<name>]`: how a person is recognised, and what they may do.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::model::{OperatorName, Role, nearest};

use super::file::OperatorFile;
use super::mistake::Mistake;

/// One operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorConfig {
    /// What they may do.
    pub role: Role,
    /// Their uid on this machine.
    pub unix: Option<u32>,
    /// The name of their ssh key, as the forced command in `authorized_keys` says it.
    pub ssh_key: Option<String>,
}

/// The operators by name. No two share a uid or an ssh key.
pub type Operators = BTreeMap<OperatorName, OperatorConfig>;

/// Validates the table `[operators]`.
pub(super) fn operators(typed: &BTreeMap<Spanned<String>, OperatorFile>) -> Result<Operators, Mistake> {
    let mut operators = Operators::new();
    for (key, operator) in typed {
        let name: OperatorName = key.get_ref().parse().map_err(|e| Mistake::at(key, format!("{e}")))?;
        if name.is_remote() {
            return Err(Mistake::at(key, "a name with an @ is one of another node's operators".to_owned()));
        }
        let role = operator
            .role
            .as_ref()
            .ok_or_else(|| Mistake::at(key, format!("operator `{name}` has no role")).help("add: role = \"viewer\""))?;
        let operator = OperatorConfig {
            role: known_role(role)?,
            unix: operator.unix.as_ref().map(|uid| unused_uid(uid, &operators)).transpose()?,
            ssh_key: operator.ssh_key.as_ref().map(|key| unused_key(key, &operators)).transpose()?,
        };
        operators.insert(name, operator);
    }
    Ok(operators)
}

fn known_role(typed: &Spanned<String>) -> Result<Role, Mistake> {
    typed.get_ref().parse().map_err(|error: String| {
        let mistake = Mistake::at(typed, error);
        match nearest(typed.get_ref(), Role::ALL.into_iter().map(Role::as_str)) {
            Some(name) => mistake.help(format!("did you mean `{name}`?")),
            None => mistake,
        }
    })
}

fn unused_uid(typed: &Spanned<u32>, operators: &Operators) -> Result<u32, Mistake> {
    let uid = *typed.get_ref();
    match operators.iter().find(|(_, other)| other.unix == Some(uid)) {
        None => Ok(uid),
        Some((name, _)) => Err(Mistake::at(typed, format!("operator `{name}` has the uid {uid} already"))
            .help("a uid is one operator; remove one of the two")),
    }
}

/// Longest name of an ssh key.
const KEY_NAME: usize = 128;

fn unused_key(typed: &Spanned<String>, operators: &Operators) -> Result<String, Mistake> {
    let key = typed.get_ref();
    // It is an argument in a forced command, and shown on screens.
    if key.is_empty() || key.len() > KEY_NAME || !key.chars().all(|c| c.is_ascii_graphic()) || key.starts_with('-') {
        return Err(Mistake::at(typed, "the name of an ssh key is 1 to 128 printable characters without spaces")
            .help("write the name that stands after `--as` in authorized_keys, as \"anna-laptop\""));
    }
    match operators.iter().find(|(_, other)| other.ssh_key.as_ref() == Some(key)) {
        None => Ok(key.clone()),
        Some((name, _)) => Err(Mistake::at(typed, format!("operator `{name}` has the ssh key {key:?} already"))
            .help("a key is one operator; give each a name of its own")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn an_operator_is_read() {
        let text = "[operators.anna]\nrole = \"admin\"\nunix = 1000\nssh_key = \"anna-laptop\"\n";
        let config = parse(text, None).expect("no mistake");
        let anna = &config.operators[&"anna".parse::<OperatorName>().expect("a name")];
        let expected = OperatorConfig { role: Role::Admin, unix: Some(1000), ssh_key: Some("anna-laptop".into()) };
        assert_eq!(*anna, expected);
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let twice =
            |key: &str| format!("[operators.a]\nrole = \"viewer\"\n{key}\n[operators.b]\nrole = \"viewer\"\n{key}\n");
        let cases = [
            (
                "[operators.a]\nrole = \"admim\"\n".to_owned(),
                (2, 8),
                "unknown role `admim`",
                Some("did you mean `admin`?"),
            ),
            ("[operators.a]\nunix = 1\n".to_owned(), (1, 12), "no role", None),
            ("[operators.\"a@b\"]\nrole = \"admin\"\n".to_owned(), (1, 12), "another node", None),
            ("[operators.\"a b\"]\nrole = \"admin\"\n".to_owned(), (1, 12), "operator id", None),
            (twice("unix = 1000"), (6, 8), "operator `a` has the uid 1000", None),
            (twice("ssh_key = \"k\""), (6, 11), "operator `a` has the ssh key", None),
            ("[operators.a]\nrole = \"admin\"\nssh_key = \"a b\"\n".to_owned(), (3, 11), "printable", None),
            ("[operators.a]\nrole = \"admin\"\nssh_key = \"--x\"\n".to_owned(), (3, 11), "printable", None),
        ];
        for (text, place, words, help) in cases {
            let error = parse(&text, None).expect_err("a mistake");
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
            assert!(help.is_none_or(|help| error.help.as_deref() == Some(help)), "{error}");
        }
    }
}
