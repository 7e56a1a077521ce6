//! Inbound mail: forms with files become messages with attachments, and stay one however often they come.

use serde_json::{Value, json};

use crate::support::{Site, eventually, mailgun, multipart, now};

const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a mail with the Message-Id `id`, that answers `answers`.
fn mail(id: &str, answers: Option<&str>, text: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![json!(["Message-Id", format!("<{id}@example.org>")])];
    headers.extend(answers.map(|id| json!(["In-Reply-To", format!("<{id}@example.org>")])));
    vec![
        ("recipient", "support@example.com".to_owned()),
        ("sender", "bounce@mailer.example.org".to_owned()),
        ("from", "Ann Example <ann@Example.org>".to_owned()),
        ("subject", "Two pots".to_owned()),
        ("body-plain", text.to_owned()),
        ("message-headers", Value::from(headers).to_string()),
    ]
}

fn signed(site: &Site, token: &str, mut fields: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    fields.extend(mailgun(&site.secret("mailgun"), token));
    fields
}

fn post(site: &Site, fields: &[(&str, String)]) -> u16 {
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    site.post("/hooks/mailgun", &[("content-type", FORM)], body.as_bytes()).status
}

fn only_message(site: &Site) -> Value {
    site.projected(1);
    let list = site.json(&["inbox", "list"]);
    site.json(&["inbox", "show", list[0]["id"].as_str().expect("an id")])
}

#[test]
fn a_mail_with_files_is_listed_and_its_files_are_saved_safely() {
    let site = Site::served();
    let fields = signed(&site, "t1", mail("m1", None, "Look: [cid:pic@x]"));
    let fields = [fields, vec![("content-id-map", r#"{"<pic@x>":"attachment-3"}"#.to_owned())]].concat();
    let elf = [&b"\x7fELF\x02\x01\x01"[..], &[0; 60]].concat();
    let png: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let files: [(String, &[u8]); 4] = [
        (
            "name=\"attachment-1\"; filename=\"../../offer.pdf\"\r\nContent-Type: application/pdf".into(),
            b"%PDF-1.7 one",
        ),
        ("name=\"attachment-2\"; filename=\".bash\x1b[2Jrc\"\r\nContent-Type: text/plain".into(), b"two"),
        ("name=\"attachment-3\"; filename*=UTF-8''K%C3%BCche.png\r\nContent-Type: image/png".into(), png),
        ("name=\"attachment-4\"; filename=\"offer.pdf\"\r\nContent-Type: application/pdf".into(), &elf),
    ];
    let (content_type, body) = multipart(&fields, &files);
    let head = [("content-type", content_type.as_str())];
    assert_eq!(site.post("/hooks/mailgun", &head, &body).status, 200);
    assert_eq!(site.post("/hooks/mailgun", &head, &body).status, 200, "the same again is a duplicate");
    assert_eq!(site.events("mailgun"), 1);

    let message = only_message(&site);
    assert_eq!((&message["from"], &message["address"]), (&json!("Ann Example"), &json!("ann@example.org")));
    let text = message["text"].as_str().expect("text");
    assert!(text.starts_with("Look: [image: Küche.png]"), "{text}");
    let listed: Vec<[Value; 3]> = message["attachments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|a| [a["name"].clone(), a["type"].clone(), a["size"].clone()])
        .collect();
    assert_eq!(
        json!(listed),
        json!([
            ["../../offer.pdf", "application/pdf", 12],
            [".bash\u{1b}[2Jrc", "text/plain", 3],
            ["Küche.png", "image/png", png.len()],
            ["offer.pdf", "application/x-executable", 67],
        ])
    );
    let id = message["id"].as_str().expect("an id").to_owned();
    let shown = site.ok(&["inbox", "show", &id]);
    assert!(shown.contains("application/x-executable, called application/pdf by its sender"), "{shown}");
    assert!(!shown.contains('\u{1b}'));

    let dir = site.path().join("saved");
    let dir_text = dir.to_str().expect("text");
    for _ in 0..2 {
        assert!(site.ok(&["inbox", "show", &id, "--save", dir_text]).contains("4 written"));
    }
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((read("offer.pdf"), read("bash_[2Jrc")), (b"%PDF-1.7 one".to_vec(), b"two".to_vec()));
    assert_eq!((read("Küche.png"), read("offer-1.pdf")), (png.to_vec(), files[3].1.to_vec()));
    assert_eq!(read("offer-3.pdf"), files[3].1, "the second time nothing was overwritten");
    assert_eq!(std::fs::read_dir(&dir).expect("reads").count(), 8);

    assert_eq!(site.ok(&["events", "replay"]), "1 events were read again");
    assert_eq!(only_message(&site)["attachments"].as_array().map(Vec::len), Some(4), "replay leaves one set");
    let events = site.json(&["events", "list"]);
    let raw = site.ok(&["events", "show", events[0]["id"].as_str().expect("an id"), "--raw"]);
    let raw: Value = serde_json::from_str(&raw).expect("JSON");
    assert_eq!((&raw["fields"][3]["value"], raw["files"].as_array().map(Vec::len)), (&json!("Two pots"), Some(4)));
    assert!(!raw.to_string().contains(&fields[8].1), "the signature is not stored");
}

#[test]
fn a_token_that_comes_again_with_another_body_is_refused_and_alarmed() {
    let mut site = Site::served();
    let first = signed(&site, "t1", mail("m1", None, "one"));
    assert_eq!(post(&site, &first), 200);
    assert_eq!(post(&site, &first), 200, "the same again");
    let mut forged = first.clone();
    forged[4].1 = "another text".into();
    forged[5].1 = r#"[["Message-Id","<forged@example.org>"]]"#.into();
    assert_eq!(post(&site, &forged), 406);
    site.kill();
    site.serve();
    assert_eq!(post(&site, &forged), 406, "the token is remembered as long as its event");
    assert_eq!(post(&site, &signed(&site, "t2", mail("m1", None, "one"))), 200, "another try of the same mail");
    assert_eq!(site.events("mailgun"), 1);
    assert_eq!(post(&site, &signed(&site, "t5", mail("m1", None, "two"))), 200, "another mail of the same name");
    assert_eq!(post(&site, &signed(&site, "t6", mail("m1", None, "two"))), 200);
    assert_eq!(site.events("mailgun"), 2, "is another mail");
    eventually("the alarm", || {
        let output = site.aurora(&["status"]);
        String::from_utf8_lossy(&output.stdout).contains("conflict")
    });
    let mut stale = mail("m3", None, "late");
    stale.extend([("timestamp", (now() - 90_000).to_string()), ("token", "t3".into()), ("signature", "00".repeat(32))]);
    assert_eq!(post(&site, &stale), 406);
    assert_eq!(post(&site, &mail("m4", None, "unsigned")), 406);
    assert_eq!(site.events("mailgun"), 2);
}

#[test]
fn replies_join_their_conversation_in_whatever_order_they_come() {
    let site = Site::served();
    // The answer to an answer first, the beginning last.
    for (token, id, answers) in
        [("a", "m3", Some("m2")), ("b", "m2", Some("m1")), ("c", "m1", None), ("d", "m4", Some("m3"))]
    {
        assert_eq!(post(&site, &signed(&site, token, mail(id, answers, id))), 200);
        site.projected(site.events("mailgun"));
    }
    assert_eq!(post(&site, &signed(&site, "e", mail("x1", None, "something else"))), 200);
    site.projected(5);
    let list = site.json(&["inbox", "list"]);
    let conversation = |text: &str| {
        let row = list
            .as_array()
            .expect("a list")
            .iter()
            .find(|row| row["preview"].as_str().is_some_and(|p| p.starts_with(text)));
        let id = row.expect("a message")["id"].as_str().expect("an id").to_owned();
        site.json(&["inbox", "show", &id])["conversation"].clone()
    };
    assert_eq!(conversation("m3"), conversation("m2"));
    assert_eq!(conversation("m3"), conversation("m1"));
    assert_eq!(conversation("m3"), conversation("m4"));
    assert_ne!(conversation("m3"), conversation("something"));
    let contacts = site.json(&["contact", "list"]);
    assert_eq!(contacts.as_array().map(Vec::len), Some(1), "one address is one contact");
}

#[test]
fn raw_mail_is_read_and_its_parts_are_saved() {
    let site = Site::served();
    let big = "x".repeat(400_000);
    let raw = |filler: &str| {
        format!(
            "From: =?iso-8859-1?Q?J=FCrgen?= <j@example.org>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\nMessage-ID: <raw{}@x>\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n\
             --o\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n\
             --o\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\n\r\n{filler}\r\n--o--\r\n",
            filler.len()
        )
    };
    for (token, filler) in [("t1", "small"), ("t2", big.as_str())] {
        let fields = vec![("recipient", "a@example.com".to_owned()), ("body-mime", raw(filler))];
        assert_eq!(post(&site, &signed(&site, token, fields)), 200);
    }
    site.projected(2);
    for (row, filler) in site.json(&["inbox", "list"]).as_array().expect("a list").iter().zip([big.as_str(), "small"]) {
        assert_eq!((&row["subject"], &row["from"]), (&json!("Grüße"), &json!("Jürgen")));
        let id = row["id"].as_str().expect("an id");
        let message = site.json(&["inbox", "show", id]);
        assert!(message["text"].as_str().expect("text").starts_with("Grüße"));
        let dir = site.path().join(id);
        site.ok(&["inbox", "show", id, "--save", dir.to_str().expect("text")]);
        assert_eq!(std::fs::read_to_string(dir.join("a.bin")).expect("saved"), filler);
        assert_eq!(dir.join("message.eml").exists(), filler.len() > 1_000, "a large one is kept as it came");
    }
}

#[test]
fn events_and_what_is_set_up_wrongly_are_told_apart() {
    let site = Site::served();
    let secret = site.secret("mailgun");
    let event = |token: &str, event: &str| {
        let [timestamp, token, signature] = &mailgun(&secret, token)[..] else { unreachable!() };
        json!({
            "signature": { "timestamp": timestamp.1, "token": token.1, "signature": signature.1 },
            "event-data": { "event": event, "severity": "permanent", "id": format!("e-{}", token.1), "recipient": "bob@example.org",
                "message": { "headers": { "message-id": "sent@example.com" } } },
        })
        .to_string()
    };
    let json_head = [("content-type", "application/json")];
    let body = event("t1", "failed");
    assert_eq!(site.post("/mailgun/webhook", &json_head, body.as_bytes()).status, 200);
    assert_eq!(site.post("/mailgun/webhook", &json_head, body.as_bytes()).status, 200);
    assert_eq!(site.post("/mailgun/webhook", &json_head, event("t4", "delivered").as_bytes()).status, 200);
    site.projected(1);
    assert_eq!(
        post(&site, &signed(&site, "t2", vec![("event", "delivered".into()), ("recipient", "a@b".into())])),
        200
    );
    let stored = vec![("recipient", "a@b".into()), ("message-url", "https://storage.example.org/x".into())];
    assert_eq!(post(&site, &signed(&site, "t3", stored)), 200);
    eventually("four events", || site.events("mailgun") == 4);
    assert_eq!(site.ok(&["inbox", "count"]), "1", "what was delivered needs nobody");
    let events = site.json(&["events", "list"]);
    let causes: Vec<&str> =
        events.as_array().expect("a list").iter().filter_map(|event| event["cause"].as_str()).collect();
    assert!(causes[0].contains("forward()") && causes[1].contains("legacy"), "{causes:?}");
    assert_eq!(
        (&events[2]["type"], &events[3]["type"]),
        (&json!("mailgun.delivered"), &json!("mailgun.failed.permanent"))
    );
}

#[test]
fn a_mail_made_to_kill_its_reader_is_shown_and_the_next_one_too() {
    let site = Site::served();
    let level = "Content-Type: message/rfc822\r\n\r\n";
    let raw = format!("From: eve@example.org\r\nSubject: deep\r\n{}", level.repeat((4 << 20) / level.len()));
    let nested = vec![("recipient", "a@example.com".to_owned()), ("body-mime", raw.clone())];
    assert_eq!(post(&site, &signed(&site, "t1", nested)), 200);
    let mut bomb = signed(&site, "t2", mail("bomb", None, "[cid:a]"));
    let map: Vec<String> =
        ('a'..='z').zip(1..).map(|(id, number)| format!("\"<{id}>\":\"attachment-{number}\"")).collect();
    bomb.push(("content-id-map", format!("{{{}}}", map.join(","))));
    let file = |id: char, number: u32| {
        let name = format!("[cid:{}]", char::from_u32(u32::from(id) + 1).expect("a letter")).repeat(140);
        (format!("name=\"attachment-{number}\"; filename=\"{name}\""), &b"x"[..])
    };
    let files: Vec<(String, &[u8])> = ('a'..='z').zip(1..).map(|(id, number)| file(id, number)).collect();
    let (content_type, body) = multipart(&bomb, &files);
    assert_eq!(site.post("/hooks/mailgun", &[("content-type", &content_type)], &body).status, 200);
    assert_eq!(post(&site, &signed(&site, "t3", mail("next", None, "Hello"))), 200);
    site.projected(3);
    let list = site.json(&["inbox", "list"]);
    let id = list[2]["id"].as_str().expect("an id");
    assert_eq!(list[2]["subject"], "deep");
    let dir = site.path().join("saved");
    site.ok(&["inbox", "show", id, "--save", dir.to_str().expect("text")]);
    assert!(std::fs::read_to_string(dir.join("message.eml")).expect("saved") == raw, "the whole of it");
}

#[test]
fn an_event_that_ended_two_runs_while_it_was_read_is_shown_as_it_is() {
    let mut site = Site::served();
    assert_eq!(post(&site, &signed(&site, "t1", mail("m1", None, "one"))), 200);
    site.projected(1);
    site.kill();
    // What two runs that ended with the second event would have left.
    let note = [&2_i64.to_le_bytes()[..], &2_u32.to_le_bytes()].concat();
    std::fs::write(site.path().join("state/reading"), note).expect("writes");
    site.serve();
    for (token, id) in [("t2", "m2"), ("t3", "m3")] {
        assert_eq!(post(&site, &signed(&site, token, mail(id, None, id))), 200);
    }
    site.projected(3);
    let list = site.json(&["inbox", "list"]);
    let subject = |row: usize| list[row]["subject"].as_str().expect("a subject");
    assert_eq!((subject(0), subject(2)), ("Two pots", "Two pots"));
    assert_ne!(subject(1), "Two pots", "its parser was not asked");
    site.kill();
    site.serve();
    assert_eq!(site.ok(&["events", "replay"]), "3 events were read again");
    assert_eq!(site.json(&["inbox", "list"])[1]["subject"], "Two pots", "a parser that was mended reads it");
}

#[test]
fn a_genuine_mail_of_many_long_fields_is_taken() {
    let site = Site::served();
    let mut fields = mail("large", None, &"p".repeat(300_000));
    let long = ["body-html", "stripped-text", "stripped-html", "stripped-signature"];
    fields.extend(long.map(|name| (name, "l".repeat(300_000))));
    assert_eq!(post(&site, &signed(&site, "t1", fields)), 200);
    assert_eq!(only_message(&site)["subject"], "Two pots");
}

#[test]
fn nobody_joins_the_conversation_of_another_by_naming_it() {
    let site = Site::served();
    let from = |address: &str, mut fields: Vec<(&'static str, String)>| {
        fields[2].1 = address.to_owned();
        fields
    };
    for (token, address, id, answers) in [
        ("a", "ann@example.org", "m1", None),
        ("b", "eve@example.org", "e1", Some("m1")),
        ("c", "ann@example.org", "m2", Some("m1")),
    ] {
        assert_eq!(post(&site, &signed(&site, token, from(address, mail(id, answers, id)))), 200);
        site.projected(site.events("mailgun"));
    }
    let list = site.json(&["inbox", "list"]);
    let conversation =
        |row: usize| site.json(&["inbox", "show", list[row]["id"].as_str().expect("an id")])["conversation"].clone();
    assert_eq!(conversation(2), conversation(0));
    assert_ne!(conversation(2), conversation(1));
}

#[test]
fn the_sample_is_a_mail_with_a_file() {
    let site = Site::served();
    site.ok(&["send-test", "mailgun"]);
    let message = only_message(&site);
    assert_eq!(
        (&message["subject"], &message["attachments"][0]["name"]),
        (&json!("Hello from aurora"), &json!("hello.txt"))
    );
}
