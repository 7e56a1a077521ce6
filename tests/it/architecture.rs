//! The directions of the house: which module may use which. ARCHITECTURE.md says why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module and what it may use. `cli` is the composition root and may use everything.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("condition", &["model"]),
    ("config", &["model", "condition"]),
    ("protocol", &["model"]),
    ("policy", &["model", "protocol"]),
    ("net", &["model", "config", "protocol"]),
    ("store", &["model"]),
    ("provider", &["model"]),
    ("screen", &["model"]),
    ("ingress", &["model", "config", "net", "provider", "store"]),
    ("health", &["model", "condition", "config", "net"]),
    ("bridge", &["model", "config", "protocol", "net", "policy", "screen"]),
    ("tmux", &["model"]),
    ("agent", &["model", "config", "protocol", "net", "policy", "tmux"]),
    ("federation", &["model", "config", "protocol", "net", "store"]),
    (
        "engine",
        &[
            "model",
            "config",
            "protocol",
            "net",
            "store",
            "provider",
            "ingress",
            "health",
            "policy",
            "bridge",
            "screen",
            "federation",
        ],
    ),
    ("demo", &["model", "config", "protocol", "provider", "engine"]),
    ("server", &["model", "config", "protocol", "net", "engine"]),
    ("client", &["model", "config", "protocol", "net", "engine"]),
    ("tui", &["model", "config", "protocol", "policy", "screen", "client"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").display().to_string();
            let module = name.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            (name, module, std::fs::read_to_string(&path).expect("a file"))
        })
        .collect()
}

/// The modules a line names after `crate::`, grouped imports too.
fn named(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn modules_use_only_what_their_row_lists() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    for (name, module, text) in files() {
        if matches!(module.as_str(), "lib" | "main" | "cli") {
            continue;
        }
        let may =
            allowed.get(module.as_str()).unwrap_or_else(|| panic!("src/{name}: `{module}` has no row in the table"));
        for (number, line) in (1..).zip(text.lines()) {
            for used in named(line) {
                if used != module && !may.contains(&used) {
                    broken.push(format!("src/{name}:{number}: `{module}` may not use `{used}`"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_modules_do_no_io() {
    let io = ["tokio::", "std::fs", "std::net::Tcp", "std::process", "std::thread", "Timestamp::now", "rusqlite"];
    let mut broken = Vec::new();
    for (name, module, text) in files() {
        if !matches!(module.as_str(), "model" | "condition" | "protocol" | "policy" | "provider" | "screen") {
            continue;
        }
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in (1..).zip(production.lines()) {
            if let Some(word) = io.iter().find(|word| line.contains(*word) && !line.trim_start().starts_with("//")) {
                broken.push(format!("src/{name}:{number}: pure module `{module}` uses `{word}`"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn mod_files_hold_no_logic_and_files_say_what_they_are_for() {
    let mut broken = Vec::new();
    for (name, _, text) in files() {
        if !text.starts_with("//!") && !name.ends_with("tests.rs") {
            broken.push(format!("src/{name}: begins without a sentence that says what it is for"));
        }
        if name.ends_with("mod.rs") && name != "tui/view/mod.rs" && text.contains("fn ") {
            broken.push(format!("src/{name}: a mod.rs holds the module's doc and its names, no logic"));
        }
        if text.contains("#[allow(") {
            broken.push(format!("src/{name}: exceptions are #[expect(.., reason)]"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
