//! `[federation]` and `[[nodes]]` as they were typed.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

/// `[federation]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FederationFile {
    /// Whether this node knows others; no when absent.
    #[schemars(with = "Option<bool>")]
    pub enabled: Option<Spanned<bool>>,
    /// What carries it: `http`.
    #[schemars(with = "Option<String>")]
    pub link: Option<Spanned<String>>,
    /// How others reach this node, as `https://hub-1.example.org:9292`; the address of the listener when absent.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// What is shared: `checks`, `counts`, `incidents`, `jobs`, `tasks`, `messages`.
    #[schemars(with = "Option<Vec<String>>")]
    pub share: Option<Vec<Spanned<String>>>,
    /// Which messages are shared; none when absent.
    #[schemars(with = "Option<String>")]
    pub messages_when: Option<Spanned<String>>,
    /// Whether what other nodes share is passed on, yes when absent.
    pub relay: Option<bool>,
    /// Whether `/federation/*` takes its token from the address, where logs and histories keep it; no when absent.
    pub allow_query_token: Option<bool>,
}

/// `[[nodes]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownNodeFile {
    /// Its name, as its own configuration says it.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Where it listens; not where it is reached over another node.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// Its public key, `ed25519:...`, or a reference to a file that holds it.
    #[schemars(with = "String")]
    pub key: Spanned<String>,
    /// What it may do here: `observe`, `report` or `command`; `report` when absent.
    #[schemars(with = "Option<String>")]
    pub trust: Option<Spanned<String>>,
    /// The node over which it is reached.
    #[schemars(with = "Option<String>")]
    pub via: Option<Spanned<String>>,
}

/// `vantage` of a check.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VantageFile {
    /// Nodes that look at the same, this one included where it counts.
    #[schemars(with = "Vec<String>")]
    pub nodes: Vec<Spanned<String>>,
    /// How many of them have to agree that it is down; more than half when absent.
    #[schemars(with = "Option<u32>")]
    pub need: Option<Spanned<u32>>,
}
