//! The unit files for systemd: they say what the engine relies on, and systemd understands them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::AURORA;

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The settings of a unit file, as `Section.Key`. A key may come more than once.
fn settings(name: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(unit(name)).expect("a unit file");
    let mut section = String::new();
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line:?} is no setting"));
        settings.entry(format!("{section}.{key}")).or_default().push(value.to_owned());
    }
    settings
}

#[test]
fn units_say_what_the_engine_relies_on() {
    for name in ["aurora.service", "aurora-user.service"] {
        let settings = settings(name);
        for (key, value) in [
            ("Unit.StartLimitIntervalSec", "300"),
            ("Unit.StartLimitBurst", "5"),
            ("Service.Type", "notify"),
            ("Service.WatchdogSec", "30"),
            ("Service.Restart", "on-failure"),
            ("Service.RestartSec", "5"),
            ("Service.NoNewPrivileges", "yes"),
            ("Service.ExecReload", "/bin/kill -HUP $MAINPID"),
        ] {
            assert_eq!(settings.get(key).map(Vec::as_slice), Some(&[value.to_owned()][..]), "{name}: {key}");
        }
        assert!(settings["Service.ExecStart"][0].ends_with("/aurora serve"));
    }
    let system = settings("aurora.service");
    assert_eq!(system["Service.ProtectSystem"], ["strict"]);
    assert_eq!(system["Service.StateDirectory"], ["aurora"]);
    assert!(system["Service.Environment"].contains(&"AURORA_STATE_DIR=/var/lib/aurora".to_owned()));
}

#[test]
fn the_doors_of_an_agent_fail_apart_and_share_what_commands_may() {
    let units = ["socket", "trigger"].map(|door| {
        let settings = settings(&format!("aurora-agent-{door}.service"));
        let start = &settings["Service.ExecStart"][0];
        assert!(start.ends_with(&format!("aurora --config /etc/aurora/agent.toml agent --only {door}")), "{start}");
        assert_eq!(settings["Service.KillMode"], ["process"], "commands outlive a restart");
        assert_eq!(settings["Service.Type"], ["notify"]);
        assert_eq!(settings["Service.NoNewPrivileges"], ["yes"]);
        assert!(!settings.contains_key("Unit.BindsTo") && !settings.contains_key("Unit.PartOf"));
        settings
    });
    let limits = |settings: &BTreeMap<String, Vec<String>>| {
        let mut limits = settings.clone();
        limits.retain(|key, _| !matches!(key.as_str(), "Service.ExecStart" | "Unit.Description"));
        limits
    };
    assert_eq!(limits(&units[0]), limits(&units[1]), "a command is not held to other limits on another road");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_understands_the_units() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, option) in [
        ("aurora.service", "--system"),
        ("aurora-user.service", "--user"),
        ("aurora-agent-socket.service", "--system"),
        ("aurora-agent-trigger.service", "--system"),
    ] {
        // The binary has to be there, and so has the user; this one stands for them.
        let text = std::fs::read_to_string(unit(name)).expect("a unit file");
        let text = text.replace("/usr/local/bin/aurora", AURORA).replace("%h/.local/bin/aurora", AURORA);
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("writes");
        let output = Command::new("systemd-analyze")
            .args([option, "--recursive-errors=no", "--man=no", "verify"])
            .arg(&path)
            .env("XDG_RUNTIME_DIR", dir.path())
            .output()
            .expect("systemd-analyze runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let about_it: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(output.status.success() && about_it.is_empty(), "{}: {said}", output.status);
    }
}
