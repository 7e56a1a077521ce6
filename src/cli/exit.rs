//! How a command ends: a sentence and an exit code.

use std::fmt;
use std::process::ExitCode;

use crate::client::AttachError;
use crate::config::ConfigError;
use crate::engine::{LockError, StartError, TurnedAway};
use crate::protocol::Refusal;

/// The exit codes, as the README documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Fine.
    Fine = 0,
    /// It failed.
    Failed = 1,
    /// It was asked for in a way that cannot be, or the configuration holds a mistake.
    Usage = 2,
    /// Something is not as it should be.
    Degraded = 3,
    /// Nothing runs.
    Down = 4,
    /// It is not allowed.
    Denied = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    pub text: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: text.to_string() }
    }

    pub(super) fn usage(text: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, text)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let exit = match &refusal {
            Refusal::Denied(_) => Exit::Denied,
            Refusal::Unanswered => Exit::Down,
            Refusal::Unknown(_) | Refusal::Failed(_) | Refusal::Superseded => Exit::Failed,
        };
        Self::new(exit, refusal)
    }
}

impl From<TurnedAway> for Failure {
    fn from(turned_away: TurnedAway) -> Self {
        let exit = if turned_away.is_denial() { Exit::Denied } else { Exit::Down };
        Self::new(exit, turned_away)
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        let exit = match &error {
            AttachError::Denied(_) | AttachError::Far { denied: true, .. } => Exit::Denied,
            AttachError::Unreachable { .. } | AttachError::Far { .. } | AttachError::Refused(_) => Exit::Down,
        };
        Self::new(exit, error)
    }
}

impl From<Box<ConfigError>> for Failure {
    fn from(error: Box<ConfigError>) -> Self {
        Self::usage(error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Config(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        let next = match &error {
            StartError::Lock(LockError::Held) => "; `aurora attach` shows it, `aurora status` tells how it is",
            _ => "",
        };
        Self::new(exit, format!("{error}{next}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// What a command answers.
pub(super) type Outcome = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use crate::client::Target;

    use super::*;

    #[test]
    fn who_is_denied_on_whatever_machine_hears_so() {
        let far = |denied| {
            let Ok(Target::Ssh(target)) = Target::parse("ssh://hub.example.org", None) else { panic!("a target") };
            AttachError::Far { target, why: "why".to_owned(), denied }
        };
        let unreachable =
            AttachError::Unreachable { path: "/nowhere".into(), source: std::io::ErrorKind::NotFound.into() };
        for (error, exit) in [
            (AttachError::Denied("why".to_owned()), Exit::Denied),
            (far(true), Exit::Denied),
            (far(false), Exit::Down),
            (unreachable, Exit::Down),
            (AttachError::Refused("another version".to_owned()), Exit::Down),
        ] {
            let text = error.to_string();
            assert_eq!(Failure::from(error).exit, exit, "{text}");
        }
    }
}
