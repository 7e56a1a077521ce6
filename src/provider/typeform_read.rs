//! Reading a form's answers: a table in the order of the form.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::model::{Parsed, Person};

use super::{Stored, json};

/// Questions up to this many columns share a line with their answer.
const MAX_QUESTION: usize = 32;
/// What a name is asked by, and what else is asked so.
const NAME: &str = "name";
const NOT_OF_A_PERSON: [&str; 6] = ["company", "business", "firm", "domain", "file", "user"];

struct Row<'a> {
    /// Place of its question in the form.
    place: usize,
    question: String,
    /// The answer's type: `text`, `email`, `choice`.
    kind: &'a str,
    /// The question's type: `short_text`, `long_text`.
    field: &'a str,
    answer: String,
}

/// The message in the event `stored`.
pub(super) fn read(stored: &Stored<'_>) -> Parsed {
    let Ok(value) = serde_json::from_slice::<Value>(stored.data) else { return json::plain(stored) };
    let Some(response) = value.get("form_response").filter(|response| response.is_object()) else {
        return json::read(stored);
    };
    let rows = rows(response);
    let form =
        text_at(response, "/definition/title").or_else(|| text_at(response, "/form_id")).unwrap_or("A form").to_owned();
    let said = rows.iter().find(|row| row.field == "long_text").and_then(|row| row.answer.lines().next());
    let subject = said.map_or_else(|| form.clone(), |said| format!("{form}: {said}"));
    let token = text_at(response, "/token").unwrap_or(stored.key);
    Parsed {
        from: person(response, &rows),
        subject,
        text: table(response, &rows),
        // Typeform's own id of the response, under which its Responses API has it too.
        thread: format!("typeform:{token}"),
        ..Parsed::default()
    }
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// The answers in the order of the form; those to questions it no longer has come last.
fn rows(response: &Value) -> Vec<Row<'_>> {
    let list =
        |pointer: &str| response.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fields = list("/definition/fields");
    let place = |answer: &Value| {
        let is_same = |name: &str, field: &Value| {
            let wanted = answer.pointer(&format!("/field/{name}")).and_then(Value::as_str);
            wanted.is_some() && field.get(name).and_then(Value::as_str) == wanted
        };
        let by = |name: &str| fields.iter().position(|field| is_same(name, field));
        by("id").or_else(|| by("ref"))
    };
    let mut rows: Vec<Row<'_>> = list("/answers")
        .iter()
        .map(|answer| {
            let place = place(answer);
            let title = place.and_then(|place| text_at(&fields[place], "/title"));
            let named = title.or_else(|| text_at(answer, "/field/ref")).or_else(|| text_at(answer, "/field/id"));
            let kind = text_at(answer, "/type").unwrap_or_default();
            Row {
                place: place.unwrap_or(usize::MAX),
                question: one_line(named.unwrap_or("?")),
                kind,
                field: text_at(answer, "/field/type").unwrap_or_default(),
                answer: answered(answer, kind),
            }
        })
        .collect();
    rows.sort_by_key(|row| row.place);
    rows
}

/// An answer in words.
fn answered(answer: &Value, kind: &str) -> String {
    let Some(value) = answer.get(kind) else { return "(nothing that can be read)".to_owned() };
    match (kind, value) {
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        ("choice", Value::Object(_)) => labels([value.get("label"), value.get("other")].into_iter().flatten()),
        ("choices", Value::Object(_)) => {
            let many = value.get("labels").and_then(Value::as_array).into_iter().flatten();
            labels(many.chain(value.get("other")))
        }
        ("payment", Value::Object(_)) => {
            let paid = text_at(value, "/amount").unwrap_or("?");
            text_at(value, "/last4").map_or_else(|| paid.to_owned(), |last| format!("{paid}, card ending in {last}"))
        }
        (_, other) => plain(other),
    }
}

fn labels<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(plain).collect::<Vec<_>>().join(", ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Who filled it in: by an email address, else a number, else a name; answers first, then hidden fields.
fn person(response: &Value, rows: &[Row<'_>]) -> Option<Person> {
    let hidden = |name: &str| text_at(response, &format!("/hidden/{name}")).map(str::to_owned);
    let of_kind = |kind: &str| {
        rows.iter().find(|row| row.kind == kind).map(|row| row.answer.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let names: Vec<String> = rows
        .iter()
        .filter(|row| row.kind == "text" && row.field != "long_text" && is_name(&row.question))
        .map(|row| one_line(&row.answer))
        .take(2)
        .collect();
    let name = Some(names.join(" ")).filter(|name| !name.is_empty()).or_else(|| hidden(NAME));
    let address = of_kind("email")
        .or_else(|| hidden("email"))
        .or_else(|| of_kind("phone_number"))
        .or_else(|| hidden("phone"))
        .or_else(|| name.clone())?;
    Some(Person { address, name: name.unwrap_or_default() })
}

fn is_name(question: &str) -> bool {
    let asked = question.to_lowercase();
    asked.contains(NAME) && !NOT_OF_A_PERSON.iter().any(|other| asked.contains(other))
}

fn table(response: &Value, rows: &[Row<'_>]) -> String {
    let mut lines: Vec<(String, String)> =
        rows.iter().map(|row| (label(&row.question), row.answer.trim().to_owned())).collect();
    if let Some(score) = response.pointer("/calculated/score").filter(|score| score.is_number()) {
        lines.push(("Score:".to_owned(), score.to_string()));
    }
    for (name, value) in response.get("hidden").and_then(Value::as_object).into_iter().flatten() {
        lines.push((format!("{} (hidden):", one_line(name)), plain(value)));
    }
    let width = lines.iter().map(|(label, _)| label.width()).filter(|width| *width <= MAX_QUESTION).max().unwrap_or(0);
    let write = |(label, answer): &(String, String)| {
        let indented = answer.lines().collect::<Vec<_>>().join(&format!("\n{:width$}  ", ""));
        let gap = width.saturating_sub(label.width());
        if label.width() > width {
            format!("{label}\n{:width$}  {indented}", "")
        } else {
            format!("{label}{:gap$}  {indented}", "")
        }
    };
    lines.iter().map(write).collect::<Vec<_>>().join("\n")
}

/// A question as it stands before its answer.
fn label(question: &str) -> String {
    if question.ends_with(['?', ':', '!']) { question.to_owned() } else { format!("{question}:") }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Parsed {
        read(&Stored { kind: "form.submitted", key: "e1", headers: &[], data: value.to_string().as_bytes() })
    }

    fn form() -> Value {
        let field = |id: &str, title: &str| json!({ "id": id, "title": title, "type": "x", "ref": format!("r-{id}") });
        json!({ "event_id": "e1", "event_type": "form_response", "form_response": {
            "form_id": "f", "token": "tok",
            "hidden": { "utm": "spring" }, "calculated": { "score": 9 },
            "definition": { "title": "Garden survey", "fields": [
                field("a", "First name"), field("b", "Last name"), field("c", "Your email"),
                field("d", "Which of our many plants do you like the most?"), field("e", "Anything else?"), field("f", "Newsletter"),
            ]},
            "answers": [
                { "type": "boolean", "boolean": true, "field": { "id": "f", "type": "yes_no" } },
                { "type": "text", "text": "Ann", "field": { "id": "a", "type": "short_text" } },
                { "type": "text", "text": "Example", "field": { "ref": "r-b", "type": "short_text" } },
                { "type": "email", "email": "ann@example.org", "field": { "id": "c", "type": "email" } },
                { "type": "choices", "choices": { "labels": ["Rose", "Oak"], "other": "moss" }, "field": { "id": "d" } },
                { "type": "text", "text": "Two lines\nof text", "field": { "id": "e", "type": "long_text" } },
                { "type": "payment", "payment": { "amount": "12.50", "last4": "4242" }, "field": { "ref": "gone" } },
            ],
        }})
    }

    #[test]
    fn answers_are_a_table_in_the_order_of_the_form() {
        let parsed = parse(&form());
        let expected = [
            "First name:     Ann",
            "Last name:      Example",
            "Your email:     ann@example.org",
            "Which of our many plants do you like the most?",
            "                Rose, Oak, moss",
            "Anything else?  Two lines",
            "                of text",
            "Newsletter:     yes",
            "gone:           12.50, card ending in 4242",
            "Score:          9",
            "utm (hidden):   spring",
        ];
        assert_eq!(parsed.text, expected.join("\n"));
        assert_eq!(parsed.subject, "Garden survey: Two lines");
        assert_eq!(parsed.thread, "typeform:tok");
        let from = parsed.from.expect("a sender");
        assert_eq!((from.address.as_str(), from.name.as_str()), ("ann@example.org", "Ann Example"));
    }

    #[test]
    fn who_wrote_is_found_by_what_there_is() {
        let from = |answers: Value, hidden: Value| {
            let form = json!({ "form_response": { "hidden": hidden, "answers": answers } });
            parse(&form).from.map(|person| (person.address, person.name))
        };
        let name = json!({ "type": "text", "text": "Bob", "field": { "ref": "your_name", "type": "short_text" } });
        let firm =
            json!({ "type": "text", "text": "Pots Ltd", "field": { "ref": "company name", "type": "short_text" } });
        let phone = json!({ "type": "phone_number", "phone_number": "+491700000000", "field": { "ref": "p" } });
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(from(json!([firm, name, phone]), json!({})), pair("+491700000000", "Bob"));
        assert_eq!(from(json!([name]), json!({ "email": "bob@example.org" })), pair("bob@example.org", "Bob"));
        assert_eq!(from(json!([name]), json!({})), pair("Bob", "Bob"));
        assert_eq!(from(json!([firm]), json!({})), None);
    }

    #[test]
    fn shapes_nobody_has_described_are_shown_as_they_are() {
        let odd = json!({ "form_response": { "token": 7, "answers": [
            7, null, {}, { "type": "video", "video": { "url": "https://example.org/v" } }, { "type": "text" },
        ], "definition": { "fields": "none" } } });
        let parsed = parse(&odd);
        assert!(parsed.text.contains("https://example.org/v"), "{}", parsed.text);
        assert_eq!(parsed.thread, "typeform:e1");
        assert_eq!(parse(&json!({ "event_type": "other", "text": "hi" })).text, "hi");
        assert_eq!(parse(&json!("x")).subject, "form.submitted");
    }
}
