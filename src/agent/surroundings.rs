//! What a command finds around it: a few variables, a fixed search path, and nothing of whoever started the agent.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::model::{JobId, Plan};

/// Where a program without a `/` in its name is looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Variables of the agent that its commands get.
const PASSED: [&str; 4] = ["HOME", "USER", "LOGNAME", "LANG"];
/// Tells to which job a process belongs, wherever it went.
pub(super) const MARK: &str = "AURORA_JOB";

/// Variables of the agent by which its runners find the same tmux.
const OF_TMUX: [&str; 3] = ["TMUX", "TMUX_TMPDIR", "PATH"];

/// The variables a runner gets of the agent that starts it.
pub(super) fn of_runner() -> impl Iterator<Item = (&'static str, OsString)> {
    PASSED.into_iter().chain(OF_TMUX).filter_map(own)
}

/// The variables of the agent that a command gets.
fn passed() -> impl Iterator<Item = (&'static str, OsString)> {
    PASSED.into_iter().filter_map(own)
}

fn own(name: &'static str) -> Option<(&'static str, OsString)> {
    Some((name, std::env::var_os(name)?))
}

/// The variables a command gets.
pub(super) fn environment(plan: &Plan, id: JobId) -> BTreeMap<OsString, OsString> {
    let fixed =
        [("PATH", PATH), ("TERM", "dumb"), ("LANG", "C.UTF-8")].map(|(name, value)| (name.into(), value.into()));
    let passed = passed().map(|(name, value)| (name.into(), value));
    let own = plan.env.iter().map(|(name, value)| (name.into(), value.into()));
    let mark = (MARK.into(), id.to_string().into());
    fixed.into_iter().chain(passed).chain(own).chain([mark]).collect()
}

/// The program that `argv` names.
///
/// # Errors
/// When there is no such program.
pub(super) fn program(argv: &[String], cwd: &Path) -> Result<PathBuf, String> {
    let name = argv.first().filter(|name| !name.is_empty()).ok_or("no program is named")?;
    if name.contains('/') {
        // The command's own directory, not the agent's.
        return Ok(cwd.join(name));
    }
    let places = PATH.split(':').map(|place| Path::new(place).join(name));
    let is_program = |path: &PathBuf| path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok();
    places.into_iter().find(is_program).ok_or_else(|| format!("there is no program {name:?} in {PATH}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_in_fixed_places_only() {
        let find = |name: &str| program(&[name.to_owned()], Path::new("/srv/app"));
        assert_eq!(find("./todo"), Ok("/srv/app/./todo".into()));
        assert_eq!(find("/bin/true"), Ok("/bin/true".into()));
        assert!(find("sh").expect("a shell").is_absolute());
        assert!(find("no-such-program").expect_err("none").contains("no-such-program"));
        assert!(find("").is_err() && program(&[], Path::new("/")).is_err());
    }
}
