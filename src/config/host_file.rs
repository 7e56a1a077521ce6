//! `[hosts.<name>]` as it was typed.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::hosts::PaneRecord;

/// `[hosts.<name>]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostFile {
    /// `local`, `socket`, `tmux`, `trigger`, `exec`, in the order they are tried; `manual` is always last. When absent:
    /// those whose tables there are.
    #[schemars(with = "Option<Vec<String>>")]
    pub layers: Option<Vec<Spanned<String>>>,
    /// Words that name groups of hosts; `@web` is every host with `web`.
    #[schemars(with = "Vec<String>")]
    pub labels: Vec<Spanned<String>>,
    /// Jobs that may run there at once, 4 when absent.
    #[schemars(with = "Option<u32>")]
    pub at_once: Option<Spanned<u32>>,
    /// The agent's socket.
    #[schemars(with = "Option<SocketFile>")]
    pub socket: Option<Spanned<SocketFile>>,
    /// The way there by ssh; for the layers `tmux` and `exec`.
    #[schemars(with = "Option<SshFile>")]
    pub ssh: Option<Spanned<SshFile>>,
    /// Its tmux server.
    pub tmux: Option<TmuxFile>,
    /// The directory both sides see.
    #[schemars(with = "Option<TriggerFile>")]
    pub trigger: Option<Spanned<TriggerFile>>,
}

/// `socket` of a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SocketFile {
    /// `ADDRESS:PORT`, or `unix:PATH`.
    #[schemars(with = "String")]
    pub addr: Spanned<String>,
    /// A reference to the host's key, which engine and agent share.
    #[schemars(with = "String")]
    pub key: Spanned<String>,
    /// SHA-256 of the agent's certificate, 64 hexadecimal digits.
    #[schemars(with = "Option<String>")]
    pub pin: Option<Spanned<String>>,
}

/// `ssh` of a host. The operator's own `ssh_config` is not read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshFile {
    /// `[user@]host`.
    #[schemars(with = "String")]
    pub target: Spanned<String>,
    /// The port, 22 when absent.
    #[schemars(with = "Option<u16>")]
    pub port: Option<Spanned<u16>>,
    /// The only private key that is offered; ssh's own defaults and the ssh agent when absent.
    #[schemars(with = "Option<String>")]
    pub identity: Option<Spanned<String>>,
    /// The only file of host keys; ssh's own defaults when absent.
    #[schemars(with = "Option<String>")]
    pub known_hosts: Option<Spanned<String>>,
    /// Hosts on the way, in order, each `[user@]host[:port]`.
    #[schemars(with = "Vec<String>")]
    #[serde(default)]
    pub jump: Vec<Spanned<String>>,
    /// The binary on the host, `aurora` when absent.
    #[schemars(with = "Option<String>")]
    pub agent: Option<Spanned<String>>,
    /// Its configuration there; where it looks by itself when absent.
    #[schemars(with = "Option<String>")]
    pub agent_config: Option<Spanned<String>>,
}

/// `tmux` of a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TmuxFile {
    /// The session that is watched; all when absent.
    #[schemars(with = "Option<String>")]
    pub session: Option<Spanned<String>>,
    /// Another tmux server, as `tmux -L NAME`.
    #[schemars(with = "Option<String>")]
    pub socket: Option<Spanned<String>>,
    /// What is recorded by itself: `drive`, what an operator types into; `watch`, what one watches, too; `off` when absent.
    pub record: Option<PaneRecord>,
}

/// `trigger` of a host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerFile {
    /// The directory, as this machine sees it.
    #[schemars(with = "String")]
    pub dir: Spanned<String>,
    /// A reference to the host's key; that of `socket` when absent.
    #[schemars(with = "Option<String>")]
    pub key: Option<Spanned<String>>,
}
