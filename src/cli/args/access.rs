//! The command line of `aurora access`.

use clap::Subcommand;

use crate::model::{OperatorName, Role, Scope, TokenId};

use super::super::moment;
use super::printed::Json;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AccessCommand {
    /// Tell who you are to the engine, and your role
    Whoami(Json),
    /// Tokens of the API
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token and print it, this once
    Add {
        /// Whose it is
        name: OperatorName,
        /// What it may do: viewer, operator, approver or admin; the operator's own role when absent
        #[arg(long)]
        role: Option<Role>,
        /// Only this part of the API: health, stats, metrics, updates or federation; may be repeated
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// When it ends: 12h, 90d, a time, or never
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = moment::parse_end)]
        expires: moment::End,
    },
    /// List tokens; the tokens themselves are kept nowhere
    List(Json),
    /// Let a token no longer count, at once
    Revoke {
        /// Its id, as `aurora access token list` shows it
        id: TokenId,
    },
}
