//! A wish for several hosts goes in stages: which ones, at which pace, and what undoes it.

use crate::config::HostConfig;
use crate::model::{
    CommandTemplate, Course, HostName, Job, LayerKind, Pace, Rollout, RolloutPhase, RolloutRow, Undoing, stages,
};
use crate::policy::{CommandLine, Denied, whitelist};
use crate::protocol::{Draft, Refusal};

use super::service::BridgeSet;

/// How `draft` goes over the hosts of `lines`; `None` for one host and to all at once.
pub(super) fn course(
    set: &BridgeSet,
    template: &CommandTemplate,
    lines: &[CommandLine],
    draft: &Draft,
) -> Result<Option<Course>, Refusal> {
    if !goes_in_stages(draft) || lines.len() < 2 {
        return Ok(None);
    }
    let hosts: Vec<HostName> = lines.iter().map(|line| line.plan().host.clone()).collect();
    Ok(Some(Course {
        stages: stages(&hosts, set.config.policy.canary_percent),
        pace: pace(draft),
        checks: template.checks.clone(),
        undoing: undoing(set, template, lines)?,
    }))
}

/// Whether it goes in stages where it has several hosts. What a person pastes by hand has their own pace.
fn goes_in_stages(draft: &Draft) -> bool {
    !draft.pace.all_at_once && draft.layer != Some(LayerKind::Manual)
}

/// The pace that is followed.
fn pace(draft: &Draft) -> Pace {
    Pace { settle_ms: draft.pace.settle_ms.min(Pace::SETTLE_MAX_MS), ..draft.pace }
}

/// Whether `draft` wants to go over `hosts` hosts as what is kept of it does.
pub(super) fn is_paced(draft: &Draft, hosts: usize, kept: Option<&Rollout>) -> bool {
    match kept {
        Some(kept) => goes_in_stages(draft) && kept.pace == pace(draft),
        None => hosts < 2 || !goes_in_stages(draft),
    }
}

/// What undoes `lines`, where it is undone: by the whitelist, with the same values, as far as it takes them.
fn undoing(set: &BridgeSet, template: &CommandTemplate, lines: &[CommandLine]) -> Result<Option<Undoing>, Refusal> {
    let undoing = template.rollback.as_ref().filter(|_| set.config.policy.auto_rollback);
    let Some(undoing) = undoing.and_then(|name| set.config.commands.get(name)) else { return Ok(None) };
    let plan = |line: &CommandLine| {
        let plan = line.plan();
        let host = set.config.hosts.get(&plan.host);
        whitelist::may_run_on(undoing, &plan.host, host.map_or(&[], |host: &HostConfig| &host.labels))?;
        let takes = |name: &String| undoing.args.iter().any(|argument| argument.name == *name);
        let values = plan.args.iter().filter(|(name, _)| takes(name));
        let values = values.map(|(name, value)| (name.clone(), value.clone())).collect();
        whitelist::plan(undoing, &values, &plan.host).map(|line| line.plan().clone())
    };
    let plans = lines.iter().map(plan).collect::<Result<_, Denied>>().map_err(|denied| {
        Refusal::Denied(format!("{} could not be undone by its rollback {}: {denied}", template.name, undoing.name))
    })?;
    Ok(Some(Undoing { plans, risk: undoing.risk }))
}

/// A rollout that has not begun.
pub(super) fn rollout(course: &Course, first: &Job, draft: &Draft) -> Rollout {
    let size = |stage: &Vec<HostName>| u32::try_from(stage.len()).unwrap_or(u32::MAX);
    let Course { stages, pace, checks, undoing } = course.clone();
    Rollout {
        row: RolloutRow {
            id: draft.id,
            title: first.title(),
            by: first.by.clone(),
            asked: first.asked,
            phase: RolloutPhase::Held,
            stage: 0,
            sizes: stages.iter().map(size).collect(),
            stopped: None,
            undone: 0,
            ended: None,
        },
        stages,
        pace,
        checks,
        undoing,
        only: draft.layer,
    }
}

/// What undoes it, in words.
pub(super) fn undone_by(rollout: &Rollout) -> String {
    let undoing = rollout.undoing.as_ref().and_then(|undoing| undoing.plans.first());
    undoing.map(|plan| format!(", undone by {}", plan.command)).unwrap_or_default()
}
