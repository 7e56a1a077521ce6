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

/// Runs a script of `tests/signers` with several seeds, each against an engine of its own. `secrets` are its options and
/// the channels whose secrets they take.
fn run(script: &str, secrets: &[(&str, &str)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signers").join(script);
    for seed in ["1", "2", "3"] {
        let site = Site::served();
        let output = Command::new(python())
            .arg(&script)
            .args(["--base", &format!("http://{}", site.address()), "--seed", seed])
            .args(secrets.iter().flat_map(|(option, channel)| [(*option).to_owned(), site.secret(channel)]))
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

#[test]
#[ignore = "needs the official signers"]
fn stored_equals_accepted() {
    run(
        "battery.py",
        &[("--github-secret", "github"), ("--standard-secret", "standard"), ("--shared-secret", "secret")],
    );
}

#[test]
#[ignore = "needs the official signers"]
fn stored_equals_accepted_for_forms_and_whatsapp() {
    run("seeds.py", &[("--typeform-secret", "typeform"), ("--twilio-token", "twilio")]);
}
