//! placeholder
use crate::config::Config;
use super::args::Global;
use super::exit::Outcome;
pub(super) async fn run(_c: Config, _g: &Global) -> Outcome { todo!() }
pub(super) async fn attach(_c: &Config, _t: Option<&str>, _g: &Global) -> Outcome { todo!() }
