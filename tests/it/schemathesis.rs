//! schemathesis against a served API: what is described is what is answered.

use std::net::SocketAddr;
use std::process::Command;

use crate::api::{deliver, served, token};

/// `tests/run` makes the virtual environment and names its interpreter.
fn python() -> String {
    std::env::var("AURORA_SCHEMATHESIS_PYTHON")
        .expect("tests/run sets AURORA_SCHEMATHESIS_PYTHON to a python with tests/schemathesis/requirements.txt")
}

#[track_caller]
fn finds_nothing(api: SocketAddr, token: &str, args: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(python())
        .args(["-m", "schemathesis.cli", "run", &format!("http://{api}/openapi.json")])
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "50"])
        .args(["--generation-database", "none", "--no-color"])
        .args(args)
        .current_dir(dir.path())
        .output()
        .expect("python runs");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("Test cases:"), "it has tried something: {stdout}");
}

#[test]
#[ignore = "needs schemathesis"]
fn it_finds_nothing() {
    let (site, api) = served("[limits]\napi_per_minute = 1000000\n");
    deliver(&site, "m1");
    let token = token(&site, &[]);
    finds_nothing(api, &token, &["--exclude-path", "/ws/updates"]);
    // Only a WebSocket is accepted there, and schemathesis speaks none.
    finds_nothing(api, &token, &["--include-path", "/ws/updates", "--exclude-checks", "positive_data_acceptance"]);
}
