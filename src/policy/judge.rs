//! What a plan needs before it runs: nothing, a word typed by whoever asks, or other people's yes.

use crate::model::{CommandTemplate, Identity, PlanHash, Risk, Role};
use crate::protocol::Draft;

use super::Denied;

/// What was decided about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Run,
    /// Whoever asks types this first.
    Confirm {
        /// The host's name, or `@label`.
        typed: String,
    },
    /// So many other people say yes first.
    Hold {
        /// How many.
        need: u32,
    },
    /// It does not run.
    Refuse(Denied),
}

/// Judges what `draft` makes of `template`. `hash` is over all its plans, `quorum` from `[policy]`.
#[must_use]
pub fn judge(template: &CommandTemplate, hash: &PlanHash, identity: &Identity, draft: &Draft, quorum: u32) -> Verdict {
    if identity.role < Role::Operator {
        let reason = format!("this needs the role operator; {} has the role {}", identity.operator, identity.role);
        return Verdict::Refuse(Denied { rule: "policy.role".to_owned(), reason });
    }
    if draft.seen.as_ref().is_some_and(|seen| seen != hash) {
        let reason = "what would run now is not what was shown; look at it again".to_owned();
        return Verdict::Refuse(Denied { rule: "policy.seen".to_owned(), reason });
    }
    match template.risk {
        Risk::Low => Verdict::Run,
        Risk::High if draft.confirm.as_deref() == Some(draft.on.to_string().as_str()) => Verdict::Run,
        Risk::High => Verdict::Confirm { typed: draft.on.to_string() },
        Risk::Critical => Verdict::Hold { need: quorum.max(1) },
    }
}

impl Verdict {
    /// Why it does not run yet or ever, in words; `None` when it runs.
    #[must_use]
    pub fn reason(&self, template: &CommandTemplate) -> Option<Denied> {
        let rule = |rule: &str, reason| Some(Denied { rule: rule.to_owned(), reason });
        match self {
            Self::Run => None,
            Self::Confirm { typed } => rule(
                "policy.confirm",
                format!("{} has the risk {}; confirm it by typing {typed}", template.name, template.risk),
            ),
            Self::Hold { need } => rule(
                "policy.quorum",
                format!("{} has the risk {}; {need} other people have to say yes first", template.name, template.risk),
            ),
            Self::Refuse(denied) => Some(denied.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::model::{Class, HostName, JobId, Lane, Plan, RecognisedBy};

    use super::super::whitelist::plan;
    use super::*;

    fn template(risk: Risk) -> CommandTemplate {
        CommandTemplate {
            name: "deploy".parse().expect("a name"),
            about: None,
            hosts: vec!["@web".parse().expect("a label")],
            argv: vec!["/usr/local/bin/deploy".into()],
            keys: None,
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            timeout: Duration::from_secs(9),
            risk,
            class: Class::AtMostOnce,
            weakest_layer: None,
            at_once: None,
            rollback: None,
            checks: Vec::new(),
        }
    }

    fn draft(on: &str, confirm: Option<&str>, seen: Option<PlanHash>) -> Draft {
        Draft {
            id: JobId::from_uuid(uuid::Uuid::from_u128(1)),
            on: on.parse().expect("a host"),
            any: false,
            command: "deploy".parse().expect("a name"),
            args: BTreeMap::new(),
            layer: None,
            lane: Lane::Normal,
            confirm: confirm.map(str::to_owned),
            seen,
            pace: crate::model::Pace::default(),
        }
    }

    fn identity(role: Role) -> Identity {
        Identity { operator: "anna".parse().expect("a name"), role, scopes: None, by: RecognisedBy::Uid(7) }
    }

    fn hash(host: &str) -> PlanHash {
        let host: HostName = host.parse().expect("a name");
        plan(&template(Risk::Low), &BTreeMap::new(), &host).expect("a plan").hash().clone()
    }

    #[test]
    fn risk_says_what_is_needed() {
        let of = |risk, draft: &Draft| judge(&template(risk), &hash("web-1"), &identity(Role::Operator), draft, 2);
        assert_eq!(of(Risk::Low, &draft("web-1", None, None)), Verdict::Run);
        let confirm = Verdict::Confirm { typed: "web-1".into() };
        assert_eq!(of(Risk::High, &draft("web-1", None, None)), confirm);
        for wrong in ["", "web", "web-2", "WEB-1", "yes", " web-1"] {
            assert_eq!(of(Risk::High, &draft("web-1", Some(wrong), None)), confirm, "{wrong}");
        }
        assert_eq!(of(Risk::High, &draft("web-1", Some("web-1"), None)), Verdict::Run);
        assert_eq!(of(Risk::High, &draft("@web", Some("web"), None)), Verdict::Confirm { typed: "@web".into() });
        assert_eq!(of(Risk::High, &draft("@web", Some("@web"), None)), Verdict::Run);
        // Typing is not enough for what needs other people, not even by an admin.
        let held = judge(
            &template(Risk::Critical),
            &hash("web-1"),
            &identity(Role::Admin),
            &draft("web-1", Some("web-1"), None),
            3,
        );
        assert_eq!(held, Verdict::Hold { need: 3 });
        let reason = held.reason(&template(Risk::Critical)).expect("a reason").to_string();
        assert_eq!(reason, "policy.quorum: deploy has the risk critical; 3 other people have to say yes first");
    }

    #[test]
    fn a_viewer_runs_nothing_and_nobody_what_they_did_not_see() {
        let seen = draft("web-1", None, Some(hash("web-2")));
        let refused = judge(&template(Risk::Low), &hash("web-1"), &identity(Role::Operator), &seen, 2);
        assert!(matches!(refused, Verdict::Refuse(denied) if denied.rule == "policy.seen"));
        let viewer =
            judge(&template(Risk::Low), &hash("web-1"), &identity(Role::Viewer), &draft("web-1", None, None), 2);
        assert!(matches!(viewer, Verdict::Refuse(denied) if denied.rule == "policy.role"));
    }

    #[test]
    fn one_hash_stands_for_all_plans_and_their_order() {
        let plans: Vec<Plan> = ["web-1", "web-2"]
            .iter()
            .map(|host| {
                let host: HostName = host.parse().expect("a name");
                plan(&template(Risk::Low), &BTreeMap::new(), &host).expect("a plan").into_parts().0
            })
            .collect();
        let all = Plan::hash_of_all(&plans);
        assert_eq!(Plan::hash_of_all(&plans[..1]), plans[0].hash());
        assert!(all != plans[0].hash() && all != plans[1].hash());
        let (other_order, twice) = ([plans[1].clone(), plans[0].clone()], [plans[0].clone(), plans[0].clone()]);
        assert!(Plan::hash_of_all(&other_order) != all && Plan::hash_of_all(&twice) != plans[0].hash());
    }
}
