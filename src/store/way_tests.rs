//! The way of an event, and what views count.

use crate::model::{Act, Count, EventId, InboxFilter, Item, MessageRow, Trace};

use super::Point;
use super::tests::{act, at, channels, event, open, project, record};

fn step<'a>(trace: &'a Trace, name: &str) -> &'a crate::model::TraceStep {
    trace.steps.iter().find(|step| step.name == name).expect("a step")
}

#[tokio::test]
async fn a_way_has_the_times_that_are_known_and_says_what_is_not() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    for text in ["ann: first", "bob: second"] {
        record(&store, event(a, None, text, 0)).await;
    }
    let pending = store.pending(9).expect("reads");
    let trace = store.trace(pending[0].id).expect("reads").expect("known");
    assert_eq!(trace.steps.last().map(|step| (step.name.as_str(), step.what.as_str())), Some(("projected", "not yet")));
    assert!(step(&trace, "stored").at.is_some());
    project(&store).await;
    store.passages().note(Point::Shown, 1, 1, at(9));
    store.index(10).await.expect("indexes");
    let ids: Vec<EventId> = pending.iter().map(|event| event.id).collect();
    let on = [Item::Message(ids[0].into())];
    act(&store, "otto", &on, Act::Read, 20).await;
    act(&store, "anna", &on, Act::Ack, 30).await;
    let ways = |store: &super::Store| {
        ids.iter().map(|id| store.trace(*id).expect("reads").expect("known")).collect::<Vec<_>>()
    };
    let before = ways(&store);
    for name in ["stored", "projected", "indexed"] {
        assert!(before.iter().all(|trace| step(trace, name).at.is_some()), "{name}: {before:?}");
    }
    assert_eq!((step(&before[0], "shown").at, step(&before[1], "shown").at), (Some(at(9)), None));
    assert!(step(&before[1], "shown").what.contains("no screen"));
    assert_eq!(
        (step(&before[0], "read").what.as_str(), step(&before[0], "taken").what.as_str()),
        ("by otto", "by anna")
    );
    assert_eq!(step(&before[1], "taken").what, "nobody has taken it");
    drop(store);
    let store = open(&dir);
    assert_eq!(ways(&store), before, "written with what was projected and indexed");
    record(&store, event(a, None, "eve: third", 1)).await;
    let last = store.pending(1).expect("reads")[0].id;
    drop(store);
    let store = open(&dir);
    let trace = store.trace(last).expect("reads").expect("known");
    assert_eq!(step(&trace, "stored").at, None);
    assert!(step(&trace, "stored").what.ends_with("unknown since the engine restarted"), "{trace:?}");
    assert_eq!(store.trace(EventId::from_uuid(uuid::Uuid::nil())).expect("reads"), None);
}

#[tokio::test]
async fn views_are_kept_for_everybody_and_counted() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    for (channel, text) in [(a, "ann: one"), (a, "ann: two"), (b, "bob: three")] {
        record(&store, event(channel, None, text, 0)).await;
    }
    project(&store).await;
    store.index(10).await.expect("indexes");
    let count = |query: &str| {
        let filter: InboxFilter = query.parse().expect("a query");
        store.unread_conversations(&filter).expect("counts")
    };
    let some = |n| Count { n, more: false };
    let rows = store.inbox(&InboxFilter::default(), None, 9).expect("lists").rows;
    let newest: &MessageRow = &rows[0];
    assert_eq!((count("unread"), count("channel:a"), count("snoozed")), (some(2), some(1), some(0)));
    act(&store, "otto", &[newest.id.into()], Act::Label("Late".parse().expect("a label")), 0).await;
    act(&store, "otto", &[newest.id.into()], Act::Assign("anna".parse().expect("a name")), 0).await;
    assert_eq!((count("label:late"), count("assignee:anna"), count("assignee:nobody")), (some(1), some(1), some(1)));
    assert_eq!((count("one"), count("nothing"), count("from:ann")), (some(1), some(0), some(1)));
    act(&store, "otto", &[newest.id.into()], Act::Snooze(crate::model::Snooze::Reply), 0).await;
    assert_eq!((count("unread"), count("snoozed"), count("label:late")), (some(1), some(1), some(0)));
    act(&store, "otto", &[newest.id.into()], Act::Wake, 0).await;
    act(&store, "otto", &[newest.id.into()], Act::Read, 0).await;
    assert_eq!((count("unread"), count("label:late")), (some(1), some(0)), "read ones are not counted");

    for n in 0..50 {
        assert!(store.save_view(format!("v{n:02}"), "vip".into()).await.expect("writes"));
    }
    assert!(!store.save_view("more".into(), "vip".into()).await.expect("writes"), "there are 50");
    assert!(store.save_view("V07".into(), "open".into()).await.expect("writes"), "another query under the same name");
    assert_eq!(store.views().expect("reads")[7], ("V07".to_owned(), "open".to_owned()));
    assert!(store.delete_view("v07".into()).await.expect("writes"));
    assert_eq!(store.views().expect("reads").len(), 49);
}
