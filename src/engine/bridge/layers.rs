//! Which layer leads to a host, with what it needs of this engine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bridge::SshCall;
use crate::bridge::layers::{exec, local, socket, tmux, trigger};
use crate::config::{Config, ConfiguredSecret, HostConfig, LayerConfig, SshConfig};
use crate::net::AgentKey;

use super::roads::OpenRoad;

/// Opens every kind of layer there is.
#[must_use]
pub(in super::super) fn every_layer() -> OpenRoad {
    Arc::new(|config, host, layer, term, news| match layer {
        LayerConfig::Local => Ok(Arc::new(local::open(this_machine(config), host.name.clone(), term, news))),
        LayerConfig::Socket(to) => {
            let spec = socket::SocketSpec { place: to.place.clone(), key: key(config, host, &to.key)?, pin: to.pin };
            Ok(Arc::new(socket::open(spec, host.name.clone(), term, news)))
        }
        LayerConfig::Trigger(to) => {
            let spec = trigger::TriggerSpec { dir: to.dir.clone(), key: key(config, host, &to.key)? };
            Ok(Arc::new(trigger::open(spec, host.name.clone(), term, news)))
        }
        LayerConfig::Tmux(ssh) => Ok(Arc::new(tmux::open(call(config, host, ssh), host.name.clone(), term, news))),
        LayerConfig::Exec(ssh) => Ok(Arc::new(exec::open(call(config, host, ssh), host.name.clone(), term, news))),
        LayerConfig::Manual => Err("a person is no road that opens by itself".to_owned()),
    })
}

/// The key that engine and agent of `host` share.
fn key(config: &Config, host: &HostConfig, secret: &ConfiguredSecret) -> Result<AgentKey, String> {
    let secret = config.read_host_key(&host.name, secret).map_err(|error| error.message)?;
    AgentKey::new(secret).map_err(|weak| weak.to_string())
}

/// How ssh is called for a host; the files it reads are in the state directory.
fn call(config: &Config, host: &HostConfig, ssh: &SshConfig) -> SshCall {
    SshCall::new(&host.name, ssh, &config.state_dir.join("ssh"))
}

/// The agent of this machine: this program, with the configuration of this engine. Its journal is in the state
/// directory, so two engines of one user share no host by accident.
fn this_machine(config: &Config) -> local::LocalSpec {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aurora"));
    let mut options: Vec<OsString> = vec!["--state-dir".into(), config.state_dir.clone().into()];
    if config.text().is_some() {
        options.extend(["--config".into(), config.source().into()]);
    }
    local::LocalSpec { program, options }
}
