//! Other people's yes: whose counts, how many are enough, and what ends it.

use jiff::Timestamp;

use crate::model::{Approval, ApprovalState, Identity, PlanHash, Role, Vote};

use super::Denied;

/// Longest note, in bytes.
const NOTE_MAX: usize = 500;

/// Takes one person's word on `approval`, which is about `approval.hash`. `seen` is what that person was shown.
///
/// One no ends it; so does the no of whoever asked, who takes it back by it. The same word twice is one word.
///
/// # Errors
/// Why the word does not count: the rule, and a sentence.
pub fn vote(
    approval: &Approval,
    identity: &Identity,
    seen: &PlanHash,
    yes: bool,
    note: Option<String>,
    now: Timestamp,
) -> Result<Approval, Denied> {
    let refused = |rule: &str, reason: String| Err(Denied { rule: format!("approval.{rule}"), reason });
    if identity.role < Role::Approver {
        let reason = format!("this needs the role approver; {} has the role {}", identity.operator, identity.role);
        return refused("role", reason);
    }
    let is_own = approval.by.person() == identity.operator.person();
    let said = approval.votes.iter().find(|vote| vote.by == identity.operator).map(|vote| vote.yes);
    if said == Some(yes) {
        return Ok(approval.clone());
    }
    match state_at(approval, now) {
        ApprovalState::Open => {}
        state => return refused("over", format!("it is {} already", state.as_str())),
    }
    if *seen != approval.hash {
        return refused("hash", "what was shown is not what it is about; look at it again".to_owned());
    }
    if is_own && yes {
        return refused("own", format!("{} asked for it; the yes has to come from somebody else", approval.by));
    }
    let mut approval = approval.clone();
    approval.votes.retain(|vote| vote.by.person() != identity.operator.person());
    let note = note.map(|note| cut(&note)).filter(|note| !note.trim().is_empty());
    approval.votes.push(Vote { by: identity.operator.clone(), yes, at: now, note });
    approval.state = if yes && enough(&approval) {
        ApprovalState::Granted
    } else if yes {
        ApprovalState::Open
    } else if is_own {
        ApprovalState::Withdrawn
    } else {
        ApprovalState::Denied
    };
    Ok(approval)
}

/// How `approval` stands at `now`.
#[must_use]
pub fn state_at(approval: &Approval, now: Timestamp) -> ApprovalState {
    match approval.state {
        ApprovalState::Open if now >= approval.expires => ApprovalState::Expired,
        state => state,
    }
}

/// Whether enough different people, none of them whoever asked, have said yes. `anna` and `anna@hub-2` may be one.
#[must_use]
pub fn enough(approval: &Approval) -> bool {
    let others = approval.votes.iter().filter(|vote| vote.yes).map(|vote| vote.by.person());
    let mut names: Vec<_> = others.filter(|person| *person != approval.by.person()).collect();
    names.sort_unstable();
    names.dedup();
    names.len() >= approval.need.max(1) as usize
}

/// The beginning of a note, on one line.
fn cut(note: &str) -> String {
    let mut end = note.len().min(NOTE_MAX);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::{ApprovalId, Plan, RecognisedBy, Risk, TokenId};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn approval() -> Approval {
        Approval {
            id: ApprovalId::from_uuid(uuid::Uuid::from_u128(1)),
            jobs: Vec::new(),
            plans: Vec::new(),
            rollout: None,
            hash: Plan::hash_of_all(&[]),
            risk: Risk::Critical,
            by: "anna".parse().expect("a name"),
            asked: at(0),
            expires: at(100),
            need: 2,
            votes: Vec::new(),
            state: ApprovalState::Open,
        }
    }

    fn who(name: &str, token: u128) -> Identity {
        let by = RecognisedBy::Token(TokenId::from_uuid(uuid::Uuid::from_u128(token)));
        Identity { operator: name.parse().expect("a name"), role: Role::Approver, scopes: None, by }
    }

    fn say(approval: &Approval, name: &str, yes: bool, second: i64) -> Result<Approval, String> {
        vote(approval, &who(name, 1), &approval.hash, yes, None, at(second)).map_err(|denied| denied.rule)
    }

    #[test]
    fn two_different_people_are_needed_and_the_one_who_asked_is_none_of_them() {
        let open = approval();
        assert_eq!(say(&open, "anna", true, 1), Err("approval.own".into()));
        let one = say(&open, "ben", true, 1).expect("counts");
        assert_eq!(one.state, ApprovalState::Open);
        // The same operator by another token is the same person.
        let again = vote(&one, &who("ben", 2), &one.hash, true, None, at(2)).expect("no harm");
        assert_eq!(again, one);
        let two = say(&one, "cleo", true, 3).expect("counts");
        assert_eq!((two.state, two.votes.len()), (ApprovalState::Granted, 2));
        assert_eq!(say(&two, "dora", false, 4), Err("approval.over".into()));
        assert_eq!(
            say(&two, "cleo", true, 999).map(|approval| approval.state),
            Ok(ApprovalState::Granted),
            "asked again"
        );
    }

    #[test]
    fn one_name_is_one_person_on_whichever_node() {
        let far = Approval { by: "anna@hub-2".parse().expect("a name"), ..approval() };
        assert_eq!(say(&far, "anna", true, 1), Err("approval.own".into()));
        let one = say(&far, "ben", true, 1).expect("counts");
        let same = say(&one, "ben@hub-3", true, 2).expect("counts");
        assert_eq!(same.state, ApprovalState::Open, "another person is wanted");
        assert_eq!(say(&same, "cleo@hub-3", true, 3).expect("counts").state, ApprovalState::Granted);
    }

    #[test]
    fn one_no_ends_it_and_the_askers_no_takes_it_back() {
        let one = say(&approval(), "ben", true, 1).expect("counts");
        assert_eq!(say(&one, "cleo", false, 2).expect("counts").state, ApprovalState::Denied);
        assert_eq!(
            say(&one, "ben", false, 2).expect("counts").state,
            ApprovalState::Denied,
            "somebody who thinks again"
        );
        assert_eq!(say(&one, "anna", false, 2).expect("counts").state, ApprovalState::Withdrawn);
    }

    #[test]
    fn it_ends_with_its_time_and_is_about_one_hash_only() {
        let one = say(&approval(), "ben", true, 99).expect("counts");
        assert_eq!(say(&one, "cleo", true, 100), Err("approval.over".into()));
        assert_eq!(state_at(&one, at(100)), ApprovalState::Expired);
        let other = Approval { hash: serde_json::from_str("\"00\"").expect("a hash"), ..one.clone() };
        let refused = vote(&one, &who("cleo", 1), &other.hash, true, None, at(2)).expect_err("another plan");
        assert_eq!(refused.rule, "approval.hash");
        let operator = Identity { role: Role::Operator, ..who("cleo", 1) };
        assert_eq!(vote(&one, &operator, &one.hash, true, None, at(2)).expect_err("no role").rule, "approval.role");
    }

    proptest! {
        #[test]
        fn whatever_is_said_it_is_granted_only_by_enough_others(
            words in proptest::collection::vec((0..4_usize, any::<bool>(), 0..120_i64), 0..30), need in 1..4_u32,
        ) {
            let names = ["anna", "ben", "cleo", "dora"];
            let mut standing = Approval { need, ..approval() };
            let mut yes = std::collections::BTreeSet::new();
            for (name, word, second) in words {
                if let Ok(next) = say(&standing, names[name], word, second) {
                    if next != standing && word {
                        prop_assert!(second < 100);
                        yes.insert(names[name]);
                    }
                    standing = next;
                }
            }
            if standing.state == ApprovalState::Granted {
                prop_assert!(yes.len() >= need as usize && !yes.contains("anna"));
                prop_assert!(standing.votes.iter().all(|vote| vote.yes));
            }
        }
    }
}
