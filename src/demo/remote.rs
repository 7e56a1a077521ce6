//! The hosts of the made-up world: the roads to them, what was run there, and what waits for a yes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::engine::Remote;
use crate::model::{
    AgentCard, Approval, ApprovalId, ApprovalState, Attempt, AuditEntry, AuditKind, AuditNote, Class, End, HostName,
    HostPanel, Job, JobId, JobState, Label, Lane, LayerKind, LayerPanel, LayerState, OperatorName, Outcome,
    OutputChunk, OutputTotals, Plan, Risk, Stream,
};

use super::panes::Panes;

/// Hosts and commands, as a configuration has them.
pub(super) const CONFIGURED: &str = r#"
[hosts.web-1]
layers = ["socket", "tmux", "exec"]
labels = ["web"]
socket = { addr = "127.0.0.1:8899", key = "file:secrets/standard" }
ssh = { target = "ops@web-1.example.org" }
[hosts.web-2]
layers = ["socket", "tmux"]
labels = ["web"]
socket = { addr = "127.0.0.1:8898", key = "file:secrets/standard" }
ssh = { target = "ops@web-2.example.org" }
[hosts.db-1]
layers = ["tmux", "exec"]
labels = ["db"]
ssh = { target = "ops@db-1.example.org" }
[commands.uptime]
about = "How long it runs, and its load."
hosts = ["@web", "@db"]
argv = ["/usr/bin/uptime"]
[commands.restart]
about = "Stops a service and starts it again."
hosts = ["@web"]
argv = ["/usr/bin/systemctl", "restart", "{service}"]
args.service = { one_of = ["nginx", "shop", "worker"], default = "worker" }
risk = "high"
[commands.deploy]
about = "Puts a version of the shop in force."
hosts = ["@web"]
argv = ["/usr/local/bin/deploy", "{version}"]
args.version = { pattern = "v[0-9]+[.][0-9]+[.][0-9]+" }
risk = "critical"
[commands.backup]
about = "Writes the database to the backup."
hosts = ["@db"]
argv = ["/usr/local/bin/backup", "--keep={days}"]
args.days = { int = [1, 90], default = 30 }
risk = "high"
"#;

const UPTIME: &str = " 14:02:11 up 41 days,  3:07,  load average: 0.42\n";

/// What was run: the job, and what it wrote.
type Ran = (Job, Vec<OutputChunk>);

/// All of it as of `began`; nothing where a name cannot be read, which is a mistake in this program.
pub(super) fn at(began: Timestamp, is_still: bool) -> Option<Remote> {
    let teller = Teller { began };
    let jobs = teller.jobs()?;
    let approval = teller.approval(&jobs)?;
    let audit = Teller::audit(&jobs, &approval);
    let (hosts, panes) = (teller.hosts()?, Arc::new(Panes { is_still }));
    Some(Remote { hosts, jobs, approvals: vec![approval], audit, panes, commands: writes })
}

/// What a command writes that is run from now on.
fn writes(plan: &Plan) -> String {
    let value = plan.args.values().next().map_or("", String::as_str);
    match plan.command.as_str() {
        "uptime" => UPTIME.to_owned(),
        "restart" => format!("{value} is stopped\n{value} runs again\n"),
        "deploy" => format!("{value} is in force\n"),
        _ => "done\n".to_owned(),
    }
}

/// An id that sorts by `at`, as those of an engine do.
pub(super) fn id(at: Timestamp, n: u128) -> Uuid {
    let milliseconds = u128::from(at.as_millisecond().unsigned_abs());
    Uuid::from_u128((milliseconds << 80) | (0x7 << 76) | (0x2 << 62) | n)
}

struct Teller {
    began: Timestamp,
}

impl Teller {
    fn ago(&self, seconds: i64) -> Timestamp {
        self.began.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(self.began)
    }

    fn hosts(&self) -> Option<Vec<HostPanel>> {
        use LayerKind::{Exec, Socket, Tmux};
        use LayerState::{Down, Up};
        let refused = "connect: connection refused by 127.0.0.1:8899; is `aurora agent` running on web-1?";
        let lost = "connect: no route to host db-1.example.org port 22; look at its network";
        Some(vec![
            self.host("db-1", "db", (0, 0), &[(Tmux, Down, 420, lost), (Exec, Down, 410, lost)])?,
            self.host(
                "web-1",
                "web",
                (1, 0),
                &[(Socket, Down, 1_260, refused), (Tmux, Up, 86_000, ""), (Exec, Up, 86_000, "")],
            )?,
            self.host("web-2", "web", (0, 0), &[(Socket, Up, 86_000, ""), (Tmux, Up, 86_000, "")])?,
        ])
    }

    fn host(
        &self,
        name: &str,
        label: &str,
        (running, queued): (u32, u32),
        layers: &[(LayerKind, LayerState, i64, &str)],
    ) -> Option<HostPanel> {
        let layer = |(kind, state, since, why): &(LayerKind, LayerState, i64, &str)| {
            let is_up = *state == LayerState::Up;
            let rtt = if *kind == LayerKind::Socket { 3 } else { 38 };
            LayerPanel {
                kind: *kind,
                state: state.clone(),
                since: self.ago(*since),
                rtt: is_up.then(|| Duration::from_millis(rtt)),
                last_good: Some(self.ago(if is_up { 3 } else { since + 5 })),
                why: (*why).to_owned(),
                flaps: u32::from(!is_up),
            }
        };
        let active = layers.iter().find(|(_, state, ..)| *state == LayerState::Up).map(|(kind, ..)| *kind);
        let agent = AgentCard {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lost: Vec::new(),
            skew_ms: 4,
            load_percent: active.map(|_| 42),
        };
        Some(HostPanel {
            name: name.parse().ok()?,
            labels: vec![label.parse::<Label>().ok()?],
            layers: layers.iter().map(layer).collect(),
            active,
            running,
            queued,
            agent: Some(agent),
        })
    }

    fn plan(host: &str, command: &str, argv: &[&str], value: Option<(&str, &str)>) -> Option<Plan> {
        Some(Plan {
            host: host.parse::<HostName>().ok()?,
            command: command.parse().ok()?,
            args: value.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            keys: None,
            cwd: None,
            env: BTreeMap::new(),
            class: Class::AtMostOnce,
            timeout_ms: 60_000,
        })
    }

    fn job(
        &self,
        plan: Plan,
        risk: Risk,
        by: &str,
        asked: i64,
        state: JobState,
        wrote: &[(Stream, &str)],
    ) -> Option<Ran> {
        let at = self.ago(asked);
        let is_over = state.outcome().is_some();
        let is_away = matches!(state, JobState::AwaitingApproval(_));
        let chunks: Vec<OutputChunk> = (0..)
            .zip(wrote)
            .map(|(seq, (stream, text))| OutputChunk { seq, stream: *stream, bytes: text.as_bytes().to_vec() })
            .collect();
        let bytes =
            |of: Stream| wrote.iter().filter(|(stream, _)| *stream == of).map(|(_, text)| text.len() as u64).sum();
        let attempt = Attempt { layer: LayerKind::Tmux, at, what: "accepted by the journal of its host".to_owned() };
        let (id, by) = (JobId::from_uuid(id(at, 1)), by.parse::<OperatorName>().ok()?);
        let job = Job {
            lane: Lane::Urgent,
            layer: (!is_away).then_some(LayerKind::Tmux),
            attempts: if is_away { Vec::new() } else { vec![attempt] },
            started: (!is_away).then_some(at),
            ended: is_over.then(|| self.ago(asked - 2)),
            output: OutputTotals { out: bytes(Stream::Out), err: bytes(Stream::Err), cut: 0 },
            state,
            ..Job::new(id, plan, risk, by, at, SignedDuration::from_mins(1))
        };
        Some((job, chunks))
    }

    fn jobs(&self) -> Option<Vec<Ran>> {
        use Stream::{Err, Out};
        let ended = |end| JobState::Ended(Outcome::Done(end));
        let uptime = Self::plan("web-2", "uptime", &["/usr/bin/uptime"], None)?;
        let restart = |service| {
            let argv = ["/usr/bin/systemctl", "restart", service];
            Self::plan("web-1", "restart", &argv, Some(("service", service)))
        };
        let backup = Self::plan("db-1", "backup", &["/usr/local/bin/backup", "--keep=30"], Some(("days", "30")))?;
        let deploy =
            |host| Self::plan(host, "deploy", &["/usr/local/bin/deploy", "v2.4.1"], Some(("version", "v2.4.1")));
        let reason = "the host was started again while it ran, and its journal has no end of it".to_owned();
        let waits = JobState::AwaitingApproval(self.approval_id());
        Some(vec![
            self.job(uptime, Risk::Low, "anna", 5_400, ended(End::Exit(0)), &[(Out, UPTIME)])?,
            self.job(
                restart("nginx")?,
                Risk::High,
                "ben",
                3_000,
                ended(End::Exit(1)),
                &[
                    (Err, "nginx: [emerg] unknown directive \"sevrer\" in /etc/nginx/sites-enabled/shop:3\n"),
                    (Err, "Job for nginx.service failed because the control process exited with error code.\n"),
                ],
            )?,
            self.job(
                backup,
                Risk::High,
                "anna",
                900,
                JobState::Ended(Outcome::Unknown { reason }),
                &[(Out, "dumping orders\n")],
            )?,
            self.job(deploy("web-2")?, Risk::Critical, "cora", 240, waits, &[])?,
            self.job(
                restart("worker")?,
                Risk::High,
                "ben",
                40,
                JobState::Running,
                &[
                    (Out, "stopping worker (4 jobs are under way)\n"),
                    (Out, "waiting for 2 of them\n"),
                    (Err, "warning: job 8812 ignores TERM\n"),
                ],
            )?,
        ])
    }

    fn approval_id(&self) -> ApprovalId {
        ApprovalId::from_uuid(id(self.ago(240), 2))
    }

    fn approval(&self, jobs: &[Ran]) -> Option<Approval> {
        let (job, _) = jobs.iter().find(|(job, _)| matches!(job.state, JobState::AwaitingApproval(_)))?;
        Some(Approval {
            id: self.approval_id(),
            jobs: vec![job.id],
            rollout: None,
            plans: vec![job.plan.clone()],
            hash: job.hash.clone(),
            risk: job.risk,
            by: job.by.clone(),
            asked: job.asked,
            expires: self.began.checked_add(SignedDuration::from_mins(50)).unwrap_or(self.began),
            need: 1,
            votes: Vec::new(),
            state: ApprovalState::Open,
        })
    }

    /// What was written down of them, newest first.
    fn audit(jobs: &[Ran], approval: &Approval) -> Vec<AuditEntry> {
        let mut notes: Vec<AuditNote> = Vec::new();
        for (job, _) in jobs {
            let what = format!("{} on {}", job.title(), job.plan.host);
            let note = |kind, at, what: &str| AuditNote {
                at,
                by: (kind == AuditKind::Requested).then(|| job.by.clone()),
                kind,
                about: job.id.to_string(),
                what: what.to_owned(),
            };
            notes.push(note(AuditKind::Requested, job.asked, &what));
            if let Some(layer) = job.layer {
                notes.push(note(AuditKind::Delivered, job.asked, &format!("{what} over {layer}")));
            }
            if let (Some(ended), Some(outcome)) = (job.ended, job.state.outcome()) {
                notes.push(note(AuditKind::Ended, ended, &format!("{what}: {}", outcome.word())));
            }
        }
        let what = "waits for 1 other person".to_owned();
        notes.push(AuditNote {
            at: approval.asked,
            by: None,
            kind: AuditKind::Held,
            about: approval.id.to_string(),
            what,
        });
        notes.sort_by_key(|note| note.at);
        let entry = |(seq, note)| AuditEntry { seq, note, hash: String::new() };
        let mut entries: Vec<AuditEntry> = (1..).zip(notes).map(entry).collect();
        entries.reverse();
        entries
    }
}
