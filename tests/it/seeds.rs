//! Forms from Typeform, WhatsApp and SMS from Twilio: what is answered, what is stored, and what it reads as.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::support::{Answer, Site, borrowed, eventually, free_port, request, send, write_private};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const SID: &str = "SM0123456789abcdef0123456789abcdef";

fn typeform(secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(body);
    let signature = BASE64.encode(mac.finalize().into_bytes());
    vec![("content-type", JSON.to_owned()), ("typeform-signature", format!("sha256={signature}"))]
}

/// The headers of a delivery to `url` with these parameters; JSON has none.
fn twilio(token: &str, url: &str, parameters: &[(&str, &str)], media: &str) -> Vec<(&'static str, String)> {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("any key");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    let signature = BASE64.encode(mac.finalize().into_bytes());
    let mut headers = vec![("x-twilio-signature", signature)];
    if !media.is_empty() {
        headers.push(("content-type", media.to_owned()));
    }
    headers
}

fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Posts a signed form to the Twilio channel of `site`.
fn message(site: &Site, parameters: &[(&str, &str)]) -> Answer {
    let path = "/whatsapp/webhook";
    let headers = twilio(&site.secret("twilio"), &format!("http://{}{path}", site.address()), parameters, FORM);
    site.post(path, &borrowed(&headers), form(parameters).as_bytes())
}

fn event(id: &str, answers: &Value) -> Vec<u8> {
    let fields = json!([{ "id": "n", "title": "Your name" }, { "id": "e", "title": "Email" }]);
    json!({ "event_id": id, "event_type": "form_response", "form_response": {
        "form_id": "f", "token": "tok", "submitted_at": "2026-11-21T10:00:00Z",
        "definition": { "title": "Survey", "fields": fields }, "answers": answers,
    } })
    .to_string()
    .into_bytes()
}

#[test]
fn a_form_is_answered_as_its_rules_say_and_reads_as_a_table() {
    let site = Site::served();
    let secret = site.secret("typeform");
    let answers = json!([
        { "type": "email", "email": "ann@example.org", "field": { "id": "e", "type": "email" } },
        { "type": "text", "text": "Ann Example", "field": { "id": "n", "type": "short_text" } },
    ]);
    let (one, two) = (event("e1", &answers), event("e1", &json!([])));
    let post =
        |headers: &[(&'static str, String)], body: &[u8]| site.post("/typeform/webhook", &borrowed(headers), body);
    assert_eq!(post(&typeform(&secret, &one), &one).status, 200, "fresh");
    assert_eq!(post(&typeform(&secret, &one), &one).body, "duplicate\n");
    assert_eq!(post(&typeform(&secret, &two), &two).status, 409, "another body under the same id");
    assert_eq!(post(&typeform("wrong", &one), &one).status, 401);
    assert_eq!(post(&typeform(&secret, &one)[..1], &one).status, 401, "unsigned");
    let doubled = [typeform(&secret, &one), typeform(&secret, &one)].concat();
    assert_eq!(post(&doubled, &one).status, 401, "signed twice");
    let unknown = br#"{"event_id":"e2","event_type":"form_response_partial"}"#;
    assert_eq!(post(&typeform(&secret, unknown), unknown).status, 200, "a type nobody knows is stored");
    for broken in [&b"\xff\xfe{"[..], b"{}", "[".repeat(50_000).as_bytes()] {
        assert_eq!(post(&typeform(&secret, broken), broken).status, 200, "signed, so it is kept as a dead letter");
    }
    assert_eq!(site.events("typeform"), 5);
    site.projected(2);
    let row = site.json(&["inbox", "list"])[1].clone();
    assert_eq!((row["type"].as_str(), row["from"].as_str()), (Some("form.submitted"), Some("Ann Example")));
    let shown = site.json(&["inbox", "show", row["id"].as_str().expect("an id")]);
    assert_eq!(shown["text"], "Your name:  Ann Example\nEmail:      ann@example.org");
    assert_eq!(shown["address"], "ann@example.org");
    let listed = &site.json(&["events", "list", "--type", "form.submitted"])[0];
    assert_eq!((listed["time"].as_str(), listed["assurance"].as_str()), (Some("2026-11-21T10:00:00Z"), Some("body")));
}

#[test]
fn a_form_is_never_told_404_or_410() {
    let port = free_port();
    let mut site = Site::with(&format!(
        "[channels.form]\nprovider = \"typeform\"\nlisten = \"127.0.0.1:{port}\"\nsecrets = [\"file:key\"]\n\
         [channels.other]\nprovider = \"secret\"\nsecrets = [\"file:key\"]\n"
    ));
    write_private(&site.path().join("key"), "a-key");
    site.serve();
    let own = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    eventually("its listener", || std::net::TcpStream::connect(own).is_ok());
    let ask = |address, method: &str, path: &str, headers: &[(&str, &str)]| {
        send(address, &request(method, path, headers, b"")).expect("an answer")
    };
    for (method, path) in [("POST", "/"), ("POST", "/typeform/old"), ("GET", "/typeform/webhook"), ("DELETE", "/x")] {
        let answer = ask(own, method, path, &[]);
        assert_eq!(answer.status, 503, "{method} {path}");
        assert!(answer.head.contains("retry-after: 120"), "{}", answer.head);
    }
    let ingress = site.address();
    assert_eq!(ask(ingress, "GET", "/hooks/form", &[]).status, 503);
    assert_eq!(ask(ingress, "POST", "/hooks/gone", &[]).status, 404, "others share this address");
    assert_eq!(ask(ingress, "POST", "/hooks/gone", &[("typeform-signature", "sha256=x")]).status, 503);
}

#[test]
fn a_whatsapp_message_is_answered_as_its_rules_say() {
    let site = Site::served();
    let text = [
        ("MessageSid", SID),
        ("From", "whatsapp:+491700000000"),
        ("To", "whatsapp:+491700000001"),
        ("ProfileName", "Ann"),
        ("Body", " Hällo & willkommen "),
        ("NumMedia", "1"),
        ("MediaUrl0", "https://api.twilio.com/m/ME1"),
        ("MediaContentType0", "image/png"),
    ];
    let answer = message(&site, &text);
    assert_eq!((answer.status, answer.body.ends_with("<Response/>")), (200, true), "{answer:?}");
    assert!(answer.head.contains("content-type: text/xml"), "{}", answer.head);
    assert_eq!(message(&site, &text).status, 200, "repeated");
    let other = [&text[..4], &[("Body", "other")]].concat();
    assert_eq!(message(&site, &other).status, 409, "another body under the same id");
    let (path, url) = ("/whatsapp/webhook", format!("http://{}/whatsapp/webhook", site.address()));
    let token = site.secret("twilio");
    let post = |headers: &[(&'static str, String)], body: &str| site.post(path, &borrowed(headers), body.as_bytes());
    let body = form(&text);
    let good = twilio(&token, &url, &text, FORM);
    assert_eq!(post(&twilio("wrong", &url, &text, FORM), &body).status, 403);
    assert_eq!(post(&good[1..], &body).status, 403, "unsigned");
    assert_eq!(post(&[good.clone(), good.clone()].concat(), &body).status, 403, "signed twice");
    assert_eq!(post(&good, &body.replace("+H", "H")).status, 403, "trimmed");
    assert_eq!(post(&twilio(&token, "http://evil.example/whatsapp/webhook", &text, FORM), &body).status, 403);
    assert_eq!(post(&[good[0].clone(), ("content-type", "text/plain".to_owned())], &body).status, 415);
    assert_eq!(send(site.address(), &request("PUT", path, &[], b"")).expect("an answer").status, 405);
    assert!(
        send(site.address(), &request("HEAD", path, &[], b"")).expect("an answer").head.contains("allow: get, post")
    );
    site.projected(1);
    let row = site.json(&["inbox", "list"])[0].clone();
    assert_eq!((row["type"].as_str(), row["from"].as_str()), (Some("whatsapp.message"), Some("Ann")));
    let shown = site.json(&["inbox", "show", row["id"].as_str().expect("an id")]);
    assert_eq!(shown["address"], "whatsapp:+491700000000");
    assert_eq!(shown["text"], " Hällo & willkommen \n[media image/png: https://api.twilio.com/m/ME1]");
    assert_eq!(site.events("twilio"), 1);
}

#[test]
fn json_and_get_are_covered_by_their_address() {
    let site = Site::served();
    let token = site.secret("twilio");
    let address = format!("http://{}/hooks/twilio", site.address());
    let body = json!({ "MessageSid": SID, "From": "+491700000000", "Body": "as JSON" }).to_string();
    let path = format!("/hooks/twilio?bodySHA256={}", hex::encode(Sha256::digest(&body)));
    let headers = twilio(&token, &format!("{address}{}", &path["/hooks/twilio".len()..]), &[], JSON);
    assert_eq!(site.post(&path, &borrowed(&headers), body.as_bytes()).status, 200);
    assert_eq!(site.post(&path, &borrowed(&headers), b"{}").status, 403, "the hash is of another body");
    assert_eq!(site.post("/hooks/twilio", &borrowed(&twilio(&token, &address, &[], JSON)), b"{}").status, 403);
    let query = form(&[("MessageSid", &SID.replace('0', "f")), ("From", "+491700000000"), ("Body", "by GET")]);
    let headers = twilio(&token, &format!("{address}?{query}"), &[], "");
    let get = request("GET", &format!("/hooks/twilio?{query}"), &borrowed(&headers), b"");
    assert_eq!(send(site.address(), &get).expect("an answer").status, 200);
    site.projected(2);
    let rows = site.json(&["inbox", "list"]);
    let subjects: Vec<_> = rows.as_array().expect("a list").iter().map(|row| row["subject"].clone()).collect();
    assert_eq!(subjects, ["by GET", "as JSON"]);
}

#[test]
fn the_public_address_is_what_counts() {
    let mut site = Site::bare("");
    let path = site.path().join("config.toml");
    let config = format!(
        "[listen]\ningress = \"{}\"\npublic_url = \"https://hub.example.org/in\"\n\
         [channels.wa]\nprovider = \"twilio\"\nsecrets = [\"file:key\"]\n\
         [channels.own]\nprovider = \"twilio\"\npath = \"/own\"\npublic_url = \"https://own.example:8443/a\"\nsecrets = [\"file:key\"]\n",
        site.address()
    );
    std::fs::write(&path, config).expect("writes");
    write_private(&site.path().join("key"), "a-key");
    site.serve();
    let parameters = [("MessageSid", SID), ("Body", "x")];
    let post = |path: &str, url: &str| {
        site.post(path, &borrowed(&twilio("a-key", url, &parameters, FORM)), form(&parameters).as_bytes()).status
    };
    assert_eq!(post("/whatsapp/webhook", &format!("http://{}/whatsapp/webhook", site.address())), 403, "not as told");
    assert_eq!(post("/whatsapp/webhook", "https://hub.example.org:443/in/whatsapp/webhook"), 200);
    assert_eq!(post("/own", "https://hub.example.org/in/own"), 403);
    assert_eq!(post("/own", "https://own.example/a"), 200, "its port left out");
    for channel in ["wa", "own"] {
        assert_eq!(site.ok(&["channel", "test", channel]).matches("ok  ").count(), 3);
    }
    let captured = site.path().join("captured");
    std::fs::write(&captured, "POST /own?a=1 HTTP/1.1\nX-Twilio-Signature: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nContent-Type: application/x-www-form-urlencoded\n\nBody=x").expect("writes");
    let captured = captured.display().to_string();
    let explained = site.aurora(&["channel", "verify", "own", "--request", &captured, "--explain"]);
    let stdout = String::from_utf8_lossy(&explained.stdout).into_owned();
    for tried in [
        "secret 1: the HMAC over https://own.example:8443/a?a=1 (as configured",
        "https://own.example/a?a=1 (port left out",
    ] {
        assert!(stdout.contains(tried), "{stdout}");
    }
}

#[test]
fn reports_come_in_any_order_and_only_a_failure_needs_somebody() {
    let site = Site::served();
    let report = |sid: &str, status: &str, more: &[(&str, &str)]| {
        let about = [("MessageSid", sid), ("MessageStatus", status), ("To", "whatsapp:+491700000000")];
        assert_eq!(message(&site, &[&about[..], more].concat()).status, 200);
    };
    for status in ["read", "sent", "delivered", "sent"] {
        report(SID, status, &[]);
    }
    assert_eq!(site.events("twilio"), 3, "one of them came twice");
    let other = SID.replace('0', "f");
    report(&other, "undelivered", &[("ErrorCode", "63016")]);
    site.projected(1);
    assert_eq!(
        site.json(&["inbox", "list"])[0]["subject"],
        "undelivered: message to whatsapp:+491700000000",
        "somebody has to look"
    );
    let events = site.json(&["events", "list", "--type", "twilio.status.sent"]);
    assert_eq!(events[0]["subject"], "sent: message to whatsapp:+491700000000");
    let shown = site.ok(&["events", "show", events[0]["id"].as_str().expect("an id")]);
    assert!(shown.contains(&format!("about     {SID}")) && shown.contains("so far    read"), "{shown}");
}

#[test]
fn the_default_channels_have_ports_of_their_own() {
    let site = Site::bare("");
    let channels = site.json(&["channel", "list"]);
    let urls = |id: &str| {
        let channel = channels.as_array().expect("a list").iter().find(|channel| channel["id"] == id);
        channel.expect("a channel")["urls"].clone()
    };
    let hook = |id: &str| format!("http://{}/hooks/{id}", site.address());
    assert_eq!(urls("typeform"), json!([hook("typeform"), "http://127.0.0.1:9298/typeform/webhook"]));
    assert_eq!(urls("twilio"), json!([hook("twilio"), "http://127.0.0.1:9297/whatsapp/webhook"]));
    for channel in ["github", "secret", "standard", "twilio", "typeform"] {
        assert!(site.secret(channel).len() >= 32, "a secret is made for {channel}");
    }
}
