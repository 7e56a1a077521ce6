//! The configuration a command works with.

use crate::config::{self, Config, ConfigError, ThemeChoice, default_config_path};
use crate::engine::Origin;

use super::args::Global;
use super::exit::Failure;
use super::output;

/// The configuration this command works with.
pub(super) fn load(global: &Global) -> Result<Config, Failure> {
    Ok(read(global)?)
}

/// The same for a command that only asks a running engine. A mistake in the file is no reason not to: the engine
/// goes on with what it had, and what is wrong is perhaps the question. It is told all the same.
pub(super) fn load_to_ask(global: &Global) -> Result<Config, Failure> {
    let error = match read(global) {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    let dir = global.state_dir.clone().or_else(|| config::state_dir(global.config.as_deref()));
    let Some(dir) = dir else { return Err(error.into()) };
    output::aside(&error.to_string());
    let mut config = config::parse("", None)?;
    config.move_to(&dir);
    overrule(&mut config, global);
    Ok(config)
}

/// Where the engine reads it again; what the command line says stays in force.
pub(super) fn origin(global: &Global) -> Origin {
    let path = global.config.clone().or_else(default_config_path);
    let global = global.clone();
    Origin { path, load: Box::new(move || read(&global)) }
}

fn read(global: &Global) -> Result<Config, Box<ConfigError>> {
    let mut config = config::load(global.config.as_deref())?;
    overrule(&mut config, global);
    Ok(config)
}

/// What the command line says counts more than the file.
fn overrule(config: &mut Config, global: &Global) {
    if let Some(dir) = &global.state_dir {
        config.move_to(dir);
    }
    if let Some(theme) = &global.theme {
        config.theme = ThemeChoice::named(theme);
    }
}
