//! `[hosts.*]`: the machines commands run on, and the roads to them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::model::{Endpoint, HostName, Label, LayerKind, SshPlace, is_remote_path, nearest};

use super::file;
use super::host_file::{HostFile, SocketFile, SshFile, TmuxFile, TriggerFile};
use super::mistake::Mistake;
use super::resolved::expand_home;
use super::{Config, ConfigError, ConfiguredSecret};

/// Jobs that may run on a host at once, where nothing is written.
const AT_ONCE: u32 = 4;
/// No host runs more at once, whatever is written.
const AT_ONCE_MAX: u32 = 64;
/// Hosts a file may name.
const MOST: usize = 10_000;

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// Its name.
    pub name: HostName,
    /// Its labels.
    pub labels: Vec<Label>,
    /// The roads to it, in the order they are tried; the last is [`LayerConfig::Manual`].
    pub layers: Vec<LayerConfig>,
    /// Jobs that may run there at once, 1 to 64.
    pub at_once: u32,
    /// Where it is reached by ssh, whether or not a layer uses it.
    pub ssh: Option<SshConfig>,
    /// Its tmux server.
    pub tmux: TmuxConfig,
}

impl HostConfig {
    /// The kinds of its layers, in the order they are tried.
    #[must_use]
    pub fn kinds(&self) -> Vec<LayerKind> {
        self.layers.iter().map(LayerConfig::kind).collect()
    }
}

/// A road to a host, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerConfig {
    /// A child `aurora agent stdio` on this machine.
    Local,
    /// The agent's socket.
    Socket(SocketConfig),
    /// One long-lived `aurora agent stdio` over ssh.
    Tmux(SshConfig),
    /// Files in a directory both sides see.
    Trigger(TriggerConfig),
    /// One fresh ssh connection a question.
    Exec(SshConfig),
    /// A person who pastes a line.
    Manual,
}

impl LayerConfig {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Local => LayerKind::Local,
            Self::Socket(_) => LayerKind::Socket,
            Self::Tmux(_) => LayerKind::Tmux,
            Self::Trigger(_) => LayerKind::Trigger,
            Self::Exec(_) => LayerKind::Exec,
            Self::Manual => LayerKind::Manual,
        }
    }
}

/// Where an agent's socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketPlace {
    /// A name or address, and a port.
    Tcp(Endpoint),
    /// A unix socket on this machine.
    Unix(PathBuf),
}

impl fmt::Display for SocketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => write!(f, "{endpoint}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The agent's socket, and how both sides prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketConfig {
    /// Where it is.
    pub place: SocketPlace,
    /// The host's key.
    pub key: ConfiguredSecret,
    /// SHA-256 of the agent's certificate.
    pub pin: Option<[u8; 32]>,
}

/// The way to a host by ssh. Nothing in it is taken for an option or another word, by ssh or by a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshConfig {
    /// Where it is; without a port.
    pub place: SshPlace,
    /// The port.
    pub port: u16,
    /// The only private key that is offered.
    pub identity: Option<PathBuf>,
    /// The only file of host keys.
    pub known_hosts: Option<PathBuf>,
    /// Hosts on the way, in order.
    pub jump: Vec<SshPlace>,
    /// The binary on the host.
    pub agent: String,
    /// Its configuration there.
    pub agent_config: Option<String>,
}

/// A directory both sides see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerConfig {
    /// Where it is on this machine.
    pub dir: PathBuf,
    /// The host's key.
    pub key: ConfiguredSecret,
}

/// The tmux server of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TmuxConfig {
    /// The session that is watched; all when `None`.
    pub session: Option<String>,
    /// Another server, as `tmux -L NAME`.
    pub socket: Option<String>,
    /// What of it is recorded by itself.
    pub record: PaneRecord,
}

impl TmuxConfig {
    /// Whether both look at the same panes.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        (&self.session, &self.socket) == (&other.session, &other.socket)
    }
}

/// Which panes of a host are recorded without anybody saying so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PaneRecord {
    /// None.
    #[default]
    Off,
    /// Those that an operator types into, for as long.
    Drive,
    /// Those that an operator watches, too.
    Watch,
}

/// The hosts by name.
pub type Hosts = BTreeMap<HostName, HostConfig>;

/// Validates the table `[hosts]`; this machine where it is empty.
pub(super) fn hosts(typed: &BTreeMap<Spanned<String>, HostFile>) -> Result<Hosts, Mistake> {
    if typed.is_empty() {
        return Ok(this_machine());
    }
    let mut hosts = Hosts::new();
    for (key, host) in typed {
        let name: HostName = key.get_ref().parse().map_err(|e| Mistake::at(key, format!("{e}")))?;
        if hosts.len() >= MOST {
            return Err(Mistake::at(key, format!("a file may name at most {MOST} hosts")));
        }
        hosts.insert(name.clone(), validate(name, key, host)?);
    }
    Ok(hosts)
}

/// This machine as the only host, for a file that names none.
fn this_machine() -> Hosts {
    let here = "here".parse().ok().map(|name: HostName| HostConfig {
        name,
        labels: Vec::new(),
        layers: vec![LayerConfig::Local, LayerConfig::Manual],
        at_once: AT_ONCE,
        ssh: None,
        tmux: TmuxConfig::default(),
    });
    here.into_iter().map(|host| (host.name.clone(), host)).collect()
}

fn validate(name: HostName, key: &Spanned<String>, typed: &HostFile) -> Result<HostConfig, Mistake> {
    let mut labels = Vec::new();
    for label in &typed.labels {
        let parsed: Label = label.get_ref().parse().map_err(|e| Mistake::at(label, format!("{e}")))?;
        if labels.contains(&parsed) {
            return Err(Mistake::at(label, format!("label `{parsed}` is there already")));
        }
        labels.push(parsed);
    }
    let at_once = match &typed.at_once {
        None => AT_ONCE,
        Some(number) if (1..=AT_ONCE_MAX).contains(number.get_ref()) => *number.get_ref(),
        Some(number) => return Err(Mistake::at(number, format!("a host runs 1 to {AT_ONCE_MAX} jobs at once"))),
    };
    let socket = typed.socket.as_ref().map(|typed| socket(typed.get_ref())).transpose()?;
    let roads = Roads {
        trigger: typed.trigger.as_ref().map(|typed| trigger(typed, socket.as_ref())).transpose()?,
        socket,
        ssh: typed.ssh.as_ref().map(|typed| ssh(typed.get_ref())).transpose()?,
    };
    let mut layers = match &typed.layers {
        None => roads.all(),
        Some(typed) => typed.iter().enumerate().try_fold(Vec::new(), |before, (at, layer)| {
            let is_last = at + 1 == typed.len();
            roads.add(layer, before, is_last)
        })?,
    };
    if layers.is_empty() && typed.layers.as_ref().is_none_or(Vec::is_empty) {
        return Err(Mistake::at(key, format!("no layer leads to host `{name}`"))
            .help("give it `socket`, `ssh` or `trigger`, or layers = [\"local\"] when it is this machine"));
    }
    layers.push(LayerConfig::Manual);
    let tmux = typed.tmux.as_ref().map(tmux).transpose()?.unwrap_or_default();
    Ok(HostConfig { name, labels, layers, at_once, ssh: roads.ssh, tmux })
}

/// The tables a host has.
struct Roads {
    socket: Option<SocketConfig>,
    ssh: Option<SshConfig>,
    trigger: Option<TriggerConfig>,
}

impl Roads {
    /// The layer of this kind, if its table is there; `manual` needs none and is put last by whoever asks.
    fn layer(&self, kind: LayerKind) -> Option<LayerConfig> {
        match kind {
            LayerKind::Local => Some(LayerConfig::Local),
            LayerKind::Socket => self.socket.clone().map(LayerConfig::Socket),
            LayerKind::Tmux => self.ssh.clone().map(LayerConfig::Tmux),
            LayerKind::Trigger => self.trigger.clone().map(LayerConfig::Trigger),
            LayerKind::Exec => self.ssh.clone().map(LayerConfig::Exec),
            LayerKind::Manual => Some(LayerConfig::Manual),
        }
    }

    /// Every layer there is a table for, in the usual order.
    fn all(&self) -> Vec<LayerConfig> {
        let kinds = [LayerKind::Socket, LayerKind::Tmux, LayerKind::Trigger, LayerKind::Exec];
        kinds.into_iter().filter_map(|kind| self.layer(kind)).collect()
    }

    fn add(
        &self,
        typed: &Spanned<String>,
        mut before: Vec<LayerConfig>,
        is_last: bool,
    ) -> Result<Vec<LayerConfig>, Mistake> {
        let kind: LayerKind = typed.get_ref().parse().map_err(|error: String| {
            let mistake = Mistake::at(typed, error);
            match nearest(typed.get_ref(), LayerKind::ALL.into_iter().map(LayerKind::as_str)) {
                Some(name) => mistake.help(format!("did you mean `{name}`?")),
                None => mistake,
            }
        })?;
        if before.iter().any(|layer| layer.kind() == kind) {
            return Err(Mistake::at(typed, format!("layer `{kind}` is there already")));
        }
        if kind == LayerKind::Manual {
            let help = "leave it out, or write it last; it is always there";
            return if is_last { Ok(before) } else { Err(Mistake::at(typed, "`manual` is always last").help(help)) };
        }
        let table = if matches!(kind, LayerKind::Tmux | LayerKind::Exec) { "ssh" } else { kind.as_str() };
        let layer = self.layer(kind).ok_or_else(|| {
            Mistake::at(typed, format!("layer `{kind}` needs the table `{table}` of this host"))
                .help(format!("add: {}", example(table)))
        })?;
        before.push(layer);
        Ok(before)
    }
}

fn example(table: &str) -> &'static str {
    match table {
        "socket" => "socket = { addr = \"127.0.0.1:8899\", key = \"file:secrets/NAME\" }",
        "ssh" => "ssh = { target = \"ops@host.example.org\" }",
        _ => "trigger = { dir = \"/mnt/host/spool\", key = \"file:secrets/NAME\" }",
    }
}

fn socket(typed: &SocketFile) -> Result<SocketConfig, Mistake> {
    let text = typed.addr.get_ref();
    let place = match text.strip_prefix("unix:") {
        Some(path) => SocketPlace::Unix(path_here(&typed.addr, path)?),
        None => text.parse().map(SocketPlace::Tcp).map_err(|error| {
            Mistake::at(&typed.addr, format!("{error}")).help("write it as \"10.0.0.7:8899\" or \"unix:PATH\"")
        })?,
    };
    let pin = typed.pin.as_ref().map(|typed| {
        let digits = typed.get_ref().strip_prefix("sha256:").unwrap_or(typed.get_ref());
        let mut pin = [0; 32];
        hex::decode_to_slice(digits, &mut pin).map(|()| pin).map_err(|_| {
            Mistake::at(typed, "a pin is the SHA-256 of a certificate: 64 hexadecimal digits")
                .help("`aurora agent` prints it when it starts")
        })
    });
    Ok(SocketConfig { place, key: reference(&typed.key)?, pin: pin.transpose()? })
}

fn trigger(typed: &Spanned<TriggerFile>, socket: Option<&SocketConfig>) -> Result<TriggerConfig, Mistake> {
    let TriggerFile { dir, key } = typed.get_ref();
    let key = match (key, socket) {
        (Some(key), _) => reference(key)?,
        (None, Some(socket)) => socket.key.clone(),
        (None, None) => {
            return Err(Mistake::at(
                typed,
                "files of a trigger directory are signed with the host's key, and it has none",
            )
            .help("add to it: key = \"file:secrets/NAME\""));
        }
    };
    Ok(TriggerConfig { dir: path_here(dir, dir.get_ref())?, key })
}

fn ssh(typed: &SshFile) -> Result<SshConfig, Mistake> {
    let place = |typed: &Spanned<String>| {
        typed.get_ref().parse::<SshPlace>().map_err(|error| Mistake::at(typed, error.to_string()))
    };
    let target = place(&typed.target)?;
    if target.port().is_some() {
        return Err(Mistake::at(&typed.target, "the port has a key of its own")
            .help("write it as: target = \"ops@host.example.org\", port = 2222"));
    }
    let port = match &typed.port {
        None => 22,
        Some(port) if *port.get_ref() > 0 => *port.get_ref(),
        Some(port) => return Err(Mistake::at(port, "a port is a number from 1 to 65535")),
    };
    let file = |typed: &Spanned<String>| ssh_file(typed);
    let remote = |typed: &Spanned<String>| {
        let rule = "the shell on the host reads it: letters, digits and / . _ ~ + - only";
        if is_remote_path(typed.get_ref()) { Ok(typed.get_ref().clone()) } else { Err(Mistake::at(typed, rule)) }
    };
    Ok(SshConfig {
        place: target,
        port,
        identity: typed.identity.as_ref().map(file).transpose()?,
        known_hosts: typed.known_hosts.as_ref().map(file).transpose()?,
        jump: typed.jump.iter().map(place).collect::<Result<_, _>>()?,
        agent: typed.agent.as_ref().map(remote).transpose()?.unwrap_or_else(|| "aurora".to_owned()),
        agent_config: typed.agent_config.as_ref().map(remote).transpose()?,
    })
}

/// tmux resolves targets and formats in names, so only plain words are let in.
pub(super) fn tmux_word(typed: &Spanned<String>) -> Result<String, Mistake> {
    let text = typed.get_ref();
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let plain = !text.is_empty() && text.len() <= 64 && !text.starts_with('-') && text.chars().all(safe);
    if plain { Ok(text.clone()) } else { Err(Mistake::at(typed, "1 to 64 letters, digits, _ and -")) }
}

pub(super) fn tmux(typed: &TmuxFile) -> Result<TmuxConfig, Mistake> {
    Ok(TmuxConfig {
        session: typed.session.as_ref().map(tmux_word).transpose()?,
        socket: typed.socket.as_ref().map(tmux_word).transpose()?,
        record: typed.record.unwrap_or_default(),
    })
}

fn reference(typed: &Spanned<String>) -> Result<ConfiguredSecret, Mistake> {
    let reference = typed.get_ref().parse().map_err(|error: String| Mistake::at(typed, error))?;
    Ok(ConfiguredSecret { reference, not_after: None, span: Some(file::span(typed)) })
}

fn path_here<T>(typed: &Spanned<T>, text: &str) -> Result<PathBuf, Mistake> {
    let path = expand_home(text);
    if path.is_absolute() && !text.contains('\0') {
        return Ok(path);
    }
    Err(Mistake::at(typed, "a path begins with / or ~/"))
}

/// A file that ssh reads. ssh expands `%` and `${}` in it and ends a word at a quote, so none of them is let in.
fn ssh_file(typed: &Spanned<String>) -> Result<PathBuf, Mistake> {
    let text = typed.get_ref();
    if text.chars().any(|c| c.is_control() || matches!(c, '%' | '$' | '"' | '\'' | '\\')) {
        return Err(Mistake::at(
            typed,
            "ssh reads % $ quotes and \\ in a path as something else; name the file otherwise",
        ));
    }
    path_here(typed, text)
}

impl Config {
    /// Reads a key of `host`.
    ///
    /// # Errors
    /// When it cannot be read, with its place in the file.
    pub fn read_host_key(&self, host: &HostName, key: &ConfiguredSecret) -> Result<SecretString, Box<ConfigError>> {
        let read = key.reference.read(&self.bases()).inspect(|value| self.read.note(value));
        read.map_err(|error| Box::new(self.mistake_at(key.span.clone(), format!("host `{host}`: {error}"))))
    }
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
