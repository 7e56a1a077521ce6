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
    command: String,
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
        let command = job.plan.command.to_string();
        let is_same = |group: &&mut Group| {
            (&group.command, &group.end, &group.out, &group.err) == (&command, &end, &wrote.out, &wrote.err)
        };
        let same = self.0.iter_mut().find(is_same);
        match same {
            Some(group) => group.hosts.push(host),
            None => {
                let is_fine = matches!(job.state.outcome(), Some(Outcome::Done(End::Exit(0))));
                self.0.push(Group { command, end, is_fine, out: wrote.out, err: wrote.err, hosts: vec![host] });
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
        self.write(&mut io::stdout().lock())
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        // What undoes a rollout is another command than what it undoes.
        let several = self.0.windows(2).any(|pair| pair[0].command != pair[1].command);
        for group in self.sorted() {
            let command = if several { format!("{} on ", group.command) } else { String::new() };
            let named = group.hosts.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match group.hosts.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let count = group.hosts.len();
            let hosts = if count == 1 { "host" } else { "hosts" };
            writeln!(out, "== {command}{count} {hosts}: {named}{more}")?;
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
