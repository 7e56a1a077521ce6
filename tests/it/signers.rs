//! The official signers against a served engine: what they were told is what is stored.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Site;

/// `tests/run` makes the virtual environment and names its interpreter.
fn python() -> String {
    std::env::var("AURORA_SIGNERS_PYTHON")
        .expect("tests/run sets AURORA_SIGNERS_PYTHON to a python with tests/signers/requirements.txt")
}

#[test]
#[ignore = "needs the official signers"]
fn stored_equals_accepted() {
    let battery = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signers/battery.py");
    for seed in ["1", "2", "3"] {
        let site = Site::served();
        let output = Command::new(python())
            .arg(&battery)
            .args(["--base", &format!("http://{}", site.address()), "--seed", seed])
            .args(["--github-secret", &site.secret("github"), "--standard-secret", &site.secret("standard")])
            .args(["--shared-secret", &site.secret("secret")])
            .output()
            .expect("python runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "seed {seed}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
        let accepted: Value = serde_json::from_str(stdout.lines().next_back().expect("a line")).expect("JSON");
        for (channel, count) in accepted.as_object().expect("an object") {
            assert_eq!(Some(site.events(channel) as u64), count.as_u64(), "{channel}, seed {seed}");
        }
    }
}
