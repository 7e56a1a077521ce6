//! The nodes that know each other: whether this one takes part, what it shares, whom it knows by its file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::LazyLock;

use http::Uri;
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};
use toml::Spanned;

use crate::condition::{Condition, Schema, Type};
use crate::model::{ChannelId, MessageRow, NodeKey, NodeName, SharedKind, Trust, Value, nearest};

use super::checks::place;
use super::federation_file::{FederationFile, KnownNodeFile, VantageFile};
use super::file::{self, ListenFile};
use super::listeners::Exposure;
use super::mistake::{Mistake, Source};
use super::public::public_url;
use super::{ChannelConfig, Config, ConfigError, SecretRef};

/// `[federation]`, `[[nodes]]` and `listen.federation`.
#[derive(Debug, Clone, PartialEq)]
pub struct FederationConfig {
    /// Whether this node takes part.
    pub enabled: bool,
    /// Its name among the others; always there when it takes part.
    pub me: Option<NodeName>,
    /// Where it listens; `None` when others cannot reach it, and it asks them.
    pub listen: Option<SocketAddr>,
    /// How others reach it, where that is not the address it listens on.
    pub url: Option<String>,
    /// What it shares.
    pub share: BTreeSet<SharedKind>,
    /// Which messages it shares.
    pub messages_when: Option<Condition>,
    /// Whether it passes on what others share.
    pub relay: bool,
    /// Whether a token may stand in an address.
    pub allow_query_token: bool,
    /// The nodes that the file names, by name.
    pub nodes: BTreeMap<NodeName, KnownNodeConfig>,
}

/// A node that the file names.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownNodeConfig {
    /// Where it listens, when it is reached directly.
    pub url: Option<String>,
    /// The node over which it is reached, when it is not.
    pub via: Option<NodeName>,
    /// What it may do here.
    pub trust: Trust,
    key: KeyPlace,
    span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
enum KeyPlace {
    Written(NodeKey),
    Kept(SecretRef),
}

/// How many nodes have to agree that what a check looks at is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vantage {
    /// The nodes that look at it, in the order of the file.
    pub nodes: Vec<NodeName>,
    /// How many of them have to see it down; 1 to all.
    pub need: usize,
}

/// The address of `listen.federation` by default.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9292);
/// What is shared where the file does not say it.
const SHARED: [SharedKind; 3] = [SharedKind::Check, SharedKind::Counts, SharedKind::Incident];
/// What can be shared, as it is typed.
const SHARES: [(&str, SharedKind); 6] = [
    ("checks", SharedKind::Check),
    ("counts", SharedKind::Counts),
    ("incidents", SharedKind::Incident),
    ("jobs", SharedKind::Job),
    ("tasks", SharedKind::Task),
    ("messages", SharedKind::Message),
];

/// What `messages_when` may ask of a message.
static MESSAGE: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[
        ("channel", Type::Text),
        ("type", Type::Text),
        ("from", Type::Text),
        ("vip", Type::Bool),
        ("subject", Type::Text),
        ("preview", Type::Text),
    ])
});

impl FederationConfig {
    /// Validates what was typed on the node `name`.
    pub(super) fn new(
        typed: &FederationFile,
        nodes: &[KnownNodeFile],
        listen: &ListenFile,
        name: &str,
        exposure: &Exposure,
        source: &Source,
    ) -> Result<Self, Mistake> {
        let me: Option<NodeName> = name.parse().ok();
        let enabled = typed.enabled.as_ref().filter(|enabled| *enabled.get_ref());
        if let (Some(enabled), None) = (enabled, &me) {
            return Err(Mistake::at(enabled, format!("{name:?} cannot be the name of this node among others")).help(
                "set name under [node] to 1 to 64 of a-z A-Z 0-9 . _ - that begin with a letter or digit, as \"hub-1\"",
            ));
        }
        if let Some(link) = &typed.link {
            only_http(link)?;
        }
        let address = match &listen.federation {
            None => Some(LISTEN),
            Some(typed) if typed.get_ref() == "off" => None,
            Some(typed) => Some(exposure.address(typed, None)?),
        };
        let shares = typed.share.as_ref();
        let mut share: BTreeSet<SharedKind> = match shares {
            None => SHARED.into_iter().collect(),
            Some(typed) => typed.iter().map(shared).collect::<Result<_, _>>()?,
        };
        let messages_when = typed.messages_when.as_ref().map(|typed| condition(typed, source)).transpose()?;
        match (&messages_when, shares.into_iter().flatten().find(|typed| typed.get_ref() == "messages")) {
            (None, Some(typed)) => {
                return Err(Mistake::at(typed, "which messages are shared has to be said")
                    .help("add: messages_when = 'vip'; 'channel is known' is all of them"));
            }
            (Some(_), _) => {
                share.insert(SharedKind::Message);
            }
            (None, None) => {}
        }
        Ok(Self {
            enabled: enabled.is_some(),
            listen: address,
            url: typed.url.as_ref().map(node_url).transpose()?,
            share,
            messages_when,
            relay: typed.relay.unwrap_or(true),
            allow_query_token: typed.allow_query_token.unwrap_or(false),
            nodes: known(nodes, me.as_ref())?,
            me,
        })
    }

    /// How others reach this node; `None` when they cannot. `has_tls` is whether its listener speaks TLS.
    #[must_use]
    pub fn reached_at(&self, has_tls: bool) -> Option<String> {
        // One that listens everywhere does not know under which name others find it.
        let one = self.listen.filter(|address| !address.ip().is_unspecified());
        let own = || one.map(|address| format!("{}://{address}", if has_tls { "https" } else { "http" }));
        self.url.clone().or_else(own)
    }

    /// Whether a message is shared.
    #[must_use]
    pub fn shares_message(&self, row: &MessageRow) -> bool {
        let text = |text: &str| Value::Text(text.to_owned());
        let values = [
            ("channel", text(row.channel.as_str())),
            ("type", text(&row.kind)),
            ("from", text(&row.from)),
            ("vip", Value::Bool(row.vip)),
            ("subject", text(&row.subject)),
            ("preview", text(&row.preview)),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        self.messages_when.as_ref().is_some_and(|when| when.judge(&values[..]).holds)
    }

    /// The section as data: to print it and to compare two.
    pub(super) fn shown(&self) -> Json {
        let share: Vec<&str> =
            SHARES.iter().filter(|(_, kind)| self.share.contains(kind)).map(|(name, _)| *name).collect();
        let mut shown = json!({
            "enabled": self.enabled,
            "link": "http",
            "share": share,
            "relay": self.relay,
            "allow_query_token": self.allow_query_token,
        });
        if let Some(when) = &self.messages_when {
            shown["messages_when"] = json!(when.to_string());
        }
        if let Some(url) = &self.url {
            shown["url"] = json!(url);
        }
        shown
    }

    /// The nodes as data.
    pub(super) fn shown_nodes(&self) -> Json {
        let shown = |node: &KnownNodeConfig| {
            let key = match &node.key {
                KeyPlace::Written(key) => key.to_string(),
                KeyPlace::Kept(reference) => reference.to_string(),
            };
            let mut shown = json!({ "key": key, "trust": node.trust });
            if let Some(url) = &node.url {
                shown["url"] = json!(url);
            }
            if let Some(via) = &node.via {
                shown["via"] = json!(via);
            }
            shown
        };
        Json::Object(self.nodes.iter().map(|(name, node)| (name.to_string(), shown(node))).collect())
    }
}

impl Vantage {
    /// Validates the `vantage` of a check.
    pub(super) fn new(typed: &Spanned<VantageFile>) -> Result<Self, Mistake> {
        let VantageFile { nodes, need } = typed.get_ref();
        if nodes.is_empty() {
            return Err(Mistake::at(typed, "a vantage names the nodes that look")
                .help("as { nodes = [\"hub-1\", \"hub-2\", \"hub-3\"], need = 2 }"));
        }
        let mut names: Vec<NodeName> = Vec::with_capacity(nodes.len());
        for typed in nodes {
            let name = node_name(typed)?;
            if names.contains(&name) {
                return Err(Mistake::at(typed, format!("`{name}` is there already")));
            }
            names.push(name);
        }
        let need = match need {
            None => names.len() / 2 + 1,
            Some(typed) => usize::try_from(*typed.get_ref())
                .ok()
                .filter(|need| (1..=names.len()).contains(need))
                .ok_or_else(|| Mistake::at(typed, format!("must be 1 to the number of nodes, {}", names.len())))?,
        };
        Ok(Self { nodes: names, need })
    }
}

impl Config {
    /// The public keys of the nodes that the file names.
    ///
    /// # Errors
    /// The first that cannot be read or is none, and two nodes with the same, with the place in the file.
    pub fn node_keys(&self) -> Result<BTreeMap<NodeName, NodeKey>, Box<ConfigError>> {
        let mut keys: BTreeMap<NodeName, NodeKey> = BTreeMap::new();
        for (name, node) in &self.federation.nodes {
            let wrong =
                |why: String| Box::new(self.mistake_at(Some(node.span.clone()), format!("node `{name}`: {why}")));
            let key = match &node.key {
                KeyPlace::Written(key) => *key,
                KeyPlace::Kept(reference) => {
                    let text = reference.read(&self.bases()).map_err(|error| wrong(error.to_string()))?;
                    text.expose_secret().parse().map_err(|error| wrong(format!("{reference}: {error}")))?
                }
            };
            if let Some((other, _)) = keys.iter().find(|(_, known)| **known == key) {
                return Err(wrong(format!("it has the key of `{other}`, and no two nodes share one")));
            }
            keys.insert(name.clone(), key);
        }
        Ok(keys)
    }
}

/// Nodes and something else cannot be told apart on one address.
pub(super) fn refuse_shared_address(
    federation: &FederationConfig,
    typed: Option<&Spanned<String>>,
    ingress: SocketAddr,
    api: Option<SocketAddr>,
    channels: &BTreeMap<ChannelId, ChannelConfig>,
) -> Result<(), Mistake> {
    let Some(address) = federation.listen.filter(|_| federation.enabled) else { return Ok(()) };
    let channel = channels.values().find(|channel| channel.listen == Some(address));
    let other = match channel {
        Some(channel) => format!("channel `{}`", channel.id),
        None if ingress == address => "listen.ingress".to_owned(),
        None if api == Some(address) => "listen.api".to_owned(),
        None => return Ok(()),
    };
    Err(Mistake {
        span: typed.map(file::span),
        message: format!("listen.federation and {other} both want {address}"),
        help: Some("give listen.federation another port, or \"off\" where others do not reach this node".to_owned()),
    })
}

fn only_http(typed: &Spanned<String>) -> Result<(), Mistake> {
    match typed.get_ref().as_str() {
        "http" => Ok(()),
        "nats" => Err(Mistake::at(typed, "the link over NATS is not part of this version")
            .help("link = \"http\" is for up to 15 nodes that all reach each other, and 50 with relays")),
        other => Err(Mistake::at(typed, format!("unknown link `{other}`")).help("the link is \"http\"")),
    }
}

fn shared(typed: &Spanned<String>) -> Result<SharedKind, Mistake> {
    let text = typed.get_ref();
    let found = SHARES.iter().find(|(name, _)| name == text).map(|(_, kind)| *kind);
    found.ok_or_else(|| {
        let names = SHARES.map(|(name, _)| name);
        Mistake::at(typed, format!("{text:?} cannot be shared")).help(match nearest(text, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("what can be shared is {}", names.join(", ")),
        })
    })
}

/// Reads `messages_when`; a mistake in it is shown at its place in the file.
fn condition(typed: &Spanned<String>, source: &Source) -> Result<Condition, Mistake> {
    Condition::parse(typed.get_ref(), &MESSAGE).map_err(|error| Mistake {
        span: Some(place(&source.text, typed.span(), typed.get_ref(), &error.span)),
        message: error.message,
        help: error.help,
    })
}

fn node_name(typed: &Spanned<String>) -> Result<NodeName, Mistake> {
    typed.get_ref().parse().map_err(|error| Mistake::at(typed, format!("{error}")))
}

/// Whether a URL is one that nodes may use: what they say to each other leaves a machine only under TLS.
#[must_use]
pub fn is_node_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !url.contains(['#', '@']);
    let scheme = uri.scheme_str();
    !host.is_empty() && is_bare && (scheme == Some("https") || (scheme == Some("http") && is_local_url(url)))
}

/// Whether a URL leads to the machine it is used on, whichever that is.
#[must_use]
pub fn is_local_url(url: &str) -> bool {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn node_url(typed: &Spanned<String>) -> Result<String, Mistake> {
    let url = public_url(typed)?;
    if is_node_url(&url) {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    Err(Mistake::at(typed, format!("{url:?} is no address of a node")).help(
        "write it as \"https://hub-2.example.org:9292\", without a path; http:// is for a loopback address, where a \
         tunnel may end",
    ))
}

/// The nodes that the file names. No two have one name, and none has that of `me`.
fn known(typed: &[KnownNodeFile], me: Option<&NodeName>) -> Result<BTreeMap<NodeName, KnownNodeConfig>, Mistake> {
    let mut nodes = BTreeMap::new();
    for node in typed {
        let name = node_name(&node.name)?;
        if Some(&name) == me {
            return Err(Mistake::at(&node.name, format!("`{name}` is this node itself"))
                .help("the other one needs a name of its own; it is node.name in its file"));
        }
        let known = KnownNodeConfig {
            url: node.url.as_ref().map(node_url).transpose()?,
            via: node.via.as_ref().map(node_name).transpose()?,
            trust: node.trust.as_ref().map_or(Ok(Trust::default()), trust)?,
            key: key(&node.key)?,
            span: file::span(&node.key),
        };
        match (&known.url, &node.via) {
            (Some(_), Some(via)) => {
                return Err(Mistake::at(via, "a node is reached at its url or over another node, not both"));
            }
            (None, None) => {
                return Err(Mistake::at(&node.name, format!("how `{name}` is reached has to be said"))
                    .help("add url = \"https://...\", or via = \"NAME\" of the node it is reached over"));
            }
            (None, Some(via)) if known.via.as_ref() == Some(&name) || known.via.as_ref() == me => {
                return Err(Mistake::at(via, "a node is reached over a third one"));
            }
            _ => {}
        }
        if nodes.insert(name.clone(), known).is_some() {
            return Err(Mistake::at(&node.name, format!("another node is called `{name}` already")));
        }
    }
    Ok(nodes)
}

fn trust(typed: &Spanned<String>) -> Result<Trust, Mistake> {
    typed.get_ref().parse().map_err(|error: String| Mistake::at(typed, error))
}

fn key(typed: &Spanned<String>) -> Result<KeyPlace, Mistake> {
    let text = typed.get_ref();
    if text.starts_with("ed25519:") {
        return text.parse().map(KeyPlace::Written).map_err(|error| Mistake::at(typed, format!("{error}")));
    }
    text.parse().map(KeyPlace::Kept).map_err(|error: String| Mistake::at(typed, error))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    use super::*;

    const KEY: &str = "ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const ME: &str = "[node]\nname = \"hub-1\"\n";

    fn good(text: &str) -> Config {
        parse(text, Some(Path::new("test.toml"))).unwrap_or_else(|error| panic!("{error}"))
    }

    fn node(name: &str, keys: &str) -> String {
        format!("[[nodes]]\nname = \"{name}\"\nkey = \"{KEY}\"\n{keys}")
    }

    #[test]
    fn without_a_word_nothing_is_shared_with_anybody() {
        let config = good("");
        assert!(!config.federation.enabled && config.federation.nodes.is_empty());
        assert_eq!(config.federation.listen, Some(LISTEN));
        assert_eq!(config.federation.share, SHARED.into_iter().collect());
        let on = good(&format!("{ME}[federation]\nenabled = true\n"));
        assert_eq!(on.federation.me.as_ref().map(NodeName::as_str), Some("hub-1"));
        assert_eq!(on.federation.reached_at(true).as_deref(), Some("https://127.0.0.1:9292"));
        let tls = "tls = { cert = \"c\", key = \"k\" }\n";
        let everywhere = format!("[listen]\nfederation = \"0.0.0.0:9292\"\n{tls}");
        assert_eq!(good(&everywhere).federation.reached_at(true), None);
        let named = format!("{everywhere}[federation]\nurl = \"https://hub-1.example.org\"\n");
        assert_eq!(good(&named).federation.reached_at(true).as_deref(), Some("https://hub-1.example.org"));
    }

    #[test]
    fn a_known_node_has_a_name_a_way_and_a_key() {
        let text = node("hub-2", "url = \"https://hub-2.example.org:9292/\"\ntrust = \"command\"\n")
            + &node("leaf", "via = \"hub-2\"\n").replace("AQEB", "AgEB");
        let config = good(&text);
        let hub = &config.federation.nodes[&"hub-2".parse().expect("a name")];
        assert_eq!((hub.url.as_deref(), hub.trust), (Some("https://hub-2.example.org:9292"), Trust::Command));
        let keys = config.node_keys().expect("they are written down");
        assert_eq!(keys.len(), 2);
        assert_eq!(config.effective()["nodes"]["leaf"]["via"], "hub-2");

        let twice = good(&(node("a", "via = \"x\"\n") + &node("b", "via = \"x\"\n")));
        let error = twice.node_keys().expect_err("one key");
        assert!(error.message.contains("it has the key of `a`"), "{error}");
        assert_eq!(error.position(), Some((7, 7)), "{error}");
    }

    #[test]
    fn a_key_may_be_in_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("hub-2");
        std::fs::write(&file, format!("{KEY}\n")).expect("writes");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
        let text = node("hub-2", "via = \"x\"\n").replace(KEY, &format!("file:{}", file.display()));
        assert_eq!(good(&text).node_keys().expect("it is read").len(), 1);
        std::fs::write(&file, "hunter2").expect("writes");
        let error = good(&text).node_keys().expect_err("no key").to_string();
        assert!(error.contains("44 characters of base64") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn which_messages_are_shared_is_said_by_a_condition() {
        let config = good(&format!("{ME}[federation]\nmessages_when = 'vip or channel == \"mail\"'\n"));
        assert!(config.federation.share.contains(&SharedKind::Message));
        let row = |channel: &str, vip| MessageRow {
            seq: 1,
            id: crate::model::MessageId::from_uuid(uuid::Uuid::nil()),
            channel: channel.parse().expect("an id"),
            kind: "mail".into(),
            contact: None,
            from: String::new(),
            vip,
            subject: String::new(),
            preview: String::new(),
            received: jiff::Timestamp::UNIX_EPOCH,
            marks: crate::model::Marks::default(),
        };
        assert!(config.federation.shares_message(&row("mail", false)));
        assert!(config.federation.shares_message(&row("code", true)));
        assert!(!config.federation.shares_message(&row("code", false)));
        assert!(!good(ME).federation.shares_message(&row("mail", true)));
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let on = "[federation]\nenabled = true\n";
        let cases = [
            (format!("[node]\nname = \"my host\"\n{on}"), (4, 11), "\"my host\" cannot be the name"),
            ("[federation]\nlink = \"nats\"\n".to_owned(), (2, 8), "not part of this version"),
            ("[federation]\nlink = \"nat\"\n".to_owned(), (2, 8), "unknown link"),
            ("[federation]\nshare = [\"checks\", \"chekcs\"]\n".to_owned(), (2, 20), "cannot be shared"),
            ("[federation]\nshare = [\"messages\"]\n".to_owned(), (2, 10), "which messages"),
            ("[federation]\nmessages_when = 'vipp'\n".to_owned(), (2, 18), "vipp"),
            ("[federation]\nurl = \"http://hub.example.org\"\n".to_owned(), (2, 7), "no address of a node"),
            ("[federation]\nurl = \"https://hub.example.org/x\"\n".to_owned(), (2, 7), "no address of a node"),
            ("[listen]\nfederation = \"0.0.0.0:9292\"\n".to_owned(), (2, 14), "without TLS"),
            (format!("{ME}[listen]\nfederation = \"127.0.0.1:9296\"\n{on}"), (4, 14), "listen.ingress both want"),
            (format!("{ME}[listen]\nfederation = \"127.0.0.1:8901\"\n{on}"), (4, 14), "listen.api both want"),
            (node("hub 2", "via = \"x\"\n"), (2, 8), "node id"),
            (ME.to_owned() + &node("hub-1", "via = \"x\"\n"), (4, 8), "this node itself"),
            (node("a", ""), (2, 8), "how `a` is reached"),
            (node("a", "via = \"a\"\n"), (4, 7), "a third one"),
            (node("a", "via = \"b\"\nurl = \"https://a.example\"\n"), (4, 7), "not both"),
            (node("a", "via = \"b\"\ntrust = \"full\"\n"), (5, 9), "unknown trust"),
            (node("a", "via = \"x\"\n") + &node("a", "via = \"x\"\n"), (6, 8), "called `a` already"),
            (node("a", "via = \"x\"\n").replace(KEY, "ed25519:AAAA"), (3, 7), "44 characters"),
            (node("a", "via = \"x\"\n").replace(KEY, "hunter2"), (3, 7), "a secret is a reference"),
        ];
        for (text, place, words) in cases {
            let error = *parse(&text, Some(Path::new("test.toml"))).expect_err(&text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }

    #[test]
    fn what_nodes_say_leaves_a_machine_only_under_tls() {
        for url in [
            "https://a.example",
            "https://a.example:9292/",
            "http://127.0.0.1:1",
            "http://[::1]:9292",
            "http://localhost:1",
        ] {
            assert!(is_node_url(url), "{url}");
        }
        for url in [
            "",
            "a.example",
            "http://a.example",
            "http://10.0.0.1",
            "https://",
            "https://u@a",
            "https://a/?x",
            "https://a/#x",
            "ftp://a",
        ] {
            assert!(!is_node_url(url), "{url}");
        }
    }

    #[test]
    fn a_vantage_is_more_than_half_of_its_nodes() {
        let check = |vantage: &str| format!("[[checks]]\nid = \"a\"\ntype = \"load\"\nvantage = {vantage}\n");
        let vantage = |text: &str| good(&check(text)).health.checks[0].vantage.clone().expect("a vantage");
        assert_eq!(vantage("{ nodes = [\"a\", \"b\", \"c\"] }").need, 2);
        assert_eq!(vantage("{ nodes = [\"a\", \"b\", \"c\", \"d\"] }").need, 3);
        assert_eq!(vantage("{ nodes = [\"a\", \"b\"], need = 1 }").need, 1);
        for (text, words) in [
            ("{ nodes = [] }", "names the nodes"),
            ("{ nodes = [\"a\", \"a\"] }", "there already"),
            ("{ nodes = [\"a b\"] }", "node id"),
            ("{ nodes = [\"a\"], need = 2 }", "number of nodes, 1"),
            ("{ nodes = [\"a\"], need = 0 }", "number of nodes, 1"),
        ] {
            let error = *parse(&check(text), None).expect_err(text);
            assert!(error.message.contains(words), "{error}");
        }
    }
}
