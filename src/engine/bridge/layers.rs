//! Which layer leads to a host, with what it needs of this engine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bridge::layers::local;
use crate::config::{Config, LayerConfig};

use super::roads::OpenRoad;

/// Opens every kind of layer there is.
#[must_use]
pub(in super::super) fn every_layer() -> OpenRoad {
    Arc::new(|config, host, layer, term, news| match layer {
        LayerConfig::Local => Ok(Arc::new(local::open(this_machine(config), host.name.clone(), term, news))),
        other => Err(format!("the layer {} is not there", other.kind())),
    })
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
