//! The ends of one command on many hosts: those that are equal are told together.

use std::io::{self, Write};

use crate::model::{End, Job, Outcome};
use crate::screen;

use super::run_command::{Written, end_text};

/// Hosts named in one heading; more are counted.
const NAMED: usize = 12;

/// Hosts whose command came to the same.
#[derive(Debug)]
struct Group {
    end: String,
    /// What went well comes last, where the prompt is.
    is_fine: bool,
    out: Vec<u8>,
    err: Vec<u8>,
    hosts: Vec<String>,
}

/// Groups of equal ends, with what was written.
#[derive(Debug, Default)]
pub(super) struct Folded(Vec<Group>);

impl Folded {
    /// Adds the end of a job.
    pub(super) fn add(&mut self, job: &Job, wrote: Written) {
        let end = match job.state.outcome() {
            // The id of each would keep equal ends apart.
            Some(Outcome::Unknown { reason }) => format!("unknown: {reason}"),
            _ => end_text(job),
        };
        let host = job.plan.host.to_string();
        let same = self.0.iter_mut().find(|group| group.end == end && group.out == wrote.out && group.err == wrote.err);
        match same {
            Some(group) => group.hosts.push(host),
            None => {
                let is_fine = matches!(job.state.outcome(), Some(Outcome::Done(End::Exit(0))));
                self.0.push(Group { end, is_fine, out: wrote.out, err: wrote.err, hosts: vec![host] });
            }
        }
    }

    /// The groups, the largest first, and those that went well last.
    fn sorted(mut self) -> Vec<Group> {
        for group in &mut self.0 {
            group.hosts.sort();
        }
        self.0.sort_by_key(|group| (group.is_fine, std::cmp::Reverse(group.hosts.len())));
        self.0
    }

    /// Prints the groups.
    pub(super) fn print(self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for group in self.sorted() {
            let named = group.hosts.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match group.hosts.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let count = group.hosts.len();
            let hosts = if count == 1 { "host" } else { "hosts" };
            writeln!(out, "== {count} {hosts}: {named}{more}")?;
            writeln!(out, "   {}", screen::line(&group.end))?;
            for (label, bytes) in [("", &group.out), ("! ", &group.err)] {
                for line in screen::lines(&String::from_utf8_lossy(bytes)).lines() {
                    writeln!(out, "   {label}{line}")?;
                }
            }
        }
        Ok(())
    }
}
