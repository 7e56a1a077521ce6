//! `aurora agent`: the end of the bridge on a managed host.

use std::io::Write;

use crate::agent::{self, AgentError, Desk, Letter, MarkedLetter, is_mark};
use crate::config::AgentConfig;
use crate::model::counted;

use super::agent_doors;
use super::args::{AgentArgs, AgentCommand, ExecArgs, Global};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::run::on_runtime;

pub(super) fn run(args: AgentArgs, global: &Global) -> Outcome {
    let Some(command) = args.command else {
        return on_runtime(async { agent_doors::serve(desk(global)?, args.doors, global).await });
    };
    match command {
        AgentCommand::Stdio => on_runtime(agent_doors::stdio(global)),
        AgentCommand::Fingerprint => agent_doors::fingerprint(&desk(global)?),
        AgentCommand::Audit(json) => audit(&desk(global)?, json.json),
        AgentCommand::Exec(args) => on_runtime(exec(args, global)),
        AgentCommand::Runner => {
            agent::wait_and_run()?;
            Ok(Exit::Fine)
        }
    }
}

/// Answers one letter. What it starts goes on without this process and the connection it came over.
async fn exec(args: ExecArgs, global: &Global) -> Outcome {
    let MarkedLetter { letter, mark } = match args {
        ExecArgs { from_ssh: true, .. } => {
            let command = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
            MarkedLetter::from_ssh(&command).map_err(Failure::usage)?
        }
        ExecArgs { b64: Some(letter), mark: Some(mark), .. } if is_mark(&mark) => {
            MarkedLetter { letter: Letter::decode(&letter).map_err(Failure::usage)?, mark }
        }
        _ => return Err(Failure::usage("a letter (--b64) and a mark of 16 letters a-z and digits are needed")),
    };
    let desk = desk(global)?;
    // A file of the shell may have left half a line before it; whoever asked may be gone.
    let _ = writeln!(std::io::stdout());
    let answered = |answer: &_| {
        let mut out = std::io::stdout().lock();
        // Whoever asked may be gone; what was ordered is done all the same.
        let _ = writeln!(out, "{}", MarkedLetter::line(&mark, answer)).and_then(|()| out.flush());
    };
    letter.answer(&desk, answered).await;
    Ok(Exit::Fine)
}

/// Says whether the agent's own log is as it was written.
fn audit(desk: &Desk, json: bool) -> Outcome {
    let read = agent::read_audit(desk.spool())?;
    if json {
        output::json(&read)?;
    } else {
        output::line(&match &read.broken {
            None => {
                format!("{}, each follows from the one before; the last is {}", counted(read.lines, "line"), read.head)
            }
            Some((file, line)) => format!("line {line} of {file} does not follow from the one before"),
        })?;
    }
    Ok(if read.broken.is_none() { Exit::Fine } else { Exit::Failed })
}

/// The desk of this host.
fn desk(global: &Global) -> Result<Desk, Failure> {
    Ok(Desk::open(config(global)?)?)
}

/// What the agent of this host was told.
pub(super) fn config(global: &Global) -> Result<AgentConfig, Failure> {
    Ok(AgentConfig::load(global.config.as_deref(), global.state_dir.as_deref())?)
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::new(Exit::Failed, error)
    }
}
