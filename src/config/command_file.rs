//! `[commands.*]` and `[policy]` as they were typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// `[commands.<name>]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CommandFile {
    /// What it does, in one line.
    pub about: Option<String>,
    /// Where it may run: names of hosts, and `@label` for all that have a label.
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<Spanned<String>>,
    /// The program and its arguments. `{name}` is the value of that argument, `{{` a brace.
    #[schemars(with = "Option<Vec<String>>")]
    pub argv: Option<Spanned<Vec<Spanned<String>>>>,
    /// What is typed into a pane instead, before Enter. `{name}` is the value of that argument, `{{` a brace.
    #[schemars(with = "Option<String>")]
    pub keys: Option<Spanned<String>>,
    /// Of `keys`: the pane, `SESSION:WINDOW.PANE` or `SESSION`. When absent the active pane of the host's `tmux` session,
    /// or of the only session there is.
    #[schemars(with = "Option<String>")]
    pub pane: Option<Spanned<String>>,
    /// Of `keys`: another tmux server, as `tmux -L NAME`.
    #[schemars(with = "Option<String>")]
    pub socket: Option<Spanned<String>>,
    /// Its arguments, by name.
    #[schemars(with = "BTreeMap<String, ArgumentFile>")]
    pub args: BTreeMap<Spanned<String>, Spanned<ArgumentFile>>,
    /// The directory it runs in; the agent's own when absent.
    #[schemars(with = "Option<String>")]
    pub cwd: Option<Spanned<String>>,
    /// Variables beside the few every command gets.
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: BTreeMap<Spanned<String>, Spanned<String>>,
    /// After this time its processes are killed, 1m when absent.
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Spanned<String>>,
    /// `low`, `high` or `critical`; `low` when absent.
    #[schemars(with = "Option<String>")]
    pub risk: Option<Spanned<String>>,
    /// Whether a second run does nothing more than the first; no when absent.
    pub idempotent: Option<bool>,
    /// The weakest layer that may carry it: `socket`, `tmux`, `trigger`, `exec` or `manual`; any when absent.
    #[schemars(with = "Option<String>")]
    pub weakest_layer: Option<Spanned<String>>,
    /// How many of it may run at once, over all hosts.
    #[schemars(with = "Option<u32>")]
    pub at_once: Option<Spanned<u32>>,
    /// The command that undoes it, when a rollout goes wrong.
    #[schemars(with = "Option<String>")]
    pub rollback: Option<Spanned<String>>,
    /// The ids of checks that have to be well before a rollout of it goes on to its next stage.
    #[schemars(with = "Vec<String>")]
    pub checks: Vec<Spanned<String>>,
}

/// `args.<name>`: one of `one_of`, `int`, `pattern` and `path_below`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArgumentFile {
    /// One of these words.
    #[schemars(with = "Option<Vec<String>>")]
    pub one_of: Option<Spanned<Vec<Spanned<String>>>>,
    /// A whole number between these two, both included.
    #[schemars(with = "Option<[i64; 2]>")]
    pub int: Option<Spanned<[i64; 2]>>,
    /// A regular expression that matches the whole value, or `printable`.
    #[schemars(with = "Option<String>")]
    pub pattern: Option<Spanned<String>>,
    /// A path at or below this directory.
    #[schemars(with = "Option<String>")]
    pub path_below: Option<Spanned<String>>,
    /// What it is when nothing is said.
    #[schemars(with = "Option<ScalarFile>")]
    pub default: Option<Spanned<ScalarFile>>,
    /// Longest value in bytes, 1024 when absent.
    #[schemars(with = "Option<u32>")]
    pub max_len: Option<Spanned<u32>>,
    /// Of a `pattern` in `keys`: whether several lines are taken; no when absent.
    pub multiline: Option<bool>,
}

/// A word or a number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScalarFile {
    /// A number.
    Number(i64),
    /// A word.
    Text(String),
}

/// `[policy]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFile {
    /// How many other people have to say yes to a critical command, 2 when absent.
    #[schemars(with = "Option<u32>")]
    pub require_quorum_for_critical: Option<Spanned<u32>>,
    /// How long they have for it, 1h when absent.
    #[schemars(with = "Option<String>")]
    pub approval_expires: Option<Spanned<String>>,
    /// The part of a rollout's hosts that comes after the first one and before the rest, in percent; 10 when absent.
    #[schemars(with = "Option<u32>")]
    pub canary_percent: Option<Spanned<u32>>,
    /// Whether a rollout that fails runs the command's `rollback` where it has run, `true` when absent.
    pub auto_rollback_on_failure: Option<bool>,
}
