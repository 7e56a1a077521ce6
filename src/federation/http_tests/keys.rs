//! How keys change, and how a node joins that had none here.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::federation::{EventLink, HttpLink, JoinToken, LinkError, join_at};
use crate::model::{NodeKey, PinnedKey, PinnedKeys};
use crate::net::{KnownNodes, ListenerTls, certificate_pin, node_client};
use crate::protocol::Join;

use super::rig::{BEAT, Hub, Party, beat_bytes, link, name, trusting};

#[tokio::test]
async fn a_key_is_changed_without_one_refused_heartbeat() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let trusting = Arc::new(KnownNodes::default());
    trusting.put(name("hub-1"), hub.desk.node.pinned());
    let link = link(hub.address, &party, Arc::clone(&trusting));
    let beats = async |times: usize| {
        for _ in 0..times {
            link.beat(&party.beat()).await.expect("no heartbeat is refused");
        }
    };
    beats(2).await;
    let old = party.keys.key();
    let (new, until) = party.keys.rotate(Timestamp::now()).expect("it is changed");
    let (hubs, _) = hub.desk.node.keys.rotate(Timestamp::now()).expect("it is changed on the other side, too");
    beats(3).await;
    let learned = hub.known.take_learned();
    assert!(learned.iter().eq([&party.name]), "it is to be kept once: {learned:?}");
    assert_eq!(hub.known.keys(&party.name, Timestamp::now()), [new, old]);
    assert_eq!(trusting.keys(&name("hub-1"), Timestamp::now())[0], hubs, "learned by the answer");
    // A day later.
    let later = until + Duration::from_secs(1);
    assert!(party.keys.settle(later).expect("it is over") && hub.desk.node.keys.settle(later).expect("it is over"));
    beats(3).await;
    assert_eq!(hub.known.keys(&party.name, Timestamp::now()), [new], "the other one counts no more");
    assert_eq!(hub.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn the_key_before_counts_for_a_day_and_no_longer() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let now = Timestamp::now();
    let pinned = |end: Timestamp| {
        let before = PinnedKey { key: party.keys.key(), since: Timestamp::UNIX_EPOCH, until: Some(end) };
        PinnedKeys(vec![before, PinnedKey { key: NodeKey::from_bytes([9; 32]), since: now, until: None }])
    };
    for (end, status) in [(now + Duration::from_mins(1), 200), (now - Duration::from_secs(1), 401)] {
        hub.known.put(party.name.clone(), pinned(end));
        let request = party.request("hub-1", BEAT, &beat_bytes(&party), Timestamp::now());
        assert_eq!(hub.send(&request).await.0, status);
    }
    // Meanwhile it can name no other key.
    assert!(hub.known.take_learned().is_empty());
}

#[tokio::test]
async fn joining_takes_the_key_of_the_invitation_and_one_s_own() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    let token =
        JoinToken::new(inviting.name.clone(), format!("http://{}", hub.address), inviting.keys.key(), None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let answer = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect("it is let in");
    assert_eq!((answer.node, answer.key), (name("hub-1"), inviting.keys.key()));
    assert_eq!(hub.asked(), ["hub-2 join"]);

    // Who heard it cannot join with a key of their own, and not under another name.
    let thief = Party::new("hub-2");
    let stolen = Join { key: thief.keys.key(), ..join.clone() };
    let error = join_at(&token, &stolen, &thief.name, Arc::clone(&thief.keys)).await.expect_err("refused");
    assert!(error.to_string().contains("no such invitation"), "{error}");
    let renamed = Join { node: name("hub-5"), ..join.clone() };
    assert!(join_at(&token, &renamed, &name("hub-5"), Arc::clone(&party.keys)).await.is_err());
    // Another node under the name of the one that invited.
    let impostor = Party::new("hub-1");
    let mut token = token;
    token.key = impostor.keys.key();
    let error = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect_err("another key");
    assert!(matches!(error, LinkError::Unusable(_)), "{error}");
    assert_eq!(hub.asked(), ["hub-2 join"], "it was asked once more, and its answer not believed");
}

#[tokio::test]
async fn under_tls_the_certificate_is_known_by_the_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let made = || rcgen::generate_simple_self_signed(["hub-1.example".to_owned()]).expect("a certificate");
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let (own, other) = (made(), made());
    std::fs::write(&cert, own.cert.pem()).expect("writes");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("writes");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    let pin = certificate_pin(&cert).expect("a pin");
    let tls = Arc::new(ListenerTls::load(cert.clone(), key).expect("a certificate"));
    let party = Party::new("hub-2");
    let hub = Hub::with(&[&party], false, Some(tls)).await;
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    std::fs::write(&cert, other.cert.pem()).expect("writes");
    let wrong = certificate_pin(&cert).expect("a pin");
    for (pin, good) in [(Some(pin), true), (Some(wrong), false), (None, false)] {
        let url = format!("https://{}", hub.address);
        let token = JoinToken::new(inviting.name.clone(), url.clone(), inviting.keys.key(), pin, now);
        let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
        let joined = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await;
        assert_eq!(joined.is_ok(), good, "{joined:?}");
        let http = node_client(&url, pin).expect("a client");
        let (keys, known) = (Arc::clone(&party.keys), trusting(inviting));
        let link = HttpLink::new(http, &url, name("hub-1"), party.name.clone(), keys, known);
        let answer = link.beat(&party.beat()).await;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
        assert!(good || matches!(answer, Err(LinkError::Unreachable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn who_tries_invitations_one_after_another_is_slowed_down() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let (key, now) = (hub.desk.node.keys.key(), Timestamp::now());
    let token = JoinToken::new(name("hub-1"), format!("http://{}", hub.address), key, None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let wrong = Join { proof: vec![0; 64], ..join };
    let body = serde_json::to_vec(&wrong).expect("JSON");
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&party.request("hub-1", "/fed/v1/join", &body, Timestamp::now())).await.0;
    }
    assert_eq!(last, 429);
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn who_joins_slowly_keeps_nobody_out_and_every_failure_counts() {
    let (party, hub) = (Party::new("hub-2"), Hub::new(&[]).await);
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    let url = format!("http://{}", hub.address);
    let token = JoinToken::new(inviting.name.clone(), url, inviting.keys.key(), None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let slow = party.request("hub-1", "/fed/v1/join", &serde_json::to_vec(&join).expect("JSON"), now);
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(hub.address).await.expect("connects");
        stream.write_all(&slow[..slow.len() - 1]).await.expect("writes");
        held.push(stream);
        join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect("it is let in");
    }
    assert_eq!(hub.asked(), ["hub-2 join"; 6]);
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&party.request("hub-1", "/fed/v1/join", b"{}", Timestamp::now())).await.0;
    }
    assert_eq!((last, hub.refusals().is_empty()), (429, false), "what cannot be read counts, too");
}
