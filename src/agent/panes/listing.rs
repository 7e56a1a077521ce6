//! What one connection is told of the panes there are.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::PaneFacts;
use crate::protocol::{FromAgent, PaneSaid};

use super::owner::{Told, Visiting};

/// At most one list in so long.
const EVERY: Duration = Duration::from_millis(250);
/// Bytes of JSON of one list. A frame has a MiB.
const LIST_MAX: usize = 800 << 10;

/// Tells `visiting` of all panes, or those of one session, now and at every change; and who begins and ends to drive one,
/// over other connections than this.
pub(super) async fn tell(
    visiting: Arc<Visiting>,
    session: Option<String>,
    may_drive: bool,
    answers: mpsc::Sender<FromAgent>,
) {
    let mut news = visiting.owner.told();
    let (mut before, mut last) = (Arc::new(Told::default()), None);
    loop {
        let now = news.borrow_and_update().clone();
        if let Some(now) = now {
            let mut said = drivers(&before, &now, visiting.by);
            let list = listed(&now, session.as_deref(), may_drive);
            if last.as_ref() != Some(&list) {
                said.insert(0, list.clone());
                last = Some(list);
            }
            for said in said {
                if answers.send(FromAgent::Pane(said)).await.is_err() {
                    return;
                }
            }
            before = now;
            tokio::time::sleep(EVERY).await;
        }
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// The list of one session, or of all.
fn listed(told: &Told, session: Option<&str>, may_drive: bool) -> PaneSaid {
    let mut why = told.why.clone();
    if let Some(session) = session
        && why.is_none()
        && told.of(session).next().is_none()
    {
        why = Some(format!("tmux has no session {session}"));
    }
    let mut panes: Vec<PaneFacts> = match session {
        Some(session) => told.of(session).cloned().collect(),
        None => told.panes.clone(),
    };
    panes.sort_by(|a, b| a.place().cmp(&b.place()));
    let (all, mut room) = (panes.len(), LIST_MAX);
    // JSON makes six bytes of some; what comes from outside may hold nothing else.
    let fits = panes.iter().take_while(|pane| {
        let length = serde_json::to_vec(pane).map_or(LIST_MAX, |json| json.len() + 1);
        room = room.saturating_sub(length);
        room > 0
    });
    let fits = fits.count();
    if fits < all {
        panes.truncate(fits);
        why = Some(format!("{} panes more than are listed", all - fits));
    }
    PaneSaid::Panes { panes, why, may_drive }
}

/// Who drives what since `before`, but for what the connection `by` does, which hears of it at once.
fn drivers(before: &Told, now: &Told, by: u64) -> Vec<PaneSaid> {
    let mut said = Vec::new();
    for pane in &now.panes {
        let was = before.driven_by.get(&pane.id).copied();
        let is = now.driven_by.get(&pane.id).copied();
        let of_others = |connection: Option<u64>| connection.is_some_and(|connection| connection != by);
        let driver = before.pane(pane.id).and_then(|pane| pane.driver.as_ref());
        if was.is_some() && driver != pane.driver.as_ref() && (of_others(was) || of_others(is)) {
            let why = driver.map_or_else(String::new, |driver| format!("{} has given it back", driver.who));
            said.push(PaneSaid::Released { pane: pane.id, why });
        }
        if let Some(driver) = &pane.driver
            && of_others(is)
            && before.pane(pane.id).is_none_or(|pane| pane.driver.as_ref() != Some(driver))
        {
            said.push(PaneSaid::Taken { pane: pane.id, driver: driver.clone() });
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::PaneDriver;

    fn pane(number: u32, session: &str) -> PaneFacts {
        PaneFacts { session: session.to_owned(), index: number, ..PaneFacts::sample(number) }
    }

    fn driven(mut pane: PaneFacts, who: &str, by: u64) -> Told {
        let driver = PaneDriver { who: who.parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
        pane.driver = Some(driver);
        Told { driven_by: [(pane.id, by)].into(), panes: vec![pane], ..Told::default() }
    }

    #[test]
    fn a_session_is_listed_alone_and_one_that_is_not_there_is_said() {
        let told = Told { panes: vec![pane(1, "work"), pane(2, "play")], ..Told::default() };
        let PaneSaid::Panes { panes, why, .. } = listed(&told, Some("work"), true) else { panic!("a list") };
        assert_eq!((panes, why), (vec![pane(1, "work")], None));
        let PaneSaid::Panes { panes, why, .. } = listed(&told, Some("wor"), true) else { panic!("a list") };
        assert_eq!((panes, why.as_deref()), (Vec::new(), Some("tmux has no session wor")));
    }

    #[test]
    fn a_session_of_a_group_is_listed_by_its_own_name() {
        let grouped = Told { panes: vec![pane(1, "aaa")], elsewhere: vec![pane(1, "work")], ..Told::default() };
        for (session, listed_as) in [(None, "aaa"), (Some("aaa"), "aaa"), (Some("work"), "work")] {
            let PaneSaid::Panes { panes, why, .. } = listed(&grouped, session, true) else { panic!("a list") };
            assert_eq!((panes, why), (vec![pane(1, listed_as)], None), "once");
        }
    }

    #[test]
    fn a_list_fits_into_a_frame_whatever_panes_are_called() {
        let mut evil = pane(1, "work");
        (evil.title, evil.command) = ("\u{1}".repeat(256), "\u{1}".repeat(256));
        let told = Told { panes: vec![evil; 1_000], ..Told::default() };
        let said = listed(&told, None, true);
        assert!(serde_json::to_vec(&said).expect("JSON").len() < crate::protocol::AGENT_FRAME_MAX);
        let PaneSaid::Panes { panes, why: Some(why), .. } = said else { panic!("a list that is cut") };
        assert_eq!(why, format!("{} panes more than are listed", 1_000 - panes.len()));
    }

    #[test]
    fn everybody_else_hears_who_drives() {
        let free = Told { panes: vec![pane(1, "work")], ..Told::default() };
        let anna = driven(pane(1, "work"), "anna", 3);
        let ben = driven(pane(1, "work"), "ben", 4);
        let words = |before: &Told, now: &Told, by: u64| -> Vec<String> {
            let word = |said: &PaneSaid| match said {
                PaneSaid::Taken { driver, .. } => format!("taken by {}", driver.who),
                PaneSaid::Released { why, .. } => why.clone(),
                other => panic!("{other:?}"),
            };
            drivers(before, now, by).iter().map(word).collect()
        };
        assert_eq!(words(&free, &anna, 9), ["taken by anna"]);
        assert_eq!(words(&anna, &free, 9), ["anna has given it back"]);
        assert_eq!(words(&anna, &ben, 9), ["anna has given it back", "taken by ben"]);
        assert_eq!(words(&anna, &ben, 3), ["anna has given it back", "taken by ben"], "it was taken away");
        assert!(words(&free, &anna, 3).is_empty() && words(&anna, &free, 3).is_empty(), "who does it knows");
        assert!(words(&anna, &anna, 9).is_empty());
    }
}
