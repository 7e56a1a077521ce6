//! What was typed: every key optional, unknown keys refused.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::agent::AgentFile;
use super::check_file::{CheckFile, HealthFile};
use super::command_file::{CommandFile, PolicyFile};
use super::federation_file::{FederationFile, KnownNodeFile};
use super::host_file::HostFile;
use super::theme::ThemeFile;
use super::themes::ThemeChoiceFile;
use super::tui::Switch;

/// A configuration file as it was typed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// This engine.
    pub node: NodeFile,
    /// Where it listens.
    pub listen: ListenFile,
    /// What it refuses.
    pub limits: LimitsFile,
    /// Who may do what.
    #[schemars(with = "BTreeMap<String, OperatorFile>")]
    pub operators: BTreeMap<Spanned<String>, OperatorFile>,
    /// Accounts of providers. Naming one replaces all default channels.
    #[schemars(with = "BTreeMap<String, ChannelFile>")]
    pub channels: BTreeMap<Spanned<String>, ChannelFile>,
    /// Machines commands run on. Naming one replaces the default, which is this machine.
    #[schemars(with = "BTreeMap<String, HostFile>")]
    pub hosts: BTreeMap<Spanned<String>, HostFile>,
    /// What is watched. Naming one replaces the default checks of this machine.
    pub checks: Vec<CheckFile>,
    /// How it is watched.
    pub health: HealthFile,
    /// What may be run on hosts. Naming one replaces the built-in ones of this machine.
    #[schemars(with = "BTreeMap<String, CommandFile>")]
    pub commands: BTreeMap<Spanned<String>, CommandFile>,
    /// What commands need before they run.
    pub policy: PolicyFile,
    /// Other nodes: whether this one takes part, and what it shares.
    pub federation: FederationFile,
    /// Nodes that are known by this file. Others are invited, or join.
    pub nodes: Vec<KnownNodeFile>,
    /// Who writes.
    pub contacts: ContactsFile,
    /// How events are kept.
    pub store: StoreFile,
    /// What an agent on this machine needs; an engine does not read it.
    pub agent: AgentFile,
    /// The screen.
    pub tui: TuiFile,
    /// What keys do, by context and action.
    #[schemars(with = "BTreeMap<String, BTreeMap<String, KeysFile>>")]
    pub keys: KeysTable,
}

/// `[keys.<context>]`
pub type KeysTable = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<KeysFile>>>;

/// The keys of one action: `"a"`, `"ctrl-x s"`, `["j", "down"]`, or `[]` for none.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum KeysFile {
    /// One key or chord.
    One(String),
    /// Each of these.
    Several(#[schemars(with = "Vec<String>")] Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for KeysFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = KeysFile;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key like \"ctrl-r\", or a list of keys")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<KeysFile, E> {
                Ok(KeysFile::One(text.to_owned()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<KeysFile, A::Error> {
                let mut keys = Vec::new();
                while let Some(key) = seq.next_element()? {
                    keys.push(key);
                }
                Ok(KeysFile::Several(keys))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// `[node]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeFile {
    /// Name of this node; the host's name when absent.
    pub name: Option<String>,
    /// Where everything durable is kept; the platform's state directory when absent.
    pub state_dir: Option<String>,
}

/// `[listen]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenFile {
    /// Address of the webhook listener, `127.0.0.1:9296` when absent.
    #[schemars(with = "Option<String>")]
    pub ingress: Option<Spanned<String>>,
    /// Address of the API, `127.0.0.1:8901` when absent; `off` is none.
    #[schemars(with = "Option<String>")]
    pub api: Option<Spanned<String>>,
    /// Address where other nodes reach this one, `127.0.0.1:9292` when absent; `off` is none. Open only while
    /// `federation.enabled` is true.
    #[schemars(with = "Option<String>")]
    pub federation: Option<Spanned<String>>,
    /// TLS of every listener that carries none of its own.
    #[schemars(with = "Option<TlsFile>")]
    pub tls: Option<Spanned<TlsFile>>,
    /// Whether `trusted_proxies` stand in front; without TLS only then a listener may leave loopback.
    #[schemars(with = "Option<bool>")]
    pub behind_proxy: Option<Spanned<bool>>,
    /// Proxies that are believed when X-Forwarded-For says who called them.
    #[schemars(with = "Option<Vec<String>>")]
    pub trusted_proxies: Option<Vec<Spanned<String>>>,
    /// What providers were told, as `https://hub.example.org`; a channel's path follows. Signatures that cover the
    /// address are checked against it. The listener's own address when absent.
    #[schemars(with = "Option<String>")]
    pub public_url: Option<Spanned<String>>,
}

/// `tls` of a listener. The files are read again when they change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// The certificate chain in PEM form, leaf first.
    pub cert: String,
    /// Its private key in PEM form, in a file only its owner may read.
    pub key: String,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsFile {
    /// Failures and unknown paths a minute, per source address and channel, before 429.
    #[schemars(with = "Option<u32>")]
    pub ingress_per_minute: Option<Spanned<u32>>,
    /// Requests a minute to the API, per token and per source address, before 429.
    #[schemars(with = "Option<u32>")]
    pub api_per_minute: Option<Spanned<u32>>,
    /// Largest body where the provider's protocol needs no more.
    #[schemars(with = "Option<String>")]
    pub body_max: Option<Spanned<String>>,
    /// Connections a listener keeps open at once.
    #[schemars(with = "Option<u32>")]
    pub connections: Option<Spanned<u32>>,
    /// Deliveries that may wait for the store; past it senders get 503.
    #[schemars(with = "Option<u32>")]
    pub queue: Option<Spanned<u32>>,
}

/// `[operators.<name>]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorFile {
    /// `viewer`, `operator`, `approver` or `admin`.
    #[schemars(with = "Option<String>")]
    pub role: Option<Spanned<String>>,
    /// Their uid on this machine.
    #[schemars(with = "Option<u32>")]
    pub unix: Option<Spanned<u32>>,
    /// The name of their ssh key, as the forced command in `authorized_keys` says it.
    #[schemars(with = "Option<String>")]
    pub ssh_key: Option<Spanned<String>>,
}

/// `[channels.<id>]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelFile {
    /// `github`, `mailgun`, `standard`, `typeform`, `twilio` or `secret`.
    #[schemars(with = "String")]
    pub provider: Spanned<String>,
    /// An address of its own; several channels may share one.
    #[schemars(with = "Option<String>")]
    pub listen: Option<Spanned<String>>,
    /// TLS of that address, when it is not the one of `[listen]`.
    #[schemars(with = "Option<TlsFile>")]
    pub tls: Option<Spanned<TlsFile>>,
    /// Its path there; the provider's usual path when absent.
    #[schemars(with = "Option<String>")]
    pub path: Option<Spanned<String>>,
    /// The whole address its provider was told, where it is not `listen.public_url` and the path.
    #[schemars(with = "Option<String>")]
    pub public_url: Option<Spanned<String>>,
    /// References to the active secrets; several while rotating.
    #[schemars(with = "Vec<SecretFile>")]
    #[serde(default)]
    pub secrets: Vec<Spanned<SecretFile>>,
    /// Addresses that may send; everybody when absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub allow_from: Option<Vec<Spanned<String>>>,
    /// Largest body of this channel.
    #[schemars(with = "Option<String>")]
    pub body_max: Option<Spanned<String>>,
    /// What a signature must at least prove.
    #[schemars(with = "Option<String>")]
    pub require_assurance: Option<Spanned<String>>,
    /// `secret` only: seconds in which an equal body without an id counts as a repeat; 0 is never.
    #[schemars(with = "Option<u32>")]
    pub dedupe_window: Option<Spanned<u32>>,
    /// `secret` only: JSON pointer (RFC 6901) to the value that names an event.
    #[schemars(with = "Option<String>")]
    pub dedupe_pointer: Option<Spanned<String>>,
}

/// One entry of `secrets`.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum SecretFile {
    /// A reference.
    Plain(String),
    /// A reference that ends.
    Until {
        /// The reference.
        secret: String,
        /// The moment after which it no longer counts (RFC 3339).
        not_after: String,
    },
}

impl<'de> Deserialize<'de> for SecretFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = SecretFile;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a reference like \"env:NAME\" or { secret = \"env:NAME\", not_after = \"2030-01-01T00:00:00Z\" }",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretFile, E> {
                Ok(SecretFile::Plain(text.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<SecretFile, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Until {
                    secret: String,
                    not_after: String,
                }
                let Until { secret, not_after } =
                    Until::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(SecretFile::Until { secret, not_after })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// `[contacts]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContactsFile {
    /// `@example.org` is everybody there; anything else is one address.
    pub vip: Vec<String>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreFile {
    /// Deliveries that may share one commit; 1 turns group commit off.
    #[schemars(with = "Option<u32>")]
    pub commit_batch: Option<Spanned<u32>>,
}

/// `[tui]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TuiFile {
    /// Whether frames are marked for the terminal (DEC mode 2026), `true` when absent; others ignore the marks.
    pub sync: Option<bool>,
    /// Whether the screen does with less: `true`, `false`, or `"auto"` by how the line is measured to be.
    pub lite: Option<Switch>,
    /// Whether the screen takes the mouse: `true`, `false`, or `"auto"`, which is not over ssh.
    pub mouse: Option<Switch>,
    /// Whether the terminal's title says how things are, `true` when absent.
    pub title: Option<bool>,
    /// Name of a theme, `auto`, or one for light and one for dark terminals.
    #[schemars(with = "Option<ThemeChoiceFile>")]
    pub theme: Option<Spanned<ThemeChoiceFile>>,
    /// Themes of your own, by name.
    #[schemars(with = "BTreeMap<String, ThemeFile>")]
    pub themes: BTreeMap<Spanned<String>, ThemeFile>,
}

/// Where in the file a value stands.
pub(super) fn span<T>(value: &Spanned<T>) -> Range<usize> {
    value.span()
}
