//! The command line of what opens the screen: `aurora attach` and `aurora demo`.

use std::path::PathBuf;

use clap::Args;

use crate::demo::Scene;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AttachArgs {
    /// Which engine: `unix:PATH` or `ssh://[user@]host[:port]`; the socket in the state directory when absent
    #[arg(help = "unix:PATH or ssh://[user@]host[:port]; the socket in the state directory when absent")]
    pub target: Option<String>,
    /// Where aurora is on the far side of ssh, when it is not in the PATH there
    #[arg(long, value_name = "PATH", requires = "target")]
    pub remote: Option<String>,
    /// Be the far end of an attach over ssh: the same frames on standard input and output
    #[arg(long, conflicts_with_all = ["target", "remote"])]
    pub stdio: bool,
    /// The name of the key that came in, for a forced command in `authorized_keys`
    #[arg(long = "as", value_name = "NAME", requires = "stdio", value_parser = key_name)]
    pub key: Option<String>,
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "A first look: `aurora demo --tour` leads through a shift in eight steps. Q leaves the demo.")]
pub(in crate::cli) struct DemoArgs {
    /// What decides everything that chance would
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// What goes on: lively, still (nothing changes) or busy (40 checks, new figures every second)
    #[arg(long, value_name = "NAME", default_value_t)]
    pub scene: Scene,
    /// Be led through it: eight things to do on the real screens; each can be skipped
    #[arg(long)]
    pub tour: bool,
    #[command(flatten)]
    pub picture: PictureArgs,
}

/// One frame of the demo as a file, instead of the demo on the screen: for the documentation.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct PictureArgs {
    /// Write an SVG picture to this file
    #[arg(long, value_name = "FILE", hide = true)]
    pub picture: Option<PathBuf>,
    /// What is pressed before, as a terminal sends it; `\r` is enter, `\t` is tab, `\e` is escape
    #[arg(long, value_name = "KEYS", hide = true, default_value = "", requires = "picture")]
    pub keys: String,
    /// Columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", hide = true, default_value = "120x36", value_parser = size, requires = "picture")]
    pub size: (u16, u16),
}

/// A size as `120x36`.
fn size(text: &str) -> Result<(u16, u16), String> {
    let read = |side: &str| side.parse::<u16>().ok().filter(|side| (1..=500).contains(side));
    let sides = text.split_once('x').and_then(|(columns, rows)| read(columns).zip(read(rows)));
    sides.ok_or_else(|| "a size is columns and rows of 1 to 500, as 120x36".to_owned())
}

/// A name as an operator's `ssh_key` has it: it is compared, logged and shown.
fn key_name(name: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err("a name is made of 1 to 64 letters, digits and . _ @ + -".to_owned());
    }
    Ok(name.to_owned())
}
