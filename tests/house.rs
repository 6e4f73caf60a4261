//! The house holds what ARCHITECTURE.md says: who may import whom, and which
//! outside crate lives where.
//!
//! It reads the sources. Code behind `#[cfg(test)]` counts too, but for files
//! of tests alone, which may bring a client of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct File {
    /// Its place below `src`, with slashes.
    path: String,
    /// The text without comments.
    text: String,
}

impl File {
    /// The top-level module it belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Other modules of the crate that it names.
    fn imports(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, _) in self.text.match_indices("crate::") {
            if self.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &self.text[at + "crate::".len()..];
            let names = match rest.strip_prefix('{') {
                None => vec![rest],
                Some(list) => list[..list.find('}').unwrap()].split(',').collect(),
            };
            for name in names {
                let name = name.trim_start();
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                found.insert(name[..end].to_owned());
            }
        }
        found.remove(self.module());
        found
    }

    /// Whether it names a path that begins with this crate.
    fn names(&self, outside: &str) -> bool {
        let start = format!("{outside}::");
        let paths = self.text.match_indices(&start).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
        });
        paths || self.text.lines().any(|line| line.trim().trim_start_matches("pub ") == format!("use {outside};"))
    }
}

fn files() -> Vec<File> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    let files: Vec<File> = paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let text: Vec<&str> =
                text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
            let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            File { path, text: text.join("\n") }
        })
        .collect();
    assert!(files.len() > 30, "the sources are not where they were");
    files
}

#[test]
fn leaves_import_no_one_but_the_shared_words() {
    // `fault` is empty in a release build: it ties nothing to anything.
    let words = ["outcome", "fault"];
    // A module, and whom it may import besides these.
    let leaves: [(&str, &[&str]); 11] = [
        ("outcome", &[]),
        ("roster", &[]),
        ("ledger", &["vault"]),
        ("pacer", &[]),
        ("client", &[]),
        ("seal", &[]),
        ("vault", &[]),
        ("staged", &[]),
        ("progress", &["shutdown"]),
        ("shutdown", &[]),
        ("breaker", &[]),
    ];
    let files = files();
    let mut wrong = Vec::new();
    for (leaf, allowed) in leaves {
        let mine: Vec<&File> = files.iter().filter(|file| file.module() == leaf).collect();
        assert!(!mine.is_empty(), "{leaf} is gone");
        for file in mine {
            for import in file.imports() {
                if !words.contains(&import.as_str()) && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{} imports {import}", file.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_simulator_knows_nothing_of_the_rest() {
    for file in files().iter().filter(|file| file.module() == "simulator") {
        assert_eq!(file.imports(), BTreeSet::new(), "{}", file.path);
    }
}

#[test]
fn each_outside_crate_has_one_home() {
    // A crate, and the modules that may name it.
    let homes: &[(&str, &[&str])] = &[
        ("aws_sdk_finspacedata", &["client"]),
        ("aws_config", &["client"]),
        ("aws_types", &["client"]),
        ("aws_runtime", &["client"]),
        ("aws_credential_types", &["client"]),
        ("rusqlite", &["ledger"]),
        ("age", &["seal"]),
        ("aws_lc_rs", &["vault", "client"]),
        ("indicatif", &["progress"]),
        ("clap", &["cli", "commands", "main"]),
        ("clap_complete", &["cli", "commands"]),
        ("governor", &["pacer"]),
        ("encoding_rs", &["roster"]),
        ("comfy_table", &["status"]),
        ("etcetera", &["state"]),
        ("rpassword", &["seal"]),
        ("askama", &["report"]),
        ("plotters", &["report"]),
        ("clap_mangen", &["commands"]),
        ("jmespath", &["awscli"]),
        ("libyaml_safer", &["awscli"]),
        ("shellexpand", &["awscli"]),
        ("icu_properties", &["awscli"]),
    ];
    let files = files();
    let mut wrong = Vec::new();
    for (outside, allowed) in homes {
        let users: Vec<&File> =
            files.iter().filter(|file| !file.path.ends_with("tests.rs") && file.names(outside)).collect();
        assert!(!users.is_empty(), "nobody uses {outside} any more");
        for file in users {
            if !allowed.contains(&file.module()) {
                wrong.push(format!("{} names {outside}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_a_second_signal_leaves_without_returning() {
    for file in files() {
        let leaves = file.text.contains("process::exit") || file.text.contains("process::abort");
        assert!(!leaves || file.module() == "shutdown", "{}", file.path);
    }
}
