//! `aurora config`

use std::os::unix::fs::OpenOptionsExt;

use crate::config::{ConfigFile, EXAMPLE, default_config_path};
use crate::engine::certificates;
use crate::ingress::{Certificates, Channel};
use crate::model::counted;

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
                output::json(&config.effective())?;
            } else {
                let text =
                    toml::to_string_pretty(&config.effective()).map_err(|error| Failure::new(Exit::Failed, error))?;
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
    if let Err(problem) = certificates(&config, &Certificates::new()) {
        problems.push(problem.to_string());
    }
    problems.extend(
        config
            .health
            .checks
            .iter()
            .filter_map(|check| config.check_target(check).err())
            .map(|problem| problem.to_string()),
    );
    if !problems.is_empty() {
        return Err(Failure::usage(problems.join("\n")));
    }
    let from = global.config.clone().or_else(default_config_path).filter(|path| path.exists());
    let from = from.map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string());
    output::line(&format!(
        "{from}: no mistake, {}, {}",
        counted(config.channels.len(), "channel"),
        counted(config.health.checks.len(), "check")
    ))?;
    Ok(Exit::Fine)
}
