//! The directions of the house: which module may use which. ARCHITECTURE.md says why.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module and what it may use, as the table of modules in ARCHITECTURE.md has it: its first column and its last. Where
/// that says "everything", as for the composition root, nothing is compared.
fn may_use() -> BTreeMap<String, Option<Vec<String>>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).expect("a file");
    let table =
        text.lines().skip_while(|line| !line.starts_with("| `model` |")).take_while(|line| line.starts_with('|'));
    table
        .map(|line| {
            let columns: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let (module, uses) = (columns[0].trim_matches('`'), columns[columns.len() - 1]);
            let uses = match uses {
                "everything" => None,
                "-" => Some(Vec::new()),
                uses => Some(uses.split(", ").map(str::to_owned).collect()),
            };
            (module.to_owned(), uses)
        })
        .collect()
}

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
    let allowed = may_use();
    let mut broken = Vec::new();
    for (name, module, text) in files() {
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let may =
            allowed.get(&module).unwrap_or_else(|| panic!("src/{name}: `{module}` has no row in ARCHITECTURE.md"));
        let Some(may) = may else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            for used in named(line) {
                if used != module && may.iter().all(|other| other != used) {
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
