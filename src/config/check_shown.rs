//! Checks as data: to print them and to compare two configurations.

use serde_json::{Map, Value, json};

use crate::model::{Expected, Target, TcpStep};

use super::period::period_text;
use super::{CheckConfig, HealthConfig, target_line};

/// The checks in effect by id. Secrets are references; a header that is none is shown.
pub(super) fn shown_checks(health: &HealthConfig) -> Value {
    Value::Object(health.checks.iter().map(|check| (check.id.to_string(), shown(check))).collect())
}

fn shown(check: &CheckConfig) -> Value {
    let mut shown = json!({
        "type": check.target.kind(),
        "target": target_line(&check.target),
        "enabled": check.enabled,
        "interval": period_text(check.interval),
        "timeout": period_text(check.timeout),
        "retry": period_text(check.retry),
        "when": check.when.to_string(),
        "alert": { "fail": check.alert.fail, "ok": check.alert.ok },
    });
    if let Some(warn) = &check.warn {
        shown["warn"] = warn.to_string().into();
    }
    if let Some((m, n)) = check.alert.m_of_n {
        shown["m_of_n"] = json!([m, n]);
    }
    if let Some(vantage) = &check.vantage {
        shown["vantage"] = json!({ "nodes": vantage.nodes, "need": vantage.need });
    }
    let mut headers = Map::new();
    match &check.target {
        Target::Http(target) => {
            for (name, value) in &target.headers {
                headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
            }
            shown["redirects"] = target.redirects.into();
            if !target.body.is_empty() {
                shown["body"] = String::from_utf8_lossy(&target.body).into();
            }
        }
        Target::Tcp(target) if !target.script.is_empty() => {
            shown["script"] = target.script.iter().map(step).collect();
        }
        _ => {}
    }
    for (name, secret) in &check.secret_headers {
        headers.insert(name.to_string(), secret.reference.to_string().into());
    }
    if !headers.is_empty() {
        shown["headers"] = headers.into();
    }
    if !check.target.roots().is_empty() {
        shown["roots"] = check.target.roots().iter().map(|path| path.display().to_string()).collect();
    }
    let family = match &check.target {
        Target::Http(target) => Some(target.family),
        Target::Tcp(target) => Some(target.family),
        Target::Tls(target) => Some(target.family),
        _ => None,
    };
    if let Some(family) = family {
        shown["family"] = family.as_str().into();
    }
    shown
}

fn step(step: &TcpStep) -> Value {
    match step {
        TcpStep::Send(bytes) => json!({ "send": String::from_utf8_lossy(bytes) }),
        TcpStep::Expect(Expected::Text(bytes)) => json!({ "expect": String::from_utf8_lossy(bytes) }),
        TcpStep::Expect(Expected::Pattern(pattern)) => json!({ "matches": pattern.as_str() }),
    }
}
