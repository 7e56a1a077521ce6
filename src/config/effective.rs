//! The configuration in effect, as data: to print it and to compare two.

use serde_json::{Map, Value, json};

use crate::model::ProviderKind;

use super::check_shown::shown_checks;
use super::commands_shown::shown_commands;
use super::host_shown::shown_hosts;
use super::{ByteSize, Config, ConfiguredSecret, TlsFiles};

fn tls(files: &TlsFiles) -> Value {
    json!({ "cert": files.cert, "key": files.key })
}

impl Config {
    /// The configuration in effect, as `config print` shows it and as two of them are compared. Secrets are
    /// references. A key that is missing here is a change nobody is told about.
    #[must_use]
    pub fn effective(&self) -> Value {
        let secret = |secret: &ConfiguredSecret| match secret.not_after {
            None => json!(secret.reference.to_string()),
            Some(end) => json!({ "secret": secret.reference.to_string(), "not_after": end.to_string() }),
        };
        let channels: Map<String, Value> = self
            .channels
            .values()
            .map(|channel| {
                let mut shown = json!({
                    "provider": channel.provider,
                    "path": channel.path,
                    "secrets": channel.secrets.iter().map(secret).collect::<Vec<_>>(),
                    "body_max": ByteSize(channel.body_max).to_string(),
                });
                if let Some(listen) = channel.listen {
                    shown["listen"] = json!(listen.to_string());
                }
                if let Some(files) = &channel.tls {
                    shown["tls"] = tls(files);
                }
                if let Some(url) = &channel.public_url {
                    shown["public_url"] = json!(url);
                }
                if !channel.allow_from.is_empty() {
                    shown["allow_from"] = json!(channel.allow_from.iter().map(ToString::to_string).collect::<Vec<_>>());
                }
                if let Some(level) = channel.require_assurance {
                    shown["require_assurance"] = json!(level);
                }
                if channel.provider == ProviderKind::Secret {
                    shown["dedupe_window"] = json!(channel.dedupe_window);
                    if let Some(pointer) = &channel.dedupe_pointer {
                        shown["dedupe_pointer"] = json!(pointer);
                    }
                }
                (channel.id.to_string(), shown)
            })
            .collect();
        let operators: Map<String, Value> = self
            .operators
            .iter()
            .map(|(name, operator)| {
                let mut shown = json!({ "role": operator.role });
                if let Some(uid) = operator.unix {
                    shown["unix"] = json!(uid);
                }
                if let Some(key) = &operator.ssh_key {
                    shown["ssh_key"] = json!(key);
                }
                (name.to_string(), shown)
            })
            .collect();
        let mut listen = json!({
            "ingress": self.ingress.to_string(),
            "api": self.api.map_or_else(|| "off".to_owned(), |address| address.to_string()),
            "federation": self.federation.listen.map_or_else(|| "off".to_owned(), |address| address.to_string()),
            "behind_proxy": self.exposure.behind_proxy,
            "trusted_proxies": self.exposure.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        if let Some(files) = &self.exposure.tls {
            listen["tls"] = tls(files);
        }
        if let Some(url) = &self.public_url {
            listen["public_url"] = json!(url);
        }
        json!({
            "node": { "name": self.node, "state_dir": self.state_dir },
            "listen": listen,
            "limits": {
                "ingress_per_minute": self.limits.failures_per_minute,
                "api_per_minute": self.limits.api_per_minute,
                "body_max": ByteSize(self.body_max).to_string(),
                "connections": self.limits.connections,
                "queue": self.limits.queue,
            },
            "commands": shown_commands(&self.commands),
            "policy": self.policy.shown(),
            "agent": { "panes": self.agent_panes },
            "contacts": { "vip": self.vip.patterns() },
            "store": { "commit_batch": self.commit_batch },
            "health": {
                "witnesses": self.health.witnesses.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "need": self.health.need,
            },
            "federation": self.federation.shown(),
            "nodes": self.federation.shown_nodes(),
            "hosts": shown_hosts(&self.hosts),
            "checks": shown_checks(&self.health),
            "tui": {
                "theme": self.theme,
                "themes": self.themes.typed(),
                "sync": self.terminal.sync,
                "lite": self.terminal.lite,
                "mouse": self.terminal.mouse,
                "title": self.terminal.title,
            },
            "keys": self.keys.effective(),
            "operators": operators,
            "channels": channels,
        })
    }

    /// The file it came from, as it was named.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source.name
    }

    /// The text of that file; `None` where the defaults are in force because there is no file.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.file_dir.as_ref().map(|_| self.source.text.as_str())
    }
}
