//! What operators do with conversations, through a running engine.

use aurora::client::{Client, Target, act_id};
use aurora::model::{Act, ConversationRow, InboxFilter, Item, Snooze};
use aurora::protocol::{Notice, Reply, Request, Update};
use aurora::server::socket_path;
use jiff::{SignedDuration, Timestamp};

use crate::support::{PATIENCE, Site, borrowed, eventually, now, standard};

fn deliver(site: &Site, id: &str, sender: &str) {
    let body = format!("{{\"type\":\"note\",\"subject\":\"subject {id}\",\"from\":\"{sender}@example.org\"}}");
    let headers = standard(&site.secret("standard"), id, now(), body.as_bytes());
    assert_eq!(site.post("/hooks/standard", &borrowed(&headers), body.as_bytes()).status, 204);
}

async fn attach(site: &Site) -> Client {
    Client::attach(Target::Unix(socket_path(&site.args()[3])), true, false).await.expect("attaches")
}

async fn listed(client: &mut Client) -> Vec<ConversationRow> {
    let request = Request::Conversations { filter: InboxFilter::default(), before: None, limit: 50 };
    match client.answer(request).await.expect("answers") {
        Reply::Conversations(list) => list.rows,
        reply => panic!("{reply:?}"),
    }
}

/// The conversations of the next act or arrival that `client` hears of.
async fn heard(client: &mut Client) -> Vec<ConversationRow> {
    loop {
        match client.next().await.expect("an update") {
            Update::Notice(Notice::Acted(change)) => return change.conversations,
            Update::Notice(Notice::Arrived { conversations, .. }) if !conversations.is_empty() => return conversations,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_agree_and_what_was_done_survives_the_engine() {
    let mut site = Site::served();
    for (id, sender) in [("m1", "ann"), ("m2", "bob"), ("m3", "ann")] {
        deliver(&site, id, sender);
    }
    site.projected(3);
    let (mut one, mut two) = (attach(&site).await, attach(&site).await);
    let rows = listed(&mut one).await;
    assert_eq!(rows.iter().map(|row| (row.messages, row.unread)).collect::<Vec<_>>(), [(2, 2), (1, 1)]);
    let on: Vec<Item> = rows.iter().map(|row| row.id.into()).collect();
    let acts = [
        Act::Label("late".parse().expect("a label")),
        Act::Ack,
        Act::Note("call back".into()),
        Act::Snooze(Snooze::Reply),
    ];
    for act in acts {
        let request = Request::Act { id: act_id(), on: on.clone(), act, seen: None };
        let reply = one.answer(request.clone()).await.expect("answers");
        assert!(matches!(&reply, Reply::Acted(acted) if acted.changed > 0), "{reply:?}");
        let mut told = heard(&mut two).await;
        told.sort_by_key(|row| std::cmp::Reverse(row.place));
        assert_eq!(told.len(), 2, "one notice for both: {told:?}");
        if told[0].snoozed.is_none() {
            assert_eq!(told, listed(&mut one).await, "what is told is what is stored");
        }
        let again = one.answer(request).await.expect("answers");
        assert_eq!(format!("{again:?}"), format!("{reply:?}"), "asked twice, done once");
    }
    site.kill();
    site.serve();
    let mut one = attach(&site).await;
    assert_eq!(listed(&mut one).await, [], "still snoozed");
    deliver(&site, "m4", "bob");
    let told = heard(&mut one).await;
    assert_eq!((told.len(), told[0].snoozed, told[0].notes, told[0].unread), (1, None, 1, 1));
    assert_eq!(told[0].labels[0].as_str(), "late");
    assert_eq!(told, listed(&mut one).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snooze_ends_at_its_time_for_everybody_and_an_engine_that_was_away() {
    let mut site = Site::served();
    deliver(&site, "m1", "ann");
    site.projected(1);
    let mut client = attach(&site).await;
    let on = vec![Item::from(listed(&mut client).await[0].id)];
    let snooze = |seconds| Act::Snooze(Snooze::Until(Timestamp::now() + SignedDuration::from_secs(seconds)));
    let act = |act| Request::Act { id: act_id(), on: on.clone(), act, seen: None };
    client.answer(act(Act::Read)).await.expect("answers");
    client.answer(act(snooze(3_600))).await.expect("answers");
    assert_eq!(listed(&mut client).await, []);
    client.answer(act(snooze(1))).await.expect("answers");
    let woken = loop {
        let told = heard(&mut client).await;
        if told[0].snoozed.is_none() {
            break told;
        }
    };
    assert_eq!((woken[0].unread, woken.len()), (1, 1), "it is seen that it is back");
    client.answer(act(snooze(1))).await.expect("answers");
    site.kill();
    eventually("a command brings it back, too", || {
        site.json(&["inbox", "list", "--conversations"])["rows"][0]["unread"] == 1
    });
    site.serve();
    assert!(site.aurora(&["inbox", "snooze", &on[0].to_string(), "2020-01-01"]).status.code() == Some(2));
}

#[test]
fn the_commands_do_it_and_undo_it() {
    let site = Site::served();
    deliver(&site, "m1", "ann");
    site.projected(1);
    let id = site.json(&["inbox", "list", "--conversations"])["rows"][0]["id"].as_str().expect("an id").to_owned();
    let undo = |args: &[&str], said: &str| {
        let output = site.aurora(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.starts_with(said), "{out}{err}");
        assert_eq!(site.ok(&["inbox", "undo", err.trim().rsplit(' ').next().expect("an id")]), "1 restored");
    };
    undo(&["inbox", "label", &id, "Late"], "1 labelled late");
    undo(&["inbox", "assign", &id, "me"], "1 assigned to ");
    undo(&["inbox", "snooze", &id, "tomorrow 9:00"], "1 snoozed until ");
    undo(&["inbox", "note", &id, "call back"], "1 noted");
    undo(&["inbox", "ack", &id], "1 taken");
    assert_eq!(site.ok(&["inbox", "snooze", &id, "until-reply"]), "1 snoozed until a new message");
    assert_eq!(site.json(&["inbox", "list", "--conversations"])["rows"], serde_json::json!([]));
    assert_eq!(site.ok(&["inbox", "snooze", &id, "now"]), "1 brought back");
    eventually("it is back", || site.json(&["inbox", "list", "--conversations"])["rows"][0]["id"] == id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_everybodys_and_mine_is_mine() {
    let site = Site::served();
    deliver(&site, "m1", "ann");
    site.projected(1);
    let (mut one, mut two) = (attach(&site).await, attach(&site).await);
    let save = |name: &str, query: &str| Request::SaveView { name: name.into(), query: query.into() };
    one.answer(save("From ann", "from:ann")).await.expect("saves");
    while !matches!(two.next().await.expect("an update"), Update::Notice(Notice::Views)) {}
    assert!(one.answer(save("vip", "from:ann")).await.is_err_and(|why| why.to_string().contains("always there")));
    assert!(one.answer(save("y", "\"ann")).await.is_err_and(|why| why.to_string().contains("column 1")));
    let counts = async |client: &mut Client| match client.answer(Request::Views).await.expect("answers") {
        Reply::Views(views) => views.into_iter().map(|view| (view.name, view.unread.to_string())).collect::<Vec<_>>(),
        reply => panic!("{reply:?}"),
    };
    let views = counts(&mut two).await;
    let count = |views: &[(String, String)], name: &str| {
        views.iter().find(|(known, _)| known == name).map(|(_, count)| count.clone())
    };
    assert_eq!((count(&views, "unread"), count(&views, "mine")), (Some("1".into()), Some("0".into())));
    assert_eq!(count(&views, "From ann"), Some("1".into()));
    let id = listed(&mut one).await[0].id;
    let Reply::Identity(me) = one.answer(Request::WhoAmI).await.expect("answers") else { panic!("an identity") };
    let act = Request::Act { id: act_id(), on: vec![id.into()], act: Act::Assign(me.operator), seen: None };
    one.answer(act).await.expect("answers");
    // Counts are told at most once a second.
    let counted = async { while count(&counts(&mut two).await, "mine") != Some("1".into()) {} };
    tokio::time::timeout(PATIENCE, counted).await.expect("it is counted");
    let row = |name: &str| {
        site.json(&["inbox", "views"]).as_array().expect("views").iter().find(|row| row["name"] == name).cloned()
    };
    assert_eq!(row("From ann").expect("the view")["unread"], serde_json::json!({ "n": 1, "more": false }));
    let shown = |name: &str| site.json(&["inbox", "list", "--view", name]).as_array().map(Vec::len);
    assert_eq!((shown("from ANN"), shown("snoozed")), (Some(1), Some(0)));
    let wrong = site.aurora(&["inbox", "list", "--view", "from an"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean \"From ann\""), "{wrong:?}");
    let both = site.aurora(&["inbox", "list", "--channel", "github", "channel:standard"]);
    assert_eq!(both.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&both.stderr).contains("contradict"), "{both:?}");
    one.answer(Request::DeleteView("from ann".into())).await.expect("deletes");
    assert_eq!(count(&counts(&mut two).await, "From ann"), None);
}

#[test]
fn the_way_of_a_message_is_told() {
    let site = Site::served();
    deliver(&site, "m1", "ann");
    site.projected(1);
    let id = site.json(&["inbox", "list"])[0]["id"].as_str().expect("an id").to_owned();
    site.ok(&["inbox", "ack", &id]);
    let trace = site.json(&["inbox", "show", &id, "--trace"]);
    let steps = trace["steps"].as_array().expect("steps");
    let names: Vec<&str> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    let all = ["received", "verified", "deduped", "stored", "projected", "indexed", "shown", "read", "taken"];
    assert_eq!(names, all);
    for name in ["received", "stored", "projected", "read", "taken"] {
        let step = steps.iter().find(|step| step["name"] == name).expect("a step");
        assert!(step["at"].is_string(), "{step}");
    }
    assert!(steps[6]["what"].as_str().is_some_and(|what| what.starts_with("no screen was attached")));
    let event = id.replace("msg_", "evt_");
    assert_eq!(site.json(&["events", "show", &event, "--trace"]), trace);
    assert!(site.ok(&["inbox", "show", &id, "--trace"]).starts_with("STEP"));
}
