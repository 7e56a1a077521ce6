//! The configuration a command works with.

use crate::config::{self, Config};

use super::args::Global;
use super::exit::Failure;

/// The configuration this command works with.
pub(super) fn load(global: &Global) -> Result<Config, Failure> {
    let mut config = config::load(global.config.as_deref())?;
    if let Some(dir) = &global.state_dir {
        config.move_to(dir);
    }
    if let Some(theme) = &global.theme {
        config.theme.clone_from(theme);
    }
    Ok(config)
}
