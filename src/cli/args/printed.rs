//! How a command prints what it answers.

use clap::Args;

#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Json {
    /// JSON with stable fields
    #[arg(long)]
    pub json: bool,
}

/// A list: how long, and in which form.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Listing {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    #[command(flatten)]
    pub json: Json,
}
