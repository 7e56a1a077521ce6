//! Mistakes and their places; what is written reads the same.

use proptest::prelude::*;

use super::super::{Condition, Schema, Takes, Type};

fn schema() -> Schema {
    Schema::new(&[
        ("status", Type::Number),
        ("latency", Type::Duration),
        ("used", Type::Percent),
        ("size", Type::Size),
        ("body", Type::Text),
        ("event.type", Type::Text),
        ("trusted", Type::Bool),
    ])
    .with_function("json", Takes::JsonPath, Type::Json)
    .with_function("header", Takes::Name, Type::Text)
}

#[test]
fn a_mistake_is_answered_with_its_place_and_what_was_expected() {
    let cases = [
        ("", 0..0, "expected a name, found the end", ""),
        ("statsu == 200", 0..6, "unknown name `statsu`", "did you mean `status`?"),
        ("status == ", 10..10, "expected a number, as in `200`, found the end", ""),
        ("status < 5s", 9..11, "`status` is a number and cannot be compared with a duration", "write a number"),
        ("latency < 500", 10..13, "a duration and cannot be compared with a number", "latency < 500ms"),
        ("status == 200 and", 17..17, "expected a name, found the end", ""),
        ("status 200", 7..10, "expected a comparison", "as in `status == 200`"),
        ("status", 0..6, "expected a comparison", "as in `status == 200`"),
        ("status = 200", 7..8, "`=` means nothing", "write `==`"),
        ("status == 200 && trusted", 14..16, "`&&` means nothing", "write `and`"),
        ("!trusted", 0..1, "`!` means nothing", "write `not`"),
        ("json(\"$.status\") == UP", 20..22, "unknown name `UP`", "in quotes: \"UP\""),
        ("json(\"status\") == 1", 6..13, "a path begins with `$`", "$.status"),
        ("json == 1", 5..7, "expected `(`", "json(\"$.status\")"),
        ("status(1) == 1", 0..6, "`status` takes no argument", "without parentheses"),
        ("body > \"a\"", 5..6, "text has none", "`==`"),
        ("status contains \"2\"", 7..15, "`contains` needs text", "status == 200"),
        ("body contains 5", 14..15, "`contains` needs text, not a number", ""),
        ("body matches \"(\"", 13..16, "not a regular expression: unclosed group", ""),
        ("body matches \"(\\w{500}){500}\"", 13..29, "too big", ""),
        ("body == \"open", 8..13, "never closed", "at its end"),
        ("latency < 5parsec", 11..17, "`parsec` is not a unit", "units are"),
        ("200 == status", 0..3, "begins with a name", "known names are status"),
        ("(status == 200", 14..14, "expected `)`", ""),
        ("status == 200)", 13..14, "expected `and`, `or` or the end, found `)`", ""),
        ("trusted is gone", 11..15, "expected `missing` or `known`", ""),
        ("body == \"ä\" or staus == 1", 16..21, "unknown name `staus`", "did you mean `status`?"),
        ("status == 1.", 10..12, "digits after the decimal point", ""),
        ("latency < -5s", 10..13, "may be negative", ""),
    ];
    for (text, span, message, help) in cases {
        let error = Condition::parse(text, &schema()).expect_err(text);
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{text}: {error:?}");
        assert_eq!(error.span, span, "{text}: {error:?}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let deep = |levels| format!("{}trusted{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Condition::parse(&deep(63), &schema()).is_ok());
    assert!(Condition::parse(&deep(64), &schema()).expect_err("too deep").message.contains("64 levels"));
    assert!(Condition::parse(&"not ".repeat(1000), &schema()).expect_err("too deep").message.contains("64 levels"));
    let long = "status == 1 or ".repeat(400);
    assert!(Condition::parse(&long, &schema()).expect_err("too long").message.contains("4096 bytes"));
}

#[test]
fn conditions_are_written_in_one_form() {
    for (typed, written) in [
        ("((status==200))and(latency<0.5s)", "status == 200 and latency < 500ms"),
        ("not(trusted or used<90 %)", "not (trusted or used < 90%)"),
        ("(trusted or trusted) and (trusted and trusted)", "(trusted or trusted) and trusted and trusted"),
        ("body matches '^v\\d'", "body matches \"^v\\\\d\""),
        ("body matches \"^v\\d\"", "body matches \"^v\\\\d\""),
        ("header('X-A') is missing", "header(\"x-a\") is missing"),
        ("not not trusted", "not not trusted"),
        ("size > 1.5 GiB", "size > 1536MiB"),
    ] {
        assert_eq!(Condition::parse(typed, &schema()).expect(typed).to_string(), written);
    }
}

fn condition() -> impl Strategy<Value = String> {
    let sign = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (sign.clone(), -1e9..1e9_f64).prop_map(|(sign, number)| format!("status {sign} {number:.3}")),
        (sign.clone(), 0..1_000_000_u32, prop::sample::select(vec!["us", "ms", "s", "m", "h", "d", "w"]))
            .prop_map(|(sign, number, unit)| format!("latency {sign} {number}{unit}")),
        (sign.clone(), 0..1_000_000_u32, prop::sample::select(vec!["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"]))
            .prop_map(|(sign, number, unit)| format!("size {sign} {number} {unit}")),
        (sign, 0..1000_u32).prop_map(|(sign, number)| format!("used {sign} {}.{}%", number / 10, number % 10)),
        "[^'\\\\]{0,12}".prop_map(|text| format!("body == '{text}'")),
        "[^'\\\\]{0,12}".prop_map(|text| format!("json('$.a[3]') contains '{text}'")),
        Just("body matches '^[a-z]+\\d$'".to_owned()),
        Just("header('A') is known".to_owned()),
        Just("trusted".to_owned()),
        Just("event.type == body".to_owned()),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) or ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.prop_map(|a| format!("not {a}")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(text in condition()) {
        prop_assume!(text.len() <= super::MAX_BYTES / 2);
        let schema = schema();
        let read = Condition::parse(&text, &schema).expect("a condition");
        let again = Condition::parse(&read.to_string(), &schema).expect("its own writing");
        prop_assert_eq!(again, read);
    }

    #[test]
    fn nothing_breaks_the_reader(text in "[\\PC\"'()<>=! a-z0-9.%-]{0,80}") {
        if let Err(error) = Condition::parse(&text, &schema()) {
            prop_assert!(text.get(error.span).is_some(), "a place within the text");
        }
    }
}
