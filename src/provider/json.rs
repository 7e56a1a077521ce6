//! Reading a message out of JSON nobody has described.

use serde_json::Value;

use crate::model::{Parsed, Person};

use super::Stored;

/// Names under which senders put the same thing, the most specific first.
const SUBJECT: [&str; 5] = ["subject", "title", "summary", "name", "event"];
const TEXT: [&str; 7] = ["text", "message", "body", "content", "description", "comment", "note"];
const FROM: [&str; 6] = ["from", "sender", "email", "user", "author", "customer"];
const THREAD: [&str; 5] = ["thread", "conversation", "conversation_id", "thread_id", "ticket"];

/// The message in the event `stored`, whatever its body is.
#[must_use]
pub fn read(stored: &Stored<'_>) -> Parsed {
    let Ok(value) = serde_json::from_slice::<Value>(stored.data) else { return plain(stored) };
    // What is inside `data` says more than what is around it.
    let layers: Vec<&Value> = value.get("data").into_iter().chain([&value]).collect();
    let find = |names: &[&str]| names.iter().find_map(|name| layers.iter().find_map(|layer| text_of(layer.get(name)?)));
    let from = FROM.iter().find_map(|name| layers.iter().find_map(|layer| person(layer.get(name)?)));
    let text = find(&TEXT);
    let subject = find(&SUBJECT)
        .or_else(|| text.as_deref().and_then(first_line).map(str::to_owned))
        .unwrap_or_else(|| stored.kind.to_owned());
    let text = text.unwrap_or_else(|| serde_json::to_string_pretty(&value).unwrap_or_default());
    let thread = find(&THREAD)
        .or_else(|| from.as_ref().map(|person| person.address.clone()))
        .unwrap_or_else(|| stored.kind.to_owned());
    Parsed { from, subject, text, thread, ..Parsed::default() }
}

/// The message when the body is not JSON: its text.
#[must_use]
pub fn plain(stored: &Stored<'_>) -> Parsed {
    let text = String::from_utf8_lossy(stored.data).into_owned();
    let subject = first_line(&text).unwrap_or(stored.kind).to_owned();
    Parsed { subject, text, thread: stored.kind.to_owned(), ..Parsed::default() }
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn person(value: &Value) -> Option<Person> {
    if let Some(address) = text_of(value) {
        return Some(Person { address, name: String::new() });
    }
    let find = |names: &[&str]| names.iter().find_map(|name| text_of(value.get(name)?));
    let name = find(&["name", "full_name", "display_name", "username", "login"]);
    let address = find(&["email", "address", "phone", "id"]).or_else(|| name.clone())?;
    Some(Person { address, name: name.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(data: &str) -> Parsed {
        read(&Stored { kind: "order.created", key: "k", headers: &[], data: data.as_bytes() })
    }

    #[test]
    fn common_shapes_are_read() {
        let parsed = parse(
            r#"{"type":"order.created","data":{"subject":"Order 7","text":"Two pots","from":{"name":"Ann","email":"ann@example.org"}}}"#,
        );
        assert_eq!(parsed.subject, "Order 7");
        assert_eq!(parsed.text, "Two pots");
        let from = parsed.from.expect("a sender");
        assert_eq!((from.address.as_str(), from.name.as_str()), ("ann@example.org", "Ann"));
        assert_eq!(parsed.thread, "ann@example.org");
    }

    #[test]
    fn what_has_no_words_is_shown_as_it_is() {
        let parsed = parse(r#"{"test": 2432232314}"#);
        assert_eq!(parsed.subject, "order.created");
        assert!(parsed.text.contains("2432232314"));
        assert_eq!(parse("not json\nat all").subject, "not json");
        assert_eq!(parse("").subject, "order.created");
        assert_eq!(parse("[1,2]").subject, "order.created");
    }
}
