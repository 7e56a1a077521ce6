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

/// The modules that `text` names after `crate::`, with their lines; of a group each.
fn named(text: &str) -> Vec<(usize, &str)> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut found = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((line, &rest[..word(rest)]));
            continue;
        };
        let (mut depth, mut begins) = (1_u32, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                c if begins && c.is_alphabetic() => {
                    found.push((line, &group[at..][..word(&group[at..])]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// The lines of `text` that are built without tests, with their numbers, and without comments. An item ends, as rustfmt
/// writes it, on its own line or with a brace below its beginning.
fn production(text: &str) -> Vec<(usize, &str)> {
    let mut lines = (1..).zip(text.lines());
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        let code = line.trim_start();
        if code != "#[cfg(test)]" {
            if !code.starts_with("//") {
                kept.push((number, line));
            }
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let item = lines.find(|(_, line)| !line.trim_start().starts_with("#["));
        if item.is_some_and(|(_, line)| !line.ends_with([';', ',', '}'])) {
            lines.find(|(_, line)| line.starts_with(&end));
        }
    }
    kept
}

#[test]
fn groups_are_taken_apart_and_only_tests_are_left_out() {
    let text = "use crate::a::b;\nuse crate::{\n    c::{d, e},\n    f,\n};\nfn g() { crate::h::i() }\n";
    assert_eq!(named(text), [(1, "a"), (2, "c"), (2, "f"), (6, "h")]);
    let text = "one\n#[cfg(test)]\nuse two;\n#[cfg(test)]\n#[path = \"x\"]\nmod three {\n    four\n}\nfive\n// six\n";
    assert_eq!(production(text), [(1, "one"), (9, "five")]);
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
        for (number, used) in named(&text) {
            if used != module && may.iter().all(|other| other != used) {
                broken.push(format!("src/{name}:{number}: `{module}` may not use `{used}`"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What decides and does nothing else: modules, directories, and files within modules that do I/O, too. A file that calls
/// itself pure in its first lines is held to that as well.
const PURE: [&str; 17] = [
    "model/",
    "condition/",
    "protocol/",
    "policy/",
    "provider/",
    "screen/",
    "bridge/delivery/",
    "federation/hybrid.rs",
    "federation/judgement.rs",
    "federation/membership/",
    "federation/owner.rs",
    "federation/phi.rs",
    "federation/skew.rs",
    "federation/slowness.rs",
    "federation/sync_pace.rs",
    "federation/telling.rs",
    "federation/vantage.rs",
];

fn is_pure(name: &str, text: &str) -> bool {
    // The I/O of the bridge and of the checks lies in the directories below theirs.
    let is_core = matches!(name.split('/').collect::<Vec<_>>()[..], ["bridge" | "health", _]);
    // The first lines of a mod.rs are about the whole directory.
    let says_so = || {
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        !name.ends_with("mod.rs") && head.any(|line| line.contains("Pure") || line.contains("No I/O"))
    };
    is_core || PURE.iter().any(|pure| name.starts_with(pure)) || says_so()
}

#[test]
fn what_is_pure_does_no_io() {
    let io = [
        "tokio::",
        "std::env",
        "std::fs",
        "std::net::Tcp",
        "std::process",
        "std::thread",
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "rusqlite",
        "rand::rng",
        "rand::random",
    ];
    // A moment is a value; only asking for the present one is not.
    let moment = "use tokio::time::Instant;";
    let mut broken = Vec::new();
    for (name, _, text) in files().into_iter().filter(|(name, _, text)| is_pure(name, text)) {
        for (number, line) in production(&text).into_iter().filter(|(_, line)| *line != moment) {
            let uses = |word: &&str| {
                line.match_indices(*word).any(|(at, _)| {
                    let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
                    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    !joins(before) && (word.ends_with(':') || !joins(after))
                })
            };
            if let Some(word) = io.iter().find(|word| uses(word)) {
                broken.push(format!("src/{name}:{number}: what is pure uses `{word}`"));
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
        if name.ends_with("mod.rs") && text.contains("fn ") {
            broken.push(format!("src/{name}: a mod.rs holds the module's doc and its names, no logic"));
        }
        if text.contains("#[allow(") {
            broken.push(format!("src/{name}: exceptions are #[expect(.., reason)]"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_of_the_tests_has_its_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file");
    let (text, main) = (read("ARCHITECTURE.md"), read("tests/it/main.rs"));
    let rows: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "## Tests")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .collect();
    let is_named = |module: &str| {
        let ends = [format!("{module}.rs`"), format!("{module}/`")];
        let names =
            |row: &&str| ends.iter().any(|end| row.match_indices(end).any(|(at, _)| row[..at].ends_with(['`', '/'])));
        rows.iter().any(names)
    };
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let missing: Vec<&str> = modules.filter(|module| !is_named(module)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md, Tests: no row names {missing:?}");
}
