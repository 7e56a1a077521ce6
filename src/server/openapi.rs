//! What the API serves, as an `OpenAPI` 3.1 description.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{ChannelStats, CheckId};
use crate::protocol::Overall;

use super::problem::{self, Problem};
use super::{metrics, updates};

pub(super) const HEALTH: &str = "/health";
pub(super) const METRICS: &str = "/metrics";
pub(super) const STATS: &str = "/api/stats";
pub(super) const CHECKS: &str = "/api/health";
pub(super) const UPDATES: &str = "/ws/updates";
pub(super) const DESCRIPTION: &str = "/openapi.json";

/// The answer of `/health`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// How aurora is.
    pub status: Overall,
}

/// The answer of `/api/stats`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stats {
    /// The channels, by id.
    pub channels: Vec<ChannelStats>,
}

/// The answer of `/api/health`: for each check that is enabled whether it is up. `false` is critical, or without a result
/// for so long that the last one no longer counts; what is unknown is not known to be down.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Checks(#[schemars(with = "BTreeMap<String, bool>")] pub BTreeMap<CheckId, bool>);

/// The whole description.
pub(super) fn description() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "aurora",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            "description": "Reads what an aurora engine knows. Tokens are made by `aurora access token add`.",
        },
        "security": [{ "token": [] }],
        "paths": {
            HEALTH: path("How aurora is", "health", None, &[
                ("200", "It takes deliveries", content("application/json", "Health")),
                ("503", "It takes none, or the engine stops", either("Health")),
            ]),
            METRICS: path("Numbers for Prometheus", "metrics", Some("metrics"), &[
                ("200", "OpenMetrics text", json!({ metrics::MEDIA_TYPE: { "schema": { "type": "string" } } })),
            ]),
            STATS: path("Counts per channel", "stats", Some("stats"), &[
                ("200", "The counts", content("application/json", "Stats")),
            ]),
            CHECKS: path("Which checks are up", "api_health", Some("health"), &[
                ("200", "The checks that are enabled, by id", content("application/json", "Checks")),
            ]),
            UPDATES: updates_path(),
            DESCRIPTION: path("This description", "openapi", Some("any"), &[
                ("200", "The description", json!({ "application/json": { "schema": { "type": "object" } } })),
            ]),
        },
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "aur_..." } },
            "schemas": {
                "Health": schema::<Health>(),
                "Stats": schema::<Stats>(),
                "Checks": schema::<Checks>(),
                "Problem": schema::<Problem>(),
            },
        },
    })
}

fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    SchemaGenerator::new(settings).into_root_schema_for::<T>().to_value()
}

fn content(media_type: &str, schema: &str) -> Value {
    json!({ media_type: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

/// Either the usual answer or a problem.
fn either(schema: &str) -> Value {
    let mut both = content("application/json", schema);
    both[problem::MEDIA_TYPE] = content(problem::MEDIA_TYPE, "Problem")[problem::MEDIA_TYPE].take();
    both
}

/// A path with GET and HEAD. `scope` is what a limited token needs, `None` that no token is needed.
fn path(summary: &str, id: &str, scope: Option<&str>, answers: &[(&str, &str, Value)]) -> Value {
    let mut responses = Map::new();
    for (status, description, content) in answers {
        responses.insert((*status).to_owned(), json!({ "description": description, "content": content }));
    }
    let mut fails = vec![("413", "The request has a body", None), ("429", "Too many requests", Some("Retry-After"))];
    if let Some(scope) = scope {
        fails.push((
            "401",
            "The token is missing, unknown, expired or revoked, or its operator is gone",
            Some("WWW-Authenticate"),
        ));
        fails.push(("503", "The engine stops or is too busy", Some("Retry-After")));
        if scope != "any" {
            fails.push(("403", "The token is limited to other scopes", None));
        }
    }
    for (status, description, header) in fails {
        let mut response = json!({ "description": description, "content": content(problem::MEDIA_TYPE, "Problem") });
        if let Some(header) = header {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        responses.entry(status.to_owned()).or_insert(response);
    }
    let operation = |method: &str, responses: Value| {
        let mut operation =
            json!({ "summary": summary, "operationId": format!("{method}_{id}"), "responses": responses });
        match scope {
            None => operation["security"] = json!([]),
            Some("any") => {}
            Some(scope) => operation["description"] = json!(format!("A limited token needs the scope `{scope}`.")),
        }
        operation
    };
    // The answer to HEAD has no body (RFC 9110, 9.3.2).
    let without: Map<String, Value> = responses
        .iter()
        .map(|(status, response)| (status.clone(), json!({ "description": response["description"] })))
        .collect();
    json!({ "get": operation("get", Value::Object(responses)), "head": operation("head", Value::Object(without)) })
}

fn updates_path() -> Value {
    let mut path = path(
        "What happens, as it happens: a WebSocket",
        "updates",
        Some("updates"),
        &[("426", "The request does not ask for a WebSocket", content(problem::MEDIA_TYPE, "Problem"))],
    );
    let get = &mut path["get"];
    get["description"] = json!(updates::DESCRIPTION);
    get["responses"]["101"] = json!({ "description": "The WebSocket is open" });
    for method in ["get", "head"] {
        let bad = json!({ "description": "`since` is no number, or there is another parameter" });
        path[method]["responses"]["400"] = bad;
        path[method]["parameters"] = json!([{
            "name": "since",
            "in": "query",
            "description": "The `seq` of the last event that was seen; the ones after it come first.",
            "schema": { "type": "integer", "minimum": 0, "maximum": i64::MAX },
        }]);
    }
    path["get"]["responses"]["400"]["content"] = content(problem::MEDIA_TYPE, "Problem");
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::api::routes;
    use super::*;

    #[test]
    fn every_path_that_is_served_is_described_and_the_other_way_round() {
        let description = description();
        let described: BTreeSet<&str> =
            description["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
        let routes = routes();
        let served: BTreeSet<&str> = routes.iter().map(|(path, _)| *path).collect();
        assert_eq!(described, served);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let description = description();
        let mut pending = vec![&description];
        let mut found = 0;
        while let Some(node) = pending.pop() {
            match node {
                Value::Object(object) => {
                    if let Some(Value::String(reference)) = object.get("$ref") {
                        let pointer = reference.strip_prefix('#').expect("a local reference");
                        assert!(description.pointer(pointer).is_some(), "{reference}");
                        found += 1;
                    }
                    pending.extend(object.values());
                }
                Value::Array(array) => pending.extend(array),
                _ => {}
            }
        }
        assert!(found > 10, "{found}");
    }
}
