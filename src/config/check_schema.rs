//! What the conditions of each kind of check may ask, and what they ask when nothing is written.

use std::sync::LazyLock;

use crate::condition::{Schema, Takes, Type};
use crate::model::CheckKind;

static HTTP: LazyLock<Schema> = LazyLock::new(|| {
    let answer = [
        ("status", Type::Number),
        ("body", Type::Text),
        ("body_size", Type::Size),
        ("redirects", Type::Number),
        ("first_byte", Type::Duration),
        ("transfer", Type::Duration),
    ];
    Schema::new(&[&answer[..], &CONNECTION, &CERTIFICATE].concat())
        .with_function("header", Takes::Name, Type::Text)
        .with_function("json", Takes::JsonPath, Type::Json)
});
static TCP: LazyLock<Schema> = LazyLock::new(|| Schema::new(&[&[("received", Type::Text)], &CONNECTION[..]].concat()));
static TLS: LazyLock<Schema> = LazyLock::new(|| Schema::new(&[&CONNECTION[..], &CERTIFICATE].concat()));
static PROCESS: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[("count", Type::Number), ("cpu", Type::Percent), ("memory", Type::Size), ("uptime", Type::Duration)])
});
static DISK: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[
        ("used", Type::Percent),
        ("free", Type::Size),
        ("size", Type::Size),
        ("inodes_used", Type::Percent),
        ("read_only", Type::Bool),
    ])
});
static MEMORY: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[
        ("used", Type::Percent),
        ("available", Type::Size),
        ("size", Type::Size),
        ("swap_used", Type::Percent),
    ])
});
static LOAD: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(&[
        ("cpu", Type::Percent),
        ("cores", Type::Number),
        ("load1", Type::Number),
        ("load5", Type::Number),
        ("load15", Type::Number),
        ("load1_per_core", Type::Number),
        ("load5_per_core", Type::Number),
        ("load15_per_core", Type::Number),
    ])
});

/// What is known of every connection. `latency` is the whole look.
const CONNECTION: [(&str, Type); 4] =
    [("latency", Type::Duration), ("dns", Type::Duration), ("connect", Type::Duration), ("ip", Type::Text)];

/// What is known of a handshake and its certificate. `tls` is its time, `cert_expires` is the time left, none when it has expired; `cert_lifetime_left` is
/// its share of the certificate's whole life; `chain_expires` is the earliest end of the leaf and what signs it.
const CERTIFICATE: [(&str, Type); 10] = [
    ("tls", Type::Duration),
    ("cert_expires", Type::Duration),
    ("cert_lifetime_left", Type::Percent),
    ("cert_trusted", Type::Bool),
    ("cert_host_matches", Type::Bool),
    ("cert_subject", Type::Text),
    ("cert_issuer", Type::Text),
    ("cert_sha256", Type::Text),
    ("chain_expires", Type::Duration),
    ("tls_version", Type::Number),
];

/// The names that conditions of `kind` may use.
#[must_use]
pub fn check_schema(kind: CheckKind) -> &'static Schema {
    match kind {
        CheckKind::Http => &HTTP,
        CheckKind::Tcp => &TCP,
        CheckKind::Tls => &TLS,
        CheckKind::Process => &PROCESS,
        CheckKind::Disk => &DISK,
        CheckKind::Memory => &MEMORY,
        CheckKind::Load => &LOAD,
    }
}

/// What `kind` demands when nothing is written: `when`, critical unless it holds, and `warn`.
///
/// Certificates are judged by their lifetime, as those of six days and of a year need different times: warn below a
/// quarter, critical below an eighth, and never with less than a day left.
#[must_use]
pub fn check_defaults(kind: CheckKind) -> (&'static str, Option<&'static str>) {
    match kind {
        CheckKind::Http => ("status >= 200 and status < 400", None),
        CheckKind::Tcp => ("connect is known", None),
        CheckKind::Tls => (
            "cert_trusted and cert_lifetime_left >= 12.5% and cert_expires > 1d",
            Some("cert_lifetime_left >= 25% and chain_expires > 1d"),
        ),
        CheckKind::Process => ("count > 0", None),
        CheckKind::Disk => ("used < 95% and inodes_used < 95%", Some("used < 85% and inodes_used < 85%")),
        CheckKind::Memory => ("used < 95%", Some("used < 90%")),
        CheckKind::Load => ("load5_per_core < 4", Some("load5_per_core < 2 and cpu < 95%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;

    #[test]
    fn every_default_is_a_condition_of_its_kind() {
        for kind in CheckKind::ALL {
            let (when, warn) = check_defaults(kind);
            for text in [Some(when), warn].into_iter().flatten() {
                let read =
                    Condition::parse(text, check_schema(kind)).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
                assert_eq!(read.to_string(), text, "defaults are written as conditions are shown");
            }
        }
    }
}
