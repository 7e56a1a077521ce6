//! A wish to run a command becomes jobs: which hosts, exactly what, and whether it may run.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use crate::bridge::{BridgeInput, waits_for};
use crate::config::HostConfig;
use crate::model::{
    AuditKind, CommandTemplate, Course, HostName, HostPanel, HostSelector, Identity, Job, JobState, Lane, LayerKind,
    LayerPanel, LayerState, Plan, PlanHash, Risk, Rollout, counted,
};
use crate::policy::{CommandLine, Denied, Verdict, judge, whitelist};
use crate::protocol::{BridgeNotice, BridgeReply, Draft, Preview, Refusal};
use crate::store::JobBatch;

use super::super::answers::failed;
use super::approvals::held;
use super::audit::note;
use super::requests::read;
use super::service::{BridgeSet, Bridges};
use super::staging::{course, is_paced, rollout, undone_by};

/// Time for a job to start on its host, from when it is asked for; by layers, and by a person's hands.
const TO_START: SignedDuration = SignedDuration::from_secs(60);
const BY_HAND: SignedDuration = SignedDuration::from_mins(15);
/// What is typed into a pane is about what stands there now.
const TO_TYPE: SignedDuration = SignedDuration::from_secs(10);

/// What a draft comes to, before anybody was asked whether it may.
pub(super) struct Meant {
    pub template: CommandTemplate,
    /// One line a host, by host.
    pub lines: Vec<CommandLine>,
    /// How it goes over several hosts, if it goes in stages.
    pub course: Option<Course>,
}

impl Meant {
    pub(super) fn plans(&self) -> Vec<Plan> {
        self.lines.iter().map(|line| line.plan().clone()).collect()
    }

    /// What is shown and approved.
    pub(super) fn hash(&self) -> PlanHash {
        Plan::hash_with(&self.plans(), self.course.as_ref())
    }
}

impl Bridges {
    /// What `draft` would run, and what it needs.
    pub(super) fn dry_run(&self, identity: &Identity, draft: &Draft) -> Result<Box<Preview>, Refusal> {
        let set = self.set();
        let hosts = self.live.hosts();
        let meant = meant(&set, &hosts, draft)?;
        let (plans, hash) = (meant.plans(), meant.hash());
        let verdict = judge(&meant.template, &hash, identity, draft, set.config.policy.quorum);
        let layers = layers(&plans, &hosts, draft.layer);
        let need = if let Verdict::Hold { need } = verdict { need } else { 0 };
        let refused = match verdict {
            Verdict::Refuse(denied) => Some((denied.rule, denied.reason)),
            _ => plans.iter().find_map(|plan| no_layer(&set, &meant.template, plan, draft.layer)),
        };
        Ok(Box::new(Preview {
            hash,
            plans,
            layers,
            risk: meant.template.risk,
            need,
            confirm: (meant.template.risk == Risk::High).then(|| draft.on.to_string()),
            refused,
            rollout: meant.course,
        }))
    }

    /// Makes jobs of `draft` and lets them go, or has them wait for other people's yes. A draft whose jobs there are is
    /// answered with them. What is refused is written down.
    pub(super) async fn run_draft(self: &Arc<Self>, identity: Identity, draft: Draft) -> Result<BridgeReply, Refusal> {
        let _alone = self.drafting.lock().await;
        let (this, id) = (Arc::clone(self), draft.id);
        let (mut known, kept) = read(move || Ok((this.store.jobs_of(id)?, this.store.rollout(id)?))).await?;
        known.retain(|job| job.id != id.undoing_on(&job.plan.host));
        if !known.is_empty() {
            return again(&self.set(), &known, kept.as_ref(), &draft);
        }
        let set = self.set();
        let judged = meant(&set, &self.live.hosts(), &draft).and_then(|meant| {
            let verdict = judge(&meant.template, &meant.hash(), &identity, &draft, set.config.policy.quorum);
            let checks = meant.course.as_ref().is_some_and(|course| !course.checks.is_empty());
            if checks && !self.checks.are_looked_at() {
                return Err(Refusal::Failed(
                    "between two stages checks are looked at, and nobody looks here; start `aurora serve`".to_owned(),
                ));
            }
            match (&verdict, verdict.reason(&meant.template)) {
                (Verdict::Hold { need }, _) => Ok((meant, Some(*need))),
                (_, None) => Ok((meant, None)),
                (_, Some(denied)) => Err(Refusal::Denied(denied.to_string())),
            }
        });
        match judged {
            Ok((meant, need)) => self.let_go(&meant, need, &identity, &draft).await,
            Err(refusal) => {
                let what = format!("{} on {}: {refusal}", draft.command, draft.on);
                self.audit(vec![note(Some(&identity.operator), AuditKind::Refused, id, what)]).await;
                Err(refusal)
            }
        }
    }

    /// Makes the jobs durable, with what holds them and what is written down about it, and hands them on.
    async fn let_go(
        self: &Arc<Self>,
        meant: &Meant,
        need: Option<u32>,
        identity: &Identity,
        draft: &Draft,
    ) -> Result<BridgeReply, Refusal> {
        let now = Timestamp::now();
        let risk = meant.template.risk;
        let mut approval = need.map(|need| held(meant, identity, need, &self.set().config, now));
        let state = match &approval {
            Some(approval) => JobState::AwaitingApproval(approval.id),
            None => JobState::Queued { position: 0, why: String::new() },
        };
        let mut jobs = jobs(meant, identity, draft, &state, now);
        let rollout = meant.course.as_ref().map(|course| rollout(course, &jobs[0], draft));
        if let Some(rollout) = rollout.as_ref().filter(|_| need.is_none()) {
            for job in &mut jobs {
                let stage = rollout.stages.iter().position(|hosts| hosts.contains(&job.plan.host));
                job.state = waits_for(rollout, stage.unwrap_or_default());
            }
        }
        let by = Some(&identity.operator);
        let title = jobs.first().map(Job::title).unwrap_or_default();
        let hash = meant.hash();
        let what = format!("{title} on {}, {}, risk {risk}, hash {hash}", draft.on, counted(jobs.len(), "host"));
        let mut notes = vec![note(by, AuditKind::Requested, draft.id, what)];
        // Whoever settles approvals between the mark and the commit finds no job, and takes the mark back.
        let unsettled = if approval.is_some() { Some(self.voting.lock().await) } else { None };
        if let Some(approval) = &mut approval {
            approval.jobs = jobs.iter().map(|job| job.id).collect();
            let what = format!("{title} on {} needs {} yes, hash {hash}", draft.on, approval.need);
            notes.push(note(by, AuditKind::Held, approval.id, what));
            self.holds.store(true, Ordering::Relaxed);
        }
        if let Some(rollout) = &rollout {
            let what = format!("rollout of {title} in stages of {:?} hosts{}", rollout.row.sizes, undone_by(rollout));
            notes.push(note(by, AuditKind::Requested, draft.id, what));
        }
        let approvals = approval.iter().cloned().collect();
        let rollouts = rollout.iter().cloned().collect();
        let batch = JobBatch { jobs: jobs.clone(), approvals, rollouts, notes, ..JobBatch::default() };
        let entries = self.store.keep_jobs(batch).await.map_err(failed)?;
        drop(unsettled);
        self.tell_all(BridgeNotice::Audited(entries)).await;
        let held_by = approval.as_ref().map(|approval| approval.id);
        if let Some(approval) = approval {
            self.tell_all(BridgeNotice::Approval(Box::new(approval))).await;
        }
        let rows = jobs.iter().map(Job::row).collect();
        match rollout {
            Some(rollout) => self.order(BridgeInput::RollOut { rollout: Box::new(rollout), jobs }).await,
            None => {
                for job in jobs {
                    self.order(BridgeInput::Submit(Box::new(job))).await;
                }
            }
        }
        Ok(BridgeReply::Running { jobs: rows, approval: held_by })
    }
}

/// The command `draft` means, the hosts, and what would run there.
fn meant(set: &BridgeSet, panels: &[HostPanel], draft: &Draft) -> Result<Meant, Refusal> {
    let denied = |denied: Denied| Refusal::Denied(denied.to_string());
    let template = set.config.commands.get(&draft.command).ok_or_else(|| {
        let command = &draft.command;
        Refusal::Denied(format!(
            "whitelist.command: no command is called {command}; [commands.{command}] would name it"
        ))
    })?;
    let mut hosts = hosts(set, draft)?;
    for host in &hosts {
        whitelist::may_run_on(template, &host.name, &host.labels).map_err(denied)?;
    }
    if draft.any {
        hosts = least_loaded(hosts, panels).into_iter().collect();
    }
    let line = |host: &&HostConfig| whitelist::plan(template, &draft.args, &host.name);
    let lines: Vec<CommandLine> = hosts.iter().map(line).collect::<Result<_, _>>().map_err(denied)?;
    let course = course(set, template, &lines, draft)?;
    Ok(Meant { template: template.clone(), lines, course })
}

/// The hosts `draft` names, by name.
fn hosts<'a>(set: &'a BridgeSet, draft: &Draft) -> Result<Vec<&'a HostConfig>, Refusal> {
    let all = &set.config.hosts;
    match &draft.on {
        HostSelector::Host(name) => match all.get(name) {
            Some(host) => Ok(vec![host]),
            None => Err(Refusal::Unknown(format!("no host is called {name}; `aurora host list` names them"))),
        },
        HostSelector::Label(label) => {
            let hosts: Vec<&HostConfig> = all.values().filter(|host| host.labels.contains(label)).collect();
            if hosts.is_empty() {
                return Err(Refusal::Unknown(format!(
                    "no host has the label {label}; `aurora host list` shows labels"
                )));
            }
            Ok(hosts)
        }
    }
}

/// The one of `hosts` with the least to do; one that answers before one that does not.
fn least_loaded<'a>(hosts: Vec<&'a HostConfig>, panels: &[HostPanel]) -> Option<&'a HostConfig> {
    hosts.into_iter().min_by_key(|host| {
        let panel = panels.iter().find(|panel| panel.name == host.name);
        let load = panel.and_then(|panel| panel.agent.as_ref()?.load_percent);
        let jobs = panel.map_or(0, |panel| panel.running + panel.queued);
        (panel.is_none_or(|panel| panel.active.is_none()), jobs, load.unwrap_or(u32::MAX))
    })
}

/// The layer that would carry each plan now.
fn layers(plans: &[Plan], panels: &[HostPanel], only: Option<LayerKind>) -> Vec<(HostName, Option<LayerKind>)> {
    let carries = |plan: &Plan| {
        let panel = panels.iter().find(|panel| panel.name == plan.host);
        match only {
            None => panel?.active,
            // A person's hands are there always.
            Some(LayerKind::Manual) => only,
            Some(only) => {
                let is_up = |layer: &&LayerPanel| layer.kind == only && layer.state == LayerState::Up;
                panel?.layers.iter().find(is_up).map(|layer| layer.kind)
            }
        }
    };
    plans.iter().map(|plan| (plan.host.clone(), carries(plan))).collect()
}

/// Why no layer of the configuration may ever carry `plan`, if so: the rule and a sentence, as the job would hear it.
fn no_layer(
    set: &BridgeSet,
    template: &CommandTemplate,
    plan: &Plan,
    only: Option<LayerKind>,
) -> Option<(String, String)> {
    let mut kinds = set.config.hosts.get(&plan.host)?.kinds();
    // A person's hands carry only what was asked for by hand.
    kinds.retain(|kind| *kind != LayerKind::Manual);
    let may = |kind: &LayerKind| {
        only.is_none_or(|only| only == *kind) && template.weakest_layer.is_none_or(|weakest| *kind <= weakest)
    };
    if only == Some(LayerKind::Manual) || kinds.iter().any(may) {
        return None;
    }
    let wanted = match (only, template.weakest_layer) {
        (Some(only), _) => format!("only `{only}` was asked for"),
        (None, Some(weakest)) => format!("the command wants `{weakest}` or stronger"),
        (None, None) => "no layer is configured".to_owned(),
    };
    let kinds: Vec<&str> = kinds.into_iter().map(LayerKind::as_str).collect();
    Some(("layer".to_owned(), format!("{wanted}, and {} has: {}", plan.host, kinds.join(", "))))
}

/// One job a line. The first is called as the draft is, the others by names made of it.
fn jobs(meant: &Meant, identity: &Identity, draft: &Draft, state: &JobState, now: Timestamp) -> Vec<Job> {
    let several = meant.lines.len() > 1;
    let to_start = match (draft.layer, &meant.template.keys) {
        (Some(LayerKind::Manual), _) => BY_HAND,
        (_, Some(_)) => TO_TYPE,
        (_, None) => TO_START,
    };
    let job = |(place, line): (usize, &CommandLine)| {
        let plan = line.plan().clone();
        let id = if place == 0 { draft.id } else { draft.id.on(&plan.host) };
        Job {
            lane: if several && draft.lane == Lane::Normal { Lane::Bulk } else { draft.lane },
            only: draft.layer,
            rollout: several.then_some(draft.id),
            state: state.clone(),
            ..Job::new(id, plan, meant.template.risk, identity.operator.clone(), now, to_start)
        }
    };
    meant.lines.iter().enumerate().map(job).collect()
}

/// Whether `draft` means exactly these jobs by the configuration of now; `None` when that does not say any more.
fn is_meant(set: &BridgeSet, known: &[Job], draft: &Draft) -> Option<bool> {
    let plans = meant(set, &[], &Draft { any: false, ..draft.clone() }).ok()?.plans();
    let hosts = if draft.any { 1 } else { plans.len() };
    Some(hosts == known.len() && known.iter().all(|job| plans.contains(&job.plan)))
}

/// The answer to a draft whose jobs there are, and whose rollout is kept as `kept`: the same jobs, if it is the same wish.
fn again(set: &BridgeSet, known: &[Job], kept: Option<&Rollout>, draft: &Draft) -> Result<BridgeReply, Refusal> {
    let is_same = |job: &Job| {
        let on = match &draft.on {
            HostSelector::Host(name) => *name == job.plan.host,
            HostSelector::Label(_) => true,
        };
        let values = draft.args.iter().all(|(name, value)| job.plan.args.get(name) == Some(value));
        on && values && job.plan.command == draft.command && job.only == draft.layer
    };
    let is_same = known.iter().all(is_same) && is_paced(draft, known.len(), kept);
    if !is_same || is_meant(set, known, draft) == Some(false) {
        let id = draft.id;
        return Err(Refusal::Failed(format!("conflict: {id} names another wish already; take a fresh id")));
    }
    let approval = known.iter().find_map(|job| match job.state {
        JobState::AwaitingApproval(id) => Some(id),
        _ => None,
    });
    Ok(BridgeReply::Running { jobs: known.iter().map(Job::row).collect(), approval })
}

#[cfg(test)]
mod tests {

    use crate::config;
    use crate::model::Pace;

    use super::super::approvals::answer;
    use super::*;

    const CONFIG: &str = r#"
[hosts.web-1]
layers = ["local"]
labels = ["web"]
[hosts.web-2]
layers = ["local"]
labels = ["web"]
[hosts.db-1]
layers = ["local"]
[commands.todo]
hosts = ["@web"]
argv = ["/bin/todo", "{action}"]
args.action = { one_of = ["list", "next"] }
"#;

    fn set() -> BridgeSet {
        BridgeSet::new(config::parse(CONFIG, None).unwrap_or_else(|error| panic!("{error}")))
    }

    fn draft(on: &str) -> Draft {
        Draft { args: [("action".to_owned(), "list".to_owned())].into(), ..Draft::sample(on) }
    }

    fn anna() -> Identity {
        Identity {
            operator: "anna".parse().expect("a name"),
            role: crate::model::Role::Operator,
            scopes: None,
            by: crate::model::RecognisedBy::Nobody,
        }
    }

    fn made(draft: &Draft) -> Vec<Job> {
        let meant = meant(&set(), &[], draft).unwrap_or_else(|refusal| panic!("{refusal}"));
        jobs(&meant, &anna(), draft, &JobState::Sending, Timestamp::now())
    }

    #[test]
    fn a_label_makes_one_job_a_host_and_their_names_are_always_the_same() {
        let draft = draft("@web");
        let jobs = made(&draft);
        let course = meant(&set(), &[], &draft).expect("hosts").course.expect("several");
        let kept = rollout(&course, &jobs[0], &draft);
        let hosts: Vec<&str> = jobs.iter().map(|job| job.plan.host.as_str()).collect();
        assert_eq!(hosts, ["web-1", "web-2"]);
        assert_eq!(jobs[0].id, draft.id, "the rollout is called as its first job");
        assert!(jobs.iter().all(|job| job.rollout == Some(draft.id) && job.lane == Lane::Bulk));
        let [one, other] = [&jobs[0], &jobs[1]].map(|job| *job.id.as_uuid());
        assert_ne!(one, other);
        assert_eq!((other.get_version_num(), other.as_bytes()[..6] == one.as_bytes()[..6]), (7, true));
        assert_eq!(made(&draft)[1].id, jobs[1].id);
        assert!(again(&set(), &jobs, Some(&kept), &draft).is_ok());
        let others = [
            Draft { args: [("action".to_owned(), "next".to_owned())].into(), ..draft.clone() },
            Draft { layer: Some(LayerKind::Local), ..draft.clone() },
            Draft { any: true, ..draft.clone() },
            Draft { pace: Pace { all_at_once: true, ..Pace::default() }, ..draft.clone() },
            Draft { pace: Pace { settle_ms: 0, ..Pace::default() }, ..draft.clone() },
            Draft { pace: Pace { failures_max: 9, ..Pace::default() }, ..draft.clone() },
        ];
        for other in others {
            let answer = again(&set(), &jobs, Some(&kept), &other);
            assert!(answer.is_err_and(|refusal| refusal.to_string().contains("conflict")), "{other:?}");
        }
        assert!(again(&set(), &jobs, None, &draft).is_err(), "they went to all at once");
        assert!(again(&set(), &jobs[..1], Some(&kept), &draft).is_err(), "fewer hosts than it means");
    }

    #[test]
    fn what_is_approved_is_also_how_it_goes_and_what_undoes_it() {
        let set = |undo: &str, percent: u32| {
            let more = format!(
                "rollback = \"undo\"\n[commands.undo]\nhosts = [\"@web\"]\nargv = [\"{undo}\"]\n\
                 [policy]\ncanary_percent = {percent}\n"
            );
            BridgeSet::new(config::parse(&format!("{CONFIG}{more}"), None).unwrap_or_else(|error| panic!("{error}")))
        };
        let (known, draft) = (set("/bin/undo", 10), draft("@web"));
        let of = |set: &BridgeSet, draft: &Draft| meant(set, &[], draft).unwrap_or_else(|refusal| panic!("{refusal}"));
        let shown = of(&known, &draft);
        let undoing = shown.course.as_ref().and_then(|course| course.undoing.as_ref()).expect("a rollback");
        assert_eq!((undoing.plans.len(), undoing.plans[0].argv[0].as_str()), (2, "/bin/undo"));
        assert_eq!(of(&known, &draft).hash(), shown.hash());
        let paced = |pace| Draft { pace, ..draft.clone() };
        let others = [
            of(&set("/bin/other", 10), &draft),
            of(&known, &paced(Pace { all_at_once: true, ..Pace::default() })),
            of(&known, &paced(Pace { settle_ms: 0, ..Pace::default() })),
            of(&known, &paced(Pace { failures_max: 2, ..Pace::default() })),
        ];
        for other in &others {
            assert_eq!(other.plans(), shown.plans());
            assert_ne!(other.hash(), shown.hash(), "{:?}", other.course);
        }
        let one = of(&known, &{
            let on = "web-1".parse().expect("a host");
            Draft { on, ..draft.clone() }
        });
        assert_eq!(one.hash(), one.plans()[0].hash(), "one plan has its own hash");
        // What was granted lets nothing go that would be undone in another way than was shown.
        let (identity, now) = (anna(), Timestamp::now());
        let jobs = jobs(&shown, &identity, &draft, &JobState::Sending, now);
        let kept = rollout(shown.course.as_ref().expect("stages"), &jobs[0], &draft);
        let mut approval = held(&shown, &identity, 1, &known.config, now);
        approval.jobs = jobs.iter().map(|job| job.id).collect();
        approval.state = crate::model::ApprovalState::Granted;
        let ben = "ben".parse().expect("a name");
        approval.votes.push(crate::model::Vote { by: ben, yes: true, at: now, note: None });
        let answered = |approval: &_, kept: Option<&_>, set: &BridgeSet| answer(approval, &jobs[1], kept, &set.config);
        assert_eq!(answered(&approval, Some(&kept), &known), Ok(()));
        let denied = |result: Result<(), Denied>| result.is_err_and(|denied| denied.rule == "approval.plan");
        let faster = Rollout { pace: Pace { settle_ms: 0, ..kept.pace }, ..kept.clone() };
        let without = Rollout { undoing: None, ..kept.clone() };
        assert!([Some(&faster), Some(&without), None].iter().all(|kept| denied(answered(&approval, *kept, &known))));
        assert!(denied(answered(&approval, Some(&kept), &set("/bin/other", 10))), "the rollback has changed since");
        approval.rollout = Some(faster.course());
        assert!(denied(answered(&approval, Some(&faster), &known)), "the hash is over how it goes");
    }

    #[test]
    fn one_host_is_no_rollout_and_any_takes_the_one_with_the_least_to_do() {
        let jobs = made(&draft("web-2"));
        assert_eq!((jobs.len(), jobs[0].rollout, jobs[0].lane), (1, None, Lane::Normal));
        let set = set();
        let panel = |name: &str, running, active| HostPanel {
            name: name.parse().expect("a name"),
            labels: Vec::new(),
            layers: Vec::new(),
            active,
            running,
            queued: 0,
            agent: None,
        };
        let up = Some(LayerKind::Local);
        let any = Draft { any: true, ..draft("@web") };
        let chosen = |panels: &[HostPanel]| {
            let meant = meant(&set, panels, &any).expect("a host");
            meant.lines.iter().map(|line| line.plan().host.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&[panel("web-1", 3, up), panel("web-2", 1, up)]), ["web-2"]);
        assert_eq!(chosen(&[panel("web-1", 3, up), panel("web-2", 1, None)]), ["web-1"], "one that answers");
    }

    #[test]
    fn a_dry_run_names_a_layer_only_where_it_may_carry_and_answers() {
        let (set, draft) = (set(), draft("web-1"));
        let meant = meant(&set, &[], &draft).expect("a host");
        let plans = meant.plans();
        let refused = |only| no_layer(&set, &meant.template, &plans[0], only);
        assert_eq!(
            (refused(None), refused(Some(LayerKind::Local)), refused(Some(LayerKind::Manual))),
            (None, None, None)
        );
        let (rule, why) = refused(Some(LayerKind::Socket)).expect("no such layer");
        assert_eq!((rule.as_str(), why.as_str()), ("layer", "only `socket` was asked for, and web-1 has: local"));
        let named = |panels: &[HostPanel], only| layers(&plans, panels, only)[0].1;
        assert_eq!(named(&[], Some(LayerKind::Local)), None, "nobody has looked");
        assert_eq!(named(&[], Some(LayerKind::Manual)), Some(LayerKind::Manual));
    }

    #[test]
    fn refusals_name_their_rule() {
        let refused = |draft: &Draft| meant(&set(), &[], draft).err().map(|refusal| refusal.to_string());
        let cases = [
            (draft("db-1"), "whitelist.host"),
            (draft("nowhere"), "no host is called"),
            (draft("@none"), "no host has the label"),
            (Draft { command: "rm".parse().expect("a name"), ..draft("web-1") }, "whitelist.command"),
            (Draft { args: [("action".to_owned(), "; id".to_owned())].into(), ..draft("web-1") }, "whitelist.argument"),
        ];
        for (draft, words) in cases {
            let said = refused(&draft).unwrap_or_default();
            assert!(said.contains(words), "{said}");
        }
    }
}
