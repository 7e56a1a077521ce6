//! What is needed: validated once, complete, without the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::Spanned;

use crate::model::{Assurance, ChannelId, ProviderKind, Secret};

use super::commands::{commands, harmless, name_checks};
use super::federation::{FederationConfig, refuse_shared_address};
use super::file::{self, ChannelFile, ConfigFile, SecretFile};
use super::hosts::hosts;
use super::listeners::{self, Exposure, TlsFiles};
use super::mistake::{Mistake, Source};
use super::operators::operators;
use super::public::public_url;
use super::tui::TerminalConfig;
use super::{
    AgentPanes, ByteSize, Cidr, Commands, ConfigError, HealthConfig, Hosts, KeyMap, Operators, PolicyConfig,
    ReadSecrets, SecretRef, Theme, ThemeChoice, ThemeLibrary, VipList,
};

/// A validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of this node.
    pub node: String,
    /// Where everything durable is kept.
    pub state_dir: PathBuf,
    /// Relative secret files are looked for beside the configuration file first.
    pub file_dir: Option<PathBuf>,
    /// Address of the webhook listener.
    pub ingress: SocketAddr,
    /// What stands between the listeners and the world.
    pub exposure: Exposure,
    /// What providers were told, where it is not the listener's own address.
    pub public_url: Option<String>,
    /// Address of the API; `None` when it is off.
    pub api: Option<SocketAddr>,
    /// Who may do what.
    pub operators: Operators,
    /// The limits of every listener.
    pub limits: Limits,
    /// The channels, by id.
    pub channels: BTreeMap<ChannelId, ChannelConfig>,
    /// Largest body where a channel's provider needs no more.
    pub body_max: u64,
    /// Whether the channels are the built-in ones, whose secrets are generated.
    pub default_channels: bool,
    /// VIPs by configuration.
    pub vip: VipList,
    /// Deliveries that may share one commit.
    pub commit_batch: usize,
    /// The machines commands run on.
    pub hosts: Hosts,
    /// The nodes that know each other.
    pub federation: FederationConfig,
    /// What is watched.
    pub health: HealthConfig,
    /// What may be run on hosts.
    pub commands: Commands,
    /// What commands need before they run.
    pub policy: PolicyConfig,
    /// What the agent of this machine, which reads the same file, lets engines do with its panes.
    pub agent_panes: AgentPanes,
    /// The theme of a screen here.
    pub theme: ThemeChoice,
    /// The themes there are.
    pub themes: ThemeLibrary,
    /// What keys do.
    pub keys: KeyMap,
    /// How the screen uses its terminal.
    pub terminal: TerminalConfig,
    /// The secrets that were read of it.
    pub read: ReadSecrets,
    pub(super) source: Source,
}

/// Limits of the doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Failures a minute, per source address and channel.
    pub failures_per_minute: u32,
    /// Requests a minute to the API, per token and per source address.
    pub api_per_minute: u32,
    /// Connections a listener keeps open at once.
    pub connections: usize,
    /// Deliveries that may wait for the store.
    pub queue: usize,
}

/// One validated channel.
#[derive(Debug, Clone)]
pub struct ChannelConfig {
    /// Its id.
    pub id: ChannelId,
    /// The service behind it.
    pub provider: ProviderKind,
    /// An address of its own, beside `listen.ingress`.
    pub listen: Option<SocketAddr>,
    /// TLS of that address, when it is not the one of all listeners.
    pub tls: Option<TlsFiles>,
    /// Its path, beside `/hooks/<id>`.
    pub path: String,
    /// The whole address its provider was told, where it has one of its own.
    pub public_url: Option<String>,
    /// Its secrets.
    pub secrets: Vec<ConfiguredSecret>,
    /// Who may send; empty is everybody.
    pub allow_from: Vec<Cidr>,
    /// Largest body in bytes.
    pub body_max: u64,
    /// What a signature must at least prove.
    pub require_assurance: Option<Assurance>,
    /// Seconds in which an equal body without an id counts as a repeat (`secret` only).
    pub dedupe_window: u32,
    /// JSON pointer to the value that names an event (`secret` only).
    pub dedupe_pointer: Option<String>,
}

/// A reference and how long it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredSecret {
    /// Where it is kept.
    pub reference: SecretRef,
    /// The moment after which it no longer counts.
    pub not_after: Option<Timestamp>,
    /// Where it stands in the file; `None` for a default.
    pub span: Option<Range<usize>>,
}

/// The address of `listen.ingress` by default.
const INGRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9296);
/// The address of `listen.api` by default.
const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8901);
/// The body limit where neither the file nor the provider says more.
const BODY_MAX: u64 = 1 << 20;
/// No body is larger than this, whatever the file says; most are held in memory while they are checked.
const BODY_CEILING: u64 = 64 << 20;

impl Config {
    /// Validates `file`.
    pub(super) fn from_file(file: ConfigFile, path: Option<&Path>, source: Source) -> Result<Self, Mistake> {
        let node = match file.node.name {
            Some(name) if !name.trim().is_empty() => name,
            _ => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        };
        let state_dir = file.node.state_dir.map_or_else(default_state_dir, |dir| expand_home(&dir));
        let exposure = Exposure::validate(&file.listen)?;
        let ingress = file.listen.ingress.as_ref().map_or(Ok(INGRESS), |typed| exposure.address(typed, None))?;
        let api = file.listen.api.as_ref().map_or(Ok(Some(API)), |typed| optional_address(typed, &exposure))?;
        let limits = Limits {
            failures_per_minute: at_least(file.limits.ingress_per_minute.as_ref(), 1, 600)?,
            api_per_minute: at_least(file.limits.api_per_minute.as_ref(), 1, 600)?,
            connections: at_least(file.limits.connections.as_ref(), 1, 1024)? as usize,
            queue: at_least(file.limits.queue.as_ref(), 1, 4096)? as usize,
        };
        let body_max = file.limits.body_max.as_ref().map(size).transpose()?;
        let default_channels = file.channels.is_empty();
        let mut channels = BTreeMap::new();
        for (key, channel) in &file.channels {
            let id: ChannelId = key.get_ref().parse().map_err(|e| Mistake::at(key, format!("{e}")))?;
            let channel = validate_channel(id.clone(), channel, body_max, &exposure)?;
            refuse_shared_path(key, &channel, &channels, ingress)?;
            listeners::refuse_other_tls(key, &channel, &channels, ingress, &exposure)?;
            channels.insert(id, channel);
        }
        if default_channels {
            channels = default_channel_set(&state_dir, body_max);
        }
        let federation = FederationConfig::new(&file.federation, &file.nodes, &file.listen, &node, &exposure, &source)?;
        let typed = file.listen.federation.as_ref();
        refuse_shared_address(&federation, typed, ingress, api, &channels)?;
        refuse_shared_api(api, file.listen.api.as_ref(), ingress, &channels)?;
        super::agent::check(&file.agent)?;
        let themes = ThemeLibrary::new(&file.tui.themes, path, &source)?;
        let theme = file.tui.theme.as_ref().map(|typed| themes.choice(typed)).transpose()?;
        let file_dir = path.and_then(Path::parent).map(Path::to_owned);
        let health = HealthConfig::new(&file.checks, &file.health, &state_dir, file_dir.as_deref(), &source)?;
        let commands = if file.commands.is_empty() {
            "here".parse().map(|here| harmless(&here)).unwrap_or_default()
        } else {
            commands(&file.commands, false, &super::prompts::places(&file.hosts)?, &source)?
        };
        name_checks(&file.commands, health.checks.iter().map(|check| &check.id))?;
        Ok(Self {
            node,
            state_dir,
            file_dir,
            ingress,
            exposure,
            public_url: file.listen.public_url.as_ref().map(public_url).transpose()?,
            api,
            operators: operators(&file.operators)?,
            limits,
            channels,
            body_max: body_max.unwrap_or(BODY_MAX),
            default_channels,
            vip: VipList::new(&file.contacts.vip),
            commit_batch: at_least(file.store.commit_batch.as_ref(), 1, 256)? as usize,
            hosts: hosts(&file.hosts)?,
            federation,
            health,
            commands,
            policy: PolicyConfig::new(&file.policy)?,
            agent_panes: AgentPanes::of(&file.agent, path.is_some()),
            theme: theme.unwrap_or_else(|| ThemeChoice::named(Theme::DEFAULT)),
            themes,
            keys: KeyMap::from_file(&file.keys, &source)?,
            terminal: TerminalConfig::of(&file.tui),
            read: ReadSecrets::default(),
            source,
        })
    }

    /// Reads the secrets of `channel`.
    ///
    /// # Errors
    /// The first that cannot be read, with its place in the file.
    pub fn read_secrets(&self, channel: &ChannelConfig) -> Result<Vec<Secret>, Box<ConfigError>> {
        let bases = self.bases();
        channel
            .secrets
            .iter()
            .map(|secret| {
                let read = secret.reference.read(&bases);
                let value = read.map_err(|error| self.mistake(channel, secret, &error.to_string()))?;
                self.read.note(&value);
                Ok(Secret::new(value, secret.not_after))
            })
            .collect()
    }

    /// A mistake about `secret`, with its place in the file.
    #[must_use]
    pub fn mistake(&self, channel: &ChannelConfig, secret: &ConfiguredSecret, why: &str) -> Box<ConfigError> {
        Box::new(self.mistake_at(secret.span.clone(), format!("channel `{}`: {why}", channel.id)))
    }

    /// A mistake that shows only when what the file names is read.
    pub(super) fn mistake_at(&self, span: Option<Range<usize>>, message: String) -> ConfigError {
        let Source { name: file, text: source } = self.source.clone();
        ConfigError { file, source, span, message, help: None }
    }

    /// Where relative files are looked for, in order.
    pub(super) fn bases(&self) -> Vec<&Path> {
        self.file_dir.as_deref().into_iter().chain([self.state_dir.as_path()]).collect()
    }

    /// Keeps everything durable in `dir` instead.
    pub fn move_to(&mut self, dir: &Path) {
        dir.clone_into(&mut self.state_dir);
        self.health.move_to(dir);
        if self.default_channels {
            for channel in self.channels.values_mut() {
                let reference = SecretRef::File(generated_secret_path(dir, &channel.id));
                channel.secrets = vec![ConfiguredSecret { reference, not_after: None, span: None }];
            }
        }
    }

    /// The file below the state directory that holds the generated secret of a default channel.
    #[must_use]
    pub fn generated_secret_path(&self, channel: &ChannelId) -> PathBuf {
        generated_secret_path(&self.state_dir, channel)
    }
}

impl ChannelConfig {
    /// Every address and path at which senders reach this channel.
    #[must_use]
    pub fn doors(&self, ingress: SocketAddr) -> Vec<(SocketAddr, String)> {
        let mut doors = vec![(ingress, format!("/hooks/{}", self.id))];
        let own = (self.listen.unwrap_or(ingress), self.path.clone());
        if !doors.contains(&own) {
            doors.push(own);
        }
        doors
    }
}

fn generated_secret_path(state_dir: &Path, channel: &ChannelId) -> PathBuf {
    state_dir.join("secrets").join(channel.as_str())
}

fn default_channel_set(state_dir: &Path, body_max: Option<u64>) -> BTreeMap<ChannelId, ChannelConfig> {
    ProviderKind::ALL
        .into_iter()
        .filter_map(|provider| {
            let id: ChannelId = provider.as_str().parse().ok()?;
            let reference = SecretRef::File(generated_secret_path(state_dir, &id));
            let channel = ChannelConfig {
                path: default_path(provider, &id),
                provider,
                listen: default_listen(provider),
                tls: None,
                public_url: None,
                secrets: vec![ConfiguredSecret { reference, not_after: None, span: None }],
                allow_from: Vec::new(),
                body_max: provider_body_max(provider, body_max),
                require_assurance: None,
                dedupe_window: DEDUPE_WINDOW,
                dedupe_pointer: None,
                id: id.clone(),
            };
            Some((id, channel))
        })
        .collect()
}

/// Seconds in which an equal body without an id counts as a repeat.
const DEDUPE_WINDOW: u32 = 600;

fn validate_channel(
    id: ChannelId,
    typed: &ChannelFile,
    body_max: Option<u64>,
    exposure: &Exposure,
) -> Result<ChannelConfig, Mistake> {
    let kind = typed.provider.get_ref();
    let provider: ProviderKind = kind.parse().map_err(|e: String| {
        let known = ProviderKind::ALL.map(ProviderKind::as_str).join(", ");
        Mistake::at(&typed.provider, e).help(format!("the providers are {known}"))
    })?;
    if typed.secrets.is_empty() {
        return Err(Mistake::at(&typed.provider, format!("channel `{id}` has no secrets"))
            .help("add: secrets = [\"env:NAME\"]; an unsigned delivery is never accepted"));
    }
    if provider != ProviderKind::Secret {
        let only_secret = |span| Mistake {
            span: Some(span),
            message: format!("a `{provider}` delivery names its event itself"),
            help: Some("remove this key; it is for provider = \"secret\"".into()),
        };
        if let Some(window) = &typed.dedupe_window {
            return Err(only_secret(file::span(window)));
        }
        if let Some(pointer) = &typed.dedupe_pointer {
            return Err(only_secret(file::span(pointer)));
        }
    }
    let path = match &typed.path {
        None => default_path(provider, &id),
        Some(path) => webhook_path(path)?,
    };
    let require_assurance = typed.require_assurance.as_ref().map(|level| required(provider, level)).transpose()?;
    let tls = typed.tls.as_ref().map(TlsFiles::typed);
    let own_max = typed.body_max.as_ref().map(size).transpose()?;
    Ok(ChannelConfig {
        id,
        provider,
        listen: typed.listen.as_ref().map(|listen| exposure.address(listen, tls.as_ref())).transpose()?,
        tls,
        path,
        public_url: typed.public_url.as_ref().map(public_url).transpose()?,
        secrets: typed.secrets.iter().map(secret).collect::<Result<_, _>>()?,
        allow_from: typed
            .allow_from
            .iter()
            .flatten()
            .map(|range| range.get_ref().parse().map_err(|e: String| Mistake::at(range, e)))
            .collect::<Result<_, _>>()?,
        body_max: own_max.unwrap_or_else(|| provider_body_max(provider, body_max)),
        require_assurance,
        dedupe_window: typed.dedupe_window.as_ref().map_or(DEDUPE_WINDOW, |window| *window.get_ref()),
        dedupe_pointer: typed.dedupe_pointer.as_ref().map(json_pointer).transpose()?,
    })
}

fn required(provider: ProviderKind, typed: &Spanned<String>) -> Result<Assurance, Mistake> {
    let level: Assurance = typed.get_ref().parse().map_err(|e: String| Mistake::at(typed, e))?;
    let best = match provider {
        ProviderKind::Mailgun => Assurance::TokenOnly,
        ProviderKind::Twilio => Assurance::Params,
        ProviderKind::Github | ProviderKind::Typeform => Assurance::Body,
        ProviderKind::Standard | ProviderKind::Secret => Assurance::BodyAndTime,
    };
    if level > best {
        return Err(Mistake::at(typed, format!("a `{provider}` signature never proves `{level}`"))
            .help(format!("`{best}` is the most it proves; every delivery would be refused")));
    }
    Ok(level)
}

fn secret(typed: &Spanned<SecretFile>) -> Result<ConfiguredSecret, Mistake> {
    let (reference, not_after) = match typed.get_ref() {
        SecretFile::Plain(reference) => (reference, None),
        SecretFile::Until { secret, not_after } => (secret, Some(not_after)),
    };
    let reference = reference.parse().map_err(|e: String| Mistake::at(typed, e))?;
    let not_after = not_after
        .map(|moment| {
            moment
                .parse::<Timestamp>()
                .map_err(|e| Mistake::at(typed, format!("not_after: {e}")).help("write it as 2030-01-01T00:00:00Z"))
        })
        .transpose()?;
    Ok(ConfiguredSecret { reference, not_after, span: Some(file::span(typed)) })
}

fn json_pointer(typed: &Spanned<String>) -> Result<String, Mistake> {
    if typed.get_ref().starts_with('/') {
        Ok(typed.get_ref().clone())
    } else {
        Err(Mistake::at(typed, "a JSON pointer begins with `/`").help("for example \"/data/id\""))
    }
}

fn webhook_path(typed: &Spanned<String>) -> Result<String, Mistake> {
    let path = typed.get_ref();
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%' | '"' | '<' | '>' | '\\');
    if path.starts_with('/') && path.len() > 1 && path.chars().all(plain) {
        Ok(path.clone())
    } else {
        Err(Mistake::at(typed, "a path begins with `/` and holds letters, digits and - . _ ~ / only"))
    }
}

/// Two channels on one address and path could not be told apart.
fn refuse_shared_path(
    key: &Spanned<String>,
    channel: &ChannelConfig,
    others: &BTreeMap<ChannelId, ChannelConfig>,
    ingress: SocketAddr,
) -> Result<(), Mistake> {
    let doors = channel.doors(ingress);
    let shared = others
        .values()
        .find_map(|other| other.doors(ingress).into_iter().find(|door| doors.contains(door)).map(|door| (other, door)));
    match shared {
        None => Ok(()),
        Some((other, (address, path))) => {
            Err(Mistake::at(key, format!("channels `{}` and `{}` both want {address}{path}", other.id, channel.id))
                .help("give one of them another `path` or `listen`"))
        }
    }
}

fn default_path(provider: ProviderKind, id: &ChannelId) -> String {
    match provider {
        ProviderKind::Github => "/github/webhook".to_owned(),
        ProviderKind::Mailgun => "/mailgun/webhook".to_owned(),
        ProviderKind::Typeform => "/typeform/webhook".to_owned(),
        ProviderKind::Twilio => "/whatsapp/webhook".to_owned(),
        ProviderKind::Standard | ProviderKind::Secret => format!("/hooks/{id}"),
    }
}

/// GitHub caps payloads at 25 MB (docs.github.com, "Webhook events and payloads"). Mailgun takes mails of 25 MB, which
/// grow by a third and more on their way here.
fn provider_body_max(provider: ProviderKind, configured: Option<u64>) -> u64 {
    let general = configured.unwrap_or(BODY_MAX);
    match provider {
        ProviderKind::Github => general.max(25 << 20),
        ProviderKind::Mailgun => general.max(40 << 20),
        ProviderKind::Standard | ProviderKind::Secret | ProviderKind::Typeform | ProviderKind::Twilio => general,
    }
}

/// The address of its own that a default channel has.
fn default_listen(provider: ProviderKind) -> Option<SocketAddr> {
    let port = match provider {
        ProviderKind::Mailgun => 9299,
        ProviderKind::Typeform => 9298,
        ProviderKind::Twilio => 9297,
        ProviderKind::Github | ProviderKind::Standard | ProviderKind::Secret => return None,
    };
    Some(SocketAddr::new(INGRESS.ip(), port))
}

fn optional_address(typed: &Spanned<String>, exposure: &Exposure) -> Result<Option<SocketAddr>, Mistake> {
    if typed.get_ref() == "off" { Ok(None) } else { exposure.address(typed, None).map(Some) }
}

/// Deliveries and the API cannot be told apart on one address.
fn refuse_shared_api(
    api: Option<SocketAddr>,
    typed: Option<&Spanned<String>>,
    ingress: SocketAddr,
    channels: &BTreeMap<ChannelId, ChannelConfig>,
) -> Result<(), Mistake> {
    let Some(api) = api else { return Ok(()) };
    let other = channels.values().find(|channel| channel.listen == Some(api));
    let other = match other {
        Some(channel) => format!("channel `{}`", channel.id),
        None if ingress == api => "listen.ingress".to_owned(),
        None => return Ok(()),
    };
    Err(Mistake {
        span: typed.map(file::span),
        message: format!("listen.api and {other} both want {api}"),
        help: Some("give listen.api another port, or turn it off: api = \"off\"".to_owned()),
    })
}

fn size(typed: &Spanned<String>) -> Result<u64, Mistake> {
    let ByteSize(bytes) = typed.get_ref().parse().map_err(|e: String| Mistake::at(typed, e))?;
    if bytes == 0 || bytes > BODY_CEILING {
        return Err(Mistake::at(typed, format!("a body limit is 1 B to {}", ByteSize(BODY_CEILING))));
    }
    Ok(bytes)
}

fn at_least(typed: Option<&Spanned<u32>>, least: u32, default: u32) -> Result<u32, Mistake> {
    match typed {
        None => Ok(default),
        Some(number) if *number.get_ref() >= least => Ok(*number.get_ref()),
        Some(number) => Err(Mistake::at(number, format!("must be at least {least}"))),
    }
}

pub(super) fn default_state_dir() -> PathBuf {
    let dirs = directories::ProjectDirs::from("", "", "aurora");
    let state = dirs.as_ref().map(|dirs| dirs.state_dir().unwrap_or(dirs.data_dir()).to_owned());
    state.unwrap_or_else(|| PathBuf::from(".aurora"))
}

pub(super) fn expand_home(typed: &str) -> PathBuf {
    let home = directories::BaseDirs::new();
    match (typed.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.home_dir().join(rest),
        _ => PathBuf::from(typed),
    }
}
