//! The road of last resort: the lines a person pastes on the host. Pure.

use crate::bridge::Term;
use crate::bridge::ssh::letter;
use crate::config::SshConfig;
use crate::model::JobId;
use crate::protocol::{AGENT_VERSION, JobOrder, ToAgent};

/// The mark of answers that a person sees.
const MARK: &str = "aurora0000answer";

/// What a person does for a job that no road carries: each line a command or a remark behind `#`. The job has the id it
/// had on every other road, so an order that still lies somewhere and this one run it once.
///
/// # Errors
/// When it is too long for a line of a shell; in words.
pub fn manual_lines(order: &JobOrder, term: Term, ssh: Option<&SshConfig>) -> Result<Vec<String>, String> {
    let host = order.plan.host.clone();
    let hello = ToAgent::Hello { version: AGENT_VERSION, engine: term.engine, epoch: term.epoch, host: host.clone() };
    let agent = |question: &ToAgent, id: JobId| {
        let program = ssh.map_or("aurora", |ssh| ssh.agent.as_str());
        let config = ssh.and_then(|ssh| ssh.agent_config.as_ref()).map(|path| format!(" --config {path}"));
        let letter = letter(&hello, question)?;
        let (config, id) = (config.unwrap_or_default(), id.as_uuid().simple());
        Ok::<_, String>(format!("{program}{config} agent exec --id {id} --b64 {letter} --mark {MARK}"))
    };
    let run = agent(&ToAgent::Run(Box::new(order.clone())), order.id)?;
    Ok(vec![
        format!("# on {host}, as the user its agent runs as, before {}:", order.not_after),
        run,
        "# then here, by what was seen there:".to_owned(),
        format!("aurora job resolve {} --ran --note 'by hand'", order.id),
        format!("aurora job resolve {} --not-ran --note 'by hand'", order.id),
    ])
}

#[cfg(test)]
mod tests {

    use base64::Engine as _;
    use uuid::Uuid;

    use super::*;
    use crate::model::{EngineId, Plan};

    fn order(word: &str) -> JobOrder {
        let plan = Plan::sample("web-1", "todo", &["./todo", word]);
        JobOrder {
            id: JobId::from_uuid(Uuid::from_u128(7)),
            hash: plan.hash(),
            plan,
            engine: EngineId::from_uuid(Uuid::nil()),
            epoch: 3,
            nonce: "n".into(),
            not_after: "2030-01-01T00:00:00Z".parse().expect("a moment"),
        }
    }

    #[test]
    fn what_is_pasted_is_the_same_order_and_holds_nothing_for_a_shell() {
        let order = order("'; rm -rf / #\n$(id)");
        let term = Term { engine: order.engine, epoch: 3 };
        let lines = manual_lines(&order, term, None).expect("short");
        assert!(lines[0].starts_with("# on web-1"), "{lines:?}");
        let words: Vec<&str> = lines[1].split(' ').collect();
        assert_eq!(words[..4], ["aurora", "agent", "exec", "--id"]);
        assert_eq!(words[4], order.id.as_uuid().simple().to_string());
        let safe = |c: char| c.is_ascii_alphanumeric() || " _-".contains(c);
        assert!(lines[1].chars().all(safe), "{}", lines[1]);
        let letter = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(words[6]).expect("base64url");
        let [hello, question]: [ToAgent; 2] = serde_json::from_slice(&letter).expect("a letter");
        assert!(matches!(hello, ToAgent::Hello { epoch: 3, .. }));
        assert_eq!(question, ToAgent::Run(Box::new(order)));
        assert!(manual_lines(&self::order(&"x".repeat(200_000)), term, None).expect_err("long").contains("bytes long"));
    }
}
