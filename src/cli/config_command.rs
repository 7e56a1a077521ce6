//! `aurora config`

use std::os::unix::fs::OpenOptionsExt;

use serde_json::json;

use crate::config::{ByteSize, Config, ConfigFile, ConfiguredSecret, EXAMPLE, default_config_path};
use crate::ingress::Channel;

use super::args::{ConfigCommand, Global};
use super::exit::{Exit, Failure, Outcome};
use super::load::load;
use super::output;

pub(super) fn run(command: ConfigCommand, global: &Global) -> Outcome {
    match command {
        ConfigCommand::Init => init(global),
        ConfigCommand::Check => check(global),
        ConfigCommand::Print(json) => {
            let config = load(global)?;
            if json.json {
                output::json(&effective(&config))?;
            } else {
                let text =
                    toml::to_string_pretty(&effective(&config)).map_err(|error| Failure::new(Exit::Failed, error))?;
                output::lines(text.trim_end())?;
            }
            Ok(Exit::Fine)
        }
        ConfigCommand::Schema => {
            output::json(&schemars::schema_for!(ConfigFile))?;
            Ok(Exit::Fine)
        }
    }
}

fn init(global: &Global) -> Outcome {
    use std::io::Write;

    let path = global.config.clone().or_else(default_config_path);
    let path = path.ok_or_else(|| Failure::usage("there is no home directory; name a file with --config"))?;
    let shown = path.display();
    let fail = |error: std::io::Error| Failure::new(Exit::Failed, format!("failed to write {shown}: {error}"));
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    match std::fs::File::options().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => file.write_all(EXAMPLE.as_bytes()).map_err(fail)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::new(Exit::Failed, format!("{shown} is there already; it is not overwritten")));
        }
        Err(error) => return Err(fail(error)),
    }
    output::line(&format!("{shown} is written; every active line in it is the default"))?;
    Ok(Exit::Fine)
}

fn check(global: &Global) -> Outcome {
    let config = load(global)?;
    let mut problems = Vec::new();
    if !config.default_channels {
        for channel in config.channels.values() {
            if let Err(problem) = Channel::new(&config, channel.clone()) {
                problems.push(problem.to_string());
            }
        }
    }
    if !problems.is_empty() {
        return Err(Failure::usage(problems.join("\n")));
    }
    let from = global.config.clone().or_else(default_config_path).filter(|path| path.exists());
    let from = from.map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string());
    output::line(&format!("{from}: no mistake, {} channels", config.channels.len()))?;
    Ok(Exit::Fine)
}

/// The configuration in effect. Secrets are shown as references.
fn effective(config: &Config) -> serde_json::Value {
    let secret = |secret: &ConfiguredSecret| match secret.not_after {
        None => json!(secret.reference.to_string()),
        Some(end) => json!({ "secret": secret.reference.to_string(), "not_after": end.to_string() }),
    };
    let channels: serde_json::Map<String, serde_json::Value> = config
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
            if !channel.allow_from.is_empty() {
                shown["allow_from"] = json!(channel.allow_from.iter().map(ToString::to_string).collect::<Vec<_>>());
            }
            if let Some(level) = channel.require_assurance {
                shown["require_assurance"] = json!(level);
            }
            if channel.provider == crate::model::ProviderKind::Secret {
                shown["dedupe_window"] = json!(channel.dedupe_window);
                if let Some(pointer) = &channel.dedupe_pointer {
                    shown["dedupe_pointer"] = json!(pointer);
                }
            }
            (channel.id.to_string(), shown)
        })
        .collect();
    json!({
        "node": { "name": config.node, "state_dir": config.state_dir },
        "listen": { "ingress": config.ingress.to_string() },
        "limits": {
            "ingress_per_minute": config.limits.failures_per_minute,
            "body_max": ByteSize(config.body_max).to_string(),
            "connections": config.limits.connections,
            "queue": config.limits.queue,
        },
        "contacts": { "vip": config.vip.patterns() },
        "store": { "commit_batch": config.commit_batch },
        "tui": { "theme": config.theme },
        "channels": channels,
    })
}
