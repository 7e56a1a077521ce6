//! From the command line to the command.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::net;
use crate::{screen, tui};

use super::args::{Cli, Command};
use super::exit::{Exit, Failure, Outcome};
use super::load::{load, load_to_ask};
use super::{
    access, agent, approval, audit, channels, checks, config_command, contacts, demo, elsewhere, events, host, inbox,
    job, keys, node, orders, output, pane, rollout, run_command, send_test, serve, status, stdio, tasks, theme, watch,
};

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    net::install_provider();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistake, and go to standard output; nothing helps when that is closed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Fine.into() };
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, text }) => {
            // Text from outside may be part of it: a file name, a key.
            let text = screen::lines(&text);
            let label = if text.starts_with("error") { "" } else { "error: " };
            let _ = writeln!(std::io::stderr(), "{label}{text}");
            exit.into()
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let global = cli.global;
    elsewhere::check(&global, cli.command.as_ref())?;
    if global.ascii || tui::is_ascii_locale(|name| std::env::var(name).unwrap_or_default()) {
        output::only_ascii();
    }
    if let Some(Command::Config(command)) = cli.command {
        return config_command::run(command, &global);
    }
    if let Some(Command::Keys(command)) = cli.command {
        return keys::run(command, &load(&global)?);
    }
    if let Some(Command::Demo(args)) = cli.command {
        return on_runtime(demo::run(&args, &global));
    }
    if let Some(Command::Agent(args)) = cli.command {
        return agent::run(args, &global);
    }
    if let Some(Command::Theme(command)) = &cli.command {
        return theme::run(command, &load(&global)?);
    }
    let config = match &cli.command {
        Some(
            Command::Attach(_) | Command::Status(_) | Command::Watch { .. } | Command::Do { .. } | Command::Task(_),
        ) => load_to_ask(&global)?,
        _ => load(&global)?,
    };
    on_runtime(async {
        match cli.command {
            None => Box::pin(super::screen::run(config, None, &global)).await,
            Some(Command::Open { place }) => Box::pin(super::screen::open(config, &place.join(" "), &global)).await,
            Some(Command::Attach(args)) if args.stdio => stdio::run(&config, args.key.as_deref(), &global).await,
            Some(Command::Attach(args)) => super::screen::attach(&config, &args, &global).await,
            Some(Command::Serve { strict, ingest_only }) => serve::run(config, strict, ingest_only, &global).await,
            Some(Command::Status(json)) => status::run(&config, json.json).await,
            Some(Command::Watch { json, plain, since }) => watch::run(&config, json.json, plain, since).await,
            Some(Command::Do { list: true, json, .. }) => orders::list(json.json),
            Some(Command::Do { line, json, .. }) => orders::run(&config, &global, &line.join(" "), json.json).await,
            Some(Command::Task(command)) => tasks::run(command, &config, &global).await,
            Some(Command::Events(command)) => events::run(command, &config, &global).await,
            Some(Command::Inbox(command)) => inbox::run(command, &config, &global).await,
            Some(Command::Contact(command)) => contacts::run(command, &config, &global).await,
            Some(Command::Channel(command)) => channels::run(command, &config, &global).await,
            Some(Command::Check(command)) => checks::run(command, &config, &global).await,
            Some(Command::Approval(command)) => approval::run(command, &config, &global).await,
            Some(Command::Audit(command)) => audit::run(command, &config, &global).await,
            Some(Command::Access(command)) => access::run(command, &config, &global).await,
            Some(Command::Run(args)) => run_command::run(args, &config, &global).await,
            Some(Command::Job(command)) => job::run(command, &config, &global).await,
            Some(Command::Rollout(command)) => rollout::run(command, &config, &global).await,
            Some(Command::Host(command)) => host::run(command, &config, &global).await,
            Some(Command::Node(command)) => node::run(command, &config, &global).await,
            Some(Command::Pane(command)) => pane::run(command, &config, &global).await,
            Some(Command::SendTest { channel, count, text }) => send_test::run(&config, &channel, count, &text).await,
            Some(
                Command::Agent(_) | Command::Config(_) | Command::Keys(_) | Command::Demo { .. } | Command::Theme(_),
            ) => {
                unreachable!("they were answered above")
            }
        }
    })
}

/// Runs `command` to its end.
pub(super) fn on_runtime(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    // Standard input may be blocked in a read that nothing can end.
    runtime.shutdown_background();
    outcome
}
