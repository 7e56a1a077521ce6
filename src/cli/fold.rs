//! The ends of one command on many hosts: those that are equal are told together.

use std::io::{self, Write};

use crate::model::{Job, Outcome};
use crate::screen;

use super::output;
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
                let is_fine = matches!(job.state.outcome(), Some(Outcome::Done(end)) if end.is_good());
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
        let mut text = Vec::new();
        self.write(&mut text)?;
        output::bytes(&text)
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

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use crate::model::{End, JobId, JobState, Plan, Risk};

    use super::*;

    fn ended(host: &str, command: &str, outcome: Outcome) -> Job {
        let plan = Plan::sample(host, command, &["/bin/true"]);
        let (id, by) = (JobId::from_uuid(uuid::Uuid::nil()).on(&plan.host), "anna".parse().expect("a name"));
        Job {
            state: JobState::Ended(outcome),
            ..Job::new(id, plan, Risk::Low, by, Timestamp::UNIX_EPOCH, SignedDuration::from_mins(1))
        }
    }

    fn told(ends: Vec<(Job, &str)>) -> String {
        let mut folded = Folded::default();
        for (job, out) in ends {
            folded.add(&job, Written { out: out.as_bytes().to_vec(), err: Vec::new() });
        }
        let mut text = Vec::new();
        folded.write(&mut text).expect("writes");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn equal_ends_are_told_together_and_what_went_well_comes_last() {
        let fine = || Outcome::Done(End::Exit(0));
        let unknown = || Outcome::Unknown { reason: "the host restarted".into() };
        let text = told(vec![
            (ended("web-2", "deploy", fine()), "v2\n"),
            (ended("web-4", "deploy", unknown()), ""),
            (ended("web-1", "deploy", fine()), "v2\n"),
            (ended("web-3", "deploy", fine()), "v1\u{1b}[2J\n"),
            (ended("web-5", "deploy", unknown()), ""),
        ]);
        let groups = [
            "== 2 hosts: web-4, web-5\n   unknown: the host restarted\n",
            "== 2 hosts: web-1, web-2\n   done, exit 0\n   v2\n",
            "== 1 host: web-3\n   done, exit 0\n   v1",
        ];
        let places = groups.map(|group| text.find(group).unwrap_or_else(|| panic!("{group}: {text}")));
        assert!(places.is_sorted() && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_undoes_it_is_told_apart_from_what_it_undoes_and_many_hosts_are_counted() {
        let fine = || Outcome::Done(End::Exit(0));
        let text = told(vec![(ended("web-1", "deploy", fine()), ""), (ended("web-1", "undeploy", fine()), "")]);
        assert!(text.contains("== deploy on 1 host: web-1") && text.contains("== undeploy on 1 host: web-1"), "{text}");
        let many = (10..30).map(|n| (ended(&format!("web-{n}"), "deploy", fine()), "")).collect();
        assert!(told(many).starts_with("== 20 hosts: web-10, web-11, "), "sorted");
    }
}
