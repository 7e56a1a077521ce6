//! The panes of this host's tmux, for the engines that watch and drive them.

mod refusal;

pub(super) use refusal::refusal;
