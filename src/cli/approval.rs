//! `aurora approval`

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{Approval, ApprovalId, ApprovalState, Plan, PlanHash, age, counted, escaped, short_duration};
use crate::protocol::{BridgeReply, BridgeRequest, Reply, Request};

use super::args::{ApprovalCommand, Global, Listing};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use super::session::{Session, ask, unexpected};

/// Digits of a hash that have to be given at least: whoever says yes has looked at it.
const DIGITS: usize = 12;

pub(super) async fn run(command: ApprovalCommand, config: &Config, global: &Global) -> Outcome {
    match command {
        ApprovalCommand::List { all, listing: Listing { limit, json } } => {
            match ask(config, global, Request::Bridge(BridgeRequest::Approvals { all, limit })).await? {
                Reply::Bridge(BridgeReply::Approvals(approvals)) if json.json => output::json(&approvals)?,
                Reply::Bridge(BridgeReply::Approvals(approvals)) => table(&approvals)?,
                reply => return Err(unexpected(&reply)),
            }
            Ok(Exit::Fine)
        }
        ApprovalCommand::Show { id, json } => {
            let reply = ask(config, global, Request::Bridge(BridgeRequest::Approval(id))).await?;
            let approval = known(id, reply)?;
            if json.json {
                output::json(&approval)?;
            } else {
                output::lines(&in_full(&approval, Timestamp::now()))?;
            }
            Ok(Exit::Fine)
        }
        ApprovalCommand::Grant { id, hash, note } => vote(config, global, id, Some(&hash), note).await,
        ApprovalCommand::Deny { id, note } => vote(config, global, id, None, note).await,
    }
}

fn known(id: ApprovalId, reply: Reply) -> Result<Approval, Failure> {
    match reply {
        Reply::Bridge(BridgeReply::Approval(Some(approval))) => Ok(*approval),
        Reply::Bridge(BridgeReply::Approval(None)) => {
            let words = format!("no approval has the id {id}; `aurora approval list --all` names them");
            Err(Failure::new(Exit::Failed, words))
        }
        reply => Err(unexpected(&reply)),
    }
}

/// Says yes to what has this hash, or no to whatever it is.
async fn vote(config: &Config, global: &Global, id: ApprovalId, yes: Option<&str>, note: Option<String>) -> Outcome {
    let mut session = Session::open(config, global).await?;
    let voted = cast(&mut session, id, yes, note).await;
    session.close().await;
    let approval = voted?;
    let yes = approval.votes.iter().filter(|vote| vote.yes).count();
    output::line(&match approval.state {
        ApprovalState::Open => format!("{id} has {yes} of {} yes", approval.need),
        state => format!("{id} is {}", state.as_str()),
    })?;
    Ok(Exit::Fine)
}

async fn cast(
    session: &mut Session,
    id: ApprovalId,
    yes: Option<&str>,
    note: Option<String>,
) -> Result<Approval, Failure> {
    let approval = known(id, session.ask(Request::Bridge(BridgeRequest::Approval(id))).await?)?;
    if let Some(typed) = yes {
        check(typed, &approval.hash)?;
        // What the last yes lets go has to be brought to its host.
        session.needs_engine()?;
    }
    let request = BridgeRequest::Vote { id, hash: approval.hash, yes: yes.is_some(), note };
    match session.ask(Request::Bridge(request)).await? {
        Reply::Bridge(BridgeReply::Approval(Some(approval))) => Ok(*approval),
        Reply::Bridge(BridgeReply::Done) => known(id, session.ask(Request::Bridge(BridgeRequest::Approval(id))).await?),
        reply => Err(unexpected(&reply)),
    }
}

/// Whether `typed` is the beginning of the hash, long enough to mean it.
fn check(typed: &str, hash: &PlanHash) -> Result<(), Failure> {
    if typed.len() < DIGITS {
        return Err(Failure::usage(format!(
            "give {DIGITS} digits of the hash at least, as `aurora approval show` prints it"
        )));
    }
    if hash.as_str().starts_with(&typed.to_ascii_lowercase()) {
        return Ok(());
    }
    Err(Failure::new(Exit::Denied, "approval.hash: it is about another hash than this; look at it again"))
}

fn table(approvals: &[Approval]) -> Result<(), Failure> {
    let now = Timestamp::now();
    let rows = approvals.iter().map(|approval| {
        let yes = approval.votes.iter().filter(|vote| vote.yes).count();
        [
            approval.id.to_string(),
            approval.state.as_str().to_owned(),
            format!("{yes}/{}", approval.need),
            approval.by.to_string(),
            age(approval.asked, now),
            left(approval, now),
            escaped(&title(approval)),
        ]
    });
    Ok(output::table(["ID", "STATE", "YES", "BY", "AGE", "LEFT", "WHAT"], rows)?)
}

/// How much time is left for an answer.
fn left(approval: &Approval, now: Timestamp) -> String {
    let left = std::time::Duration::try_from(approval.expires.duration_since(now)).unwrap_or_default();
    if approval.state == ApprovalState::Open { short_duration(left) } else { "-".to_owned() }
}

/// The command, its values and how many hosts, in one line.
fn title(approval: &Approval) -> String {
    let Some(plan) = approval.plans.first() else { return String::new() };
    let on = match approval.plans.len() {
        1 => plan.host.to_string(),
        hosts => counted(hosts, "host"),
    };
    format!("{} on {on}", plan.title())
}

/// Everything there is to know before saying yes. Whatever is not seen is written as an escape.
fn in_full(approval: &Approval, now: Timestamp) -> String {
    let mut text = vec![
        format!(
            "{}  {}, {} of {} yes",
            approval.id,
            approval.state.as_str(),
            approval.votes.iter().filter(|vote| vote.yes).count(),
            approval.need
        ),
        format!("asked by  {}, {}; {} left", approval.by, ago(approval.asked, now), left(approval, now)),
        format!("risk      {}", approval.risk),
        format!("hash      {}", approval.hash),
    ];
    for plan in &approval.plans {
        text.extend(what_runs(plan));
    }
    if let Some(course) = &approval.rollout {
        text.extend(course.told().into_iter().map(|(label, told)| format!("{label:<9} {told}")));
        for plan in course.undoing.iter().flat_map(|undoing| &undoing.plans) {
            text.extend(what_runs(plan));
        }
    }
    for vote in &approval.votes {
        let word = if vote.yes { "yes" } else { "no" };
        let note = vote.note.as_ref().map(|note| format!(": {}", escaped(note))).unwrap_or_default();
        text.push(format!("{word}       {}, {}{note}", vote.by, ago(vote.at, now)));
    }
    text.join("\n")
}

fn what_runs(plan: &Plan) -> Vec<String> {
    let mut text = vec![format!("on        {}", plan.host)];
    // One word a line: no space inside a word can look like two words.
    text.extend(plan.argv.iter().enumerate().map(|(number, word)| {
        let name = if number == 0 { "  runs    " } else { "          " };
        format!("{name}{}", escaped(word))
    }));
    if let Some(prompt) = &plan.keys {
        text.push(format!("  types   {}", escaped(&prompt.text)));
        text.push(format!("  into    {}", prompt.place));
        return text;
    }
    if let Some(cwd) = &plan.cwd {
        text.push(format!("  in      {}", escaped(cwd)));
    }
    text.extend(plan.env.iter().map(|(name, value)| format!("  with    {name}={}", escaped(value))));
    let time = std::time::Duration::from_millis(plan.timeout_ms);
    text.push(format!("  at most {}", short_duration(time)));
    text
}

/// How long ago, as a sentence says it.
fn ago(then: Timestamp, now: Timestamp) -> String {
    match age(then, now).as_str() {
        "now" => "now".to_owned(),
        age => format!("{age} ago"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::model::{Course, JobId, Pace, Risk, Undoing};

    use super::*;

    #[test]
    fn what_deceives_is_shown_before_a_yes() {
        let plan = Plan {
            args: BTreeMap::from([("file".into(), "a\u{202e}gpj.exe".into())]),
            cwd: Some("/srv\u{200b}".into()),
            env: BTreeMap::from([("A".into(), "\u{1b}[2J".into())]),
            ..Plan::sample("web-1", "deploy", &["/bin/deploy", "a\u{202e}gpj.exe\n--force", "a b"])
        };
        let approval = Approval {
            id: ApprovalId::from_uuid(uuid::Uuid::from_u128(1)),
            jobs: vec![JobId::from_uuid(uuid::Uuid::from_u128(2))],
            rollout: None,
            hash: Plan::hash_of_all(std::slice::from_ref(&plan)),
            plans: vec![plan],
            risk: Risk::Critical,
            by: "anna".parse().expect("a name"),
            asked: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
            need: 2,
            votes: Vec::new(),
            state: ApprovalState::Open,
        };
        let text = in_full(&approval, Timestamp::UNIX_EPOCH);
        assert!(text.chars().all(|c| c == '\n' || !crate::model::is_unseen(c)), "{text:?}");
        for shown in
            ["a\\u{202e}gpj.exe\\n--force", "          a b", "/srv\\u{200b}", "A=\\u{1b}[2J", approval.hash.as_str()]
        {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        let back = Plan { argv: vec!["/bin/back\u{200b}".into()], ..approval.plans[0].clone() };
        let course = Course {
            stages: vec![vec!["web-1".parse().expect("a name")], vec!["web-2".parse().expect("a name")]],
            pace: Pace { settle_ms: 3_000, ..Pace::default() },
            checks: Vec::new(),
            undoing: Some(Undoing { plans: vec![back], risk: Risk::Low }),
        };
        let text = in_full(&Approval { rollout: Some(course), ..approval.clone() }, Timestamp::UNIX_EPOCH);
        for shown in ["stage 2   web-2", "between   3", "rollback  deploy (low risk)", "  runs    /bin/back\\u{200b}"] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(escaped(&title(&approval)).contains("file=a\\u{202e}gpj.exe on web-1"));
        let (hash, digits) = (&approval.hash, approval.hash.as_str()[..12].to_uppercase());
        assert!(
            check(&digits, hash).is_ok() && check(&digits[..11], hash).is_err() && check("000000000000", hash).is_err()
        );
    }
}
