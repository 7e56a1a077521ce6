//! What is wrong with hosts and jobs, and which approvals wait.

use jiff::Timestamp;

use crate::model::{
    Approval, ApprovalState, HostPanel, Identity, JobRow, LayerKind, LayerPanel, LayerState, Outcome, Plan, Role, age,
    counted,
};

use super::{BridgePanel, Need, Severity, Trouble, Urgent};

/// Everything that is not as it should be, in no order.
pub(super) fn troubles(bridge: &BridgePanel, now: Timestamp) -> Vec<Trouble> {
    let jobs = bridge.jobs.iter().filter_map(|row| unknown(row, now));
    let hosts = bridge.hosts.iter().filter_map(|panel| unreachable(panel, now));
    let approvals = bridge.approvals.iter().filter(|approval| is_open(approval, now)).map(|approval| {
        let next = format!("it is answered under Approvals, or by `aurora approval grant {}`", approval.id);
        Trouble::new(Need::Approval(approval.id), approval.asked, Severity::Info, waits(approval, now), next)
    });
    jobs.chain(hosts).chain(approvals).collect()
}

/// The approvals `me` can answer: somebody waits for them.
pub(super) fn answerable(bridge: &BridgePanel, me: &Identity, now: Timestamp) -> Vec<Urgent> {
    if me.role < Role::Approver {
        return Vec::new();
    }
    let open = bridge.approvals.iter().filter(|approval| approval.closed_to(&me.operator, true, now).is_none());
    let urgent = |approval: &Approval| Urgent {
        need: Need::Approval(approval.id),
        since: approval.asked,
        severity: Severity::Warn,
        reason: waits(approval, now),
    };
    open.map(urgent).collect()
}

fn is_open(approval: &Approval, now: Timestamp) -> bool {
    approval.state == ApprovalState::Open && now < approval.expires
}

fn waits(approval: &Approval, now: Timestamp) -> String {
    let what = approval.plans.first().map_or_else(|| approval.id.to_string(), Plan::title);
    let hosts = match &approval.plans[..] {
        [one] => one.host.to_string(),
        plans => counted(plans.len(), "host"),
    };
    let Approval { by, need, .. } = approval;
    let left = age(now, approval.expires);
    format!("{what} on {hosts} waits for approval: asked by {by}, {} of {need}, {left} left", approval.yes())
}

fn unknown(row: &JobRow, now: Timestamp) -> Option<Trouble> {
    let Some(Outcome::Unknown { reason }) = row.state.outcome() else { return None };
    let since = row.ended.unwrap_or(row.asked);
    let what = format!("{} on {} may have run ({}): {reason}", row.title, row.host, age(since, now));
    let next = format!("look on {}, then `aurora job resolve {} --ran --note HOW`, or `--not-ran`", row.host, row.id);
    Some(Trouble::new(Need::Job(row.id), since, Severity::Crit, what, next))
}

/// A host that no road leads to, or one of whose roads a person has to look at.
fn unreachable(panel: &HostPanel, now: Timestamp) -> Option<Trouble> {
    let roads: Vec<&LayerPanel> = panel.layers.iter().filter(|layer| layer.kind != LayerKind::Manual).collect();
    let is_gone = |layer: &&LayerPanel| matches!(layer.state, LayerState::Down | LayerState::Barred);
    let barred = roads.iter().find(|layer| layer.state == LayerState::Barred);
    let need = Need::Host(panel.name.clone());
    let tell = |layer: &LayerPanel| format!("{}: {}", layer.kind, layer.why);
    if let Some(first) = roads.first()
        && roads.iter().all(is_gone)
    {
        let since = roads.iter().map(|layer| layer.since).max().unwrap_or(now);
        let told = tell(barred.unwrap_or(first));
        let what = format!("no road leads to host {} ({}): {told}", panel.name, age(since, now));
        let next = "what waits for it is brought there when a road is back; Bridge says why each is gone";
        return Some(Trouble::new(need, since, Severity::Crit, what, next));
    }
    let layer = barred?;
    let what = format!("a road to host {} must not be used ({}): {}", panel.name, age(layer.since, now), tell(layer));
    Some(Trouble::new(need, layer.since, Severity::Warn, what, "find out why it is another one, then probe it"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::model::{ApprovalId, End, JobId, JobState, PlanHash, RecognisedBy, Vote};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn layer(kind: LayerKind, state: LayerState) -> LayerPanel {
        let why = format!("{} says no", kind.as_str());
        LayerPanel { kind, state, since: at(-300), rtt: None, last_good: None, why, flaps: 0 }
    }

    fn host(states: &[(LayerKind, LayerState)]) -> HostPanel {
        HostPanel {
            name: "web-1".parse().expect("a name"),
            labels: Vec::new(),
            layers: states.iter().map(|(kind, state)| layer(*kind, state.clone())).collect(),
            active: None,
            running: 0,
            queued: 0,
            agent: None,
        }
    }

    fn approval(by: &str) -> Approval {
        Approval {
            id: ApprovalId::from_uuid(Uuid::nil()),
            jobs: Vec::new(),
            rollout: None,
            plans: Vec::new(),
            hash: "0".repeat(64).parse::<PlanHash>().expect("a hash"),
            risk: crate::model::Risk::Critical,
            by: by.parse().expect("a name"),
            asked: at(-60),
            expires: at(600),
            need: 2,
            votes: Vec::new(),
            state: ApprovalState::Open,
        }
    }

    fn me(name: &str, role: Role) -> Identity {
        Identity { operator: name.parse().expect("a name"), role, scopes: None, by: RecognisedBy::Nobody }
    }

    #[test]
    fn a_host_is_out_of_reach_when_its_last_road_is_gone() {
        use LayerKind::{Exec, Manual, Socket, Tmux};
        use LayerState::{Barred, Connecting, Down, Unknown, Up};
        let told = |states: &[_]| {
            unreachable(&host(states), at(0)).map(|trouble| (trouble.problem.severity, trouble.problem.what))
        };
        assert_eq!(told(&[(Socket, Down), (Tmux, Up)]), None);
        assert_eq!(told(&[(Socket, Unknown), (Tmux, Connecting)]), None, "nothing is known yet");
        assert_eq!(told(&[(Manual, Up)]), None, "a person is no road that goes down");
        let gone = told(&[(Socket, Down), (Exec, Down), (Manual, Up)]).expect("a problem");
        assert_eq!(gone, (Severity::Crit, "no road leads to host web-1 (5m): socket: socket says no".to_owned()));
        let barred = told(&[(Socket, Down), (Tmux, Barred)]).expect("a problem");
        assert_eq!(barred, (Severity::Crit, "no road leads to host web-1 (5m): tmux: tmux says no".to_owned()));
        assert_eq!(told(&[(Socket, Up), (Tmux, Barred)]).map(|told| told.0), Some(Severity::Warn));
    }

    #[test]
    fn an_unknown_end_is_critical_and_others_are_not_told() {
        let row = |state| JobRow {
            id: JobId::from_uuid(Uuid::nil()),
            host: "web-1".parse().expect("a name"),
            title: "todo action=list".into(),
            by: "anna".parse().expect("a name"),
            asked: at(-100),
            state,
            layer: None,
            attempts: 1,
            started: None,
            ended: Some(at(-60)),
            rollout: None,
        };
        let ended = |outcome| JobState::Ended(outcome);
        assert!(unknown(&row(JobState::Running), at(0)).is_none());
        assert!(unknown(&row(ended(Outcome::Done(End::Exit(1)))), at(0)).is_none());
        let trouble = unknown(&row(ended(Outcome::Unknown { reason: "the host restarted".into() })), at(0));
        let trouble = trouble.expect("a problem");
        assert_eq!(trouble.problem.what, "todo action=list on web-1 may have run (1m): the host restarted");
        assert_eq!((trouble.problem.severity, trouble.since), (Severity::Crit, at(-60)));
    }

    #[test]
    fn an_approval_waits_for_those_who_can_answer_it() {
        let mut bridge = BridgePanel { approvals: vec![approval("anna")], ..BridgePanel::default() };
        let waits = |bridge: &BridgePanel, who: &str, role, now| answerable(bridge, &me(who, role), now).len();
        assert_eq!(waits(&bridge, "ben", Role::Approver, at(0)), 1);
        assert_eq!(waits(&bridge, "anna", Role::Admin, at(0)), 0, "nobody answers their own");
        assert_eq!(waits(&bridge, "ben", Role::Operator, at(0)), 0);
        assert_eq!(waits(&bridge, "ben", Role::Approver, at(600)), 0, "its time is over");
        assert_eq!(troubles(&bridge, at(0))[0].problem.severity, Severity::Info, "nothing is broken");
        assert_eq!(troubles(&bridge, at(600)), []);
        let ben = "ben".parse().expect("a name");
        bridge.approvals[0].votes = vec![Vote { by: ben, yes: true, at: at(-5), note: None }];
        assert_eq!(waits(&bridge, "ben", Role::Approver, at(0)), 0, "they have");
        assert_eq!(waits(&bridge, "cora", Role::Approver, at(0)), 1);
        let told = &answerable(&bridge, &me("cora", Role::Approver), at(0))[0].reason;
        assert!(told.ends_with("asked by anna, 1 of 2, 10m left"), "{told}");
    }
}
