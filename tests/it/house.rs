//! The house holds what ARCHITECTURE.md says: who may import whom, which
//! outside crate lives where, and that nothing runs in a circle.
//!
//! It reads the sources. Code behind `#[cfg(test)]` counts too, but for files
//! of tests alone, which may bring a client of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the crate, by its names from the root: `engine`, `roster`, `source`.
type Module = Vec<String>;

struct File {
    /// Its place below `src`, with slashes.
    path: String,
    /// The text as it stands.
    raw: String,
    /// The text without comments.
    text: String,
}

impl File {
    fn module(&self) -> Module {
        let path = self.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').map(str::to_owned).collect()
    }

    /// Returns true for a file of tests alone.
    fn is_of_tests(&self) -> bool {
        ["tests.rs", "properties.rs", "survey.rs"].iter().any(|name| self.path.ends_with(name))
    }

    /// The room at the top of the house that it belongs to.
    fn room(&self) -> String {
        self.module().remove(0)
    }

    /// The paths of the crate that it names, `use` or not.
    fn imports(&self) -> BTreeSet<Module> {
        let mut found = BTreeSet::new();
        for (at, word) in self.text.match_indices("crate::").chain(self.text.match_indices("super::")) {
            if self.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut base = if word == "crate::" { Vec::new() } else { self.module() };
            let mut rest = &self.text[at..];
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            while let Some(up) = rest.strip_prefix("super::") {
                base.pop();
                rest = up;
            }
            let end = rest.find(';').unwrap_or(rest.len()).min(2000);
            let tree = &rest[..rest.char_indices().map(|(at, _)| at).find(|at| *at >= end).unwrap_or(rest.len())];
            spread(tree, &base, &mut found);
        }
        found
    }

    /// Returns true if it names a path that begins with this crate.
    fn names(&self, outside: &str) -> bool {
        let start = format!("{outside}::");
        let paths = self.text.match_indices(&start).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
        });
        paths || self.text.lines().any(|line| line.trim().trim_start_matches("pub ") == format!("use {outside};"))
    }
}

/// Adds the paths of a `use` tree that hangs below `base`; returns what follows it.
fn spread<'t>(tree: &'t str, base: &Module, found: &mut BTreeSet<Module>) -> &'t str {
    let tree = tree.trim_start();
    if let Some(mut list) = tree.strip_prefix('{') {
        loop {
            list = spread(list, base, found).trim_start();
            match list.strip_prefix(',') {
                Some(more) if !more.trim_start().starts_with('}') => list = more,
                Some(more) => return more.trim_start().strip_prefix('}').unwrap_or(more),
                None => return list.strip_prefix('}').unwrap_or(list),
            }
        }
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    let mut path = base.clone();
    if name != "self" && !name.is_empty() {
        path.push(name.to_owned());
    }
    match rest.strip_prefix("::") {
        Some(below) => spread(below, &path, found),
        None => {
            found.insert(path);
            rest
        }
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
            let raw = fs::read_to_string(&path).unwrap();
            let text: Vec<&str> =
                raw.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
            let path = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            File { path, text: text.join("\n"), raw }
        })
        .collect();
    assert!(files.len() > 30, "the sources are not where they were");
    files
}

/// Which rooms each room may import besides itself.
const MAY: [(&str, &[&str]); 9] = [
    ("main", &[]),
    ("lib", &["commands", "engine"]),
    ("commands", &["awscli", "engine", "service", "simulator", "ui", "model", "process"]),
    ("awscli", &["service", "ui", "model", "process"]),
    ("engine", &["service", "model", "process"]),
    ("service", &["model", "process"]),
    ("ui", &["model", "process"]),
    ("process", &[]),
    ("model", &[]),
];

/// What breaks the house's rules: who imports a room that it must not know.
fn trespassers(files: &[File]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let room = file.room();
        let may = MAY.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, may)| may);
        for import in file.imports() {
            // What is no room is an item of the crate's root.
            let Some(other) = import.first().filter(|name| files.iter().any(|file| file.room() == **name)) else {
                continue;
            };
            if *other != room && !may.contains(&other.as_str()) {
                wrong.push(format!("{} imports {}", file.path, import.join("::")));
            }
        }
    }
    wrong
}

/// The circles among the files and folders that lie side by side in one folder.
fn circles(files: &[File]) -> Vec<String> {
    let modules: BTreeSet<Module> = files.iter().map(File::module).collect();
    let mut arrows: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for file in files {
        let from = file.module();
        for mut to in file.imports() {
            while !to.is_empty() && !modules.contains(&to) {
                to.pop();
            }
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            // A folder's own mod.rs and what lies in it are one room.
            if shared < from.len() && shared < to.len() {
                let arrows = arrows.entry(from[..shared].to_vec()).or_default();
                arrows.entry(from[shared].clone()).or_default().insert(to[shared].clone());
            }
        }
    }
    let mut found = Vec::new();
    for (folder, mut arrows) in arrows {
        // Whoever imports nobody that is left is in no circle.
        loop {
            let left: BTreeSet<String> = arrows.keys().cloned().collect();
            let before = arrows.len();
            arrows.retain(|_, to| to.iter().any(|to| left.contains(to)));
            if arrows.len() == before {
                break;
            }
        }
        if !arrows.is_empty() {
            found.push(format!("in {:?}: {arrows:?}", folder.join("::")));
        }
    }
    found
}

#[test]
fn nothing_runs_back_up_the_house() {
    assert_eq!(trespassers(&files()), Vec::<String>::new());
}

#[test]
fn nothing_runs_in_a_circle() {
    assert_eq!(circles(&files()), Vec::<String>::new());
}

#[test]
fn the_rules_can_be_broken() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into(), raw: text.into() };
    let broken = [
        file("engine/plan.rs", "use crate::{model::Counts, ui::format::human};\n"),
        file("engine/roster/mod.rs", "use super::plan::Plan;\n"),
        file("engine/mod.rs", "fn f() { crate::engine::roster::x() }\n"),
        file("ui/format.rs", ""),
        file("model/mod.rs", "use crate::simulator::Simulator;\n"),
        file("simulator/mod.rs", "use crate::model::Counts;\n"),
    ];
    let wrong = trespassers(&broken);
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
    assert_eq!(circles(&broken).len(), 1, "model and simulator: {:#?}", circles(&broken));
    let circle = [
        file("engine/plan.rs", "use super::roster::Roster;\n"),
        file("engine/roster/mod.rs", "use crate::engine::plan::{self, Plan};\n"),
    ];
    assert_eq!(circles(&circle).len(), 1);
}

#[test]
fn each_outside_crate_has_one_home() {
    // A crate, and the folders and files that may name it.
    let homes: &[(&str, &[&str])] = &[
        ("aws_sdk_finspacedata", &["service/"]),
        ("aws_sdk_cognitoidentityprovider", &["service/cognito/"]),
        ("aws_config", &["service/"]),
        ("aws_types", &["service/"]),
        ("aws_runtime", &["service/"]),
        ("aws_credential_types", &["service/"]),
        ("rusqlite", &["engine/ledger/", "engine/people/"]),
        ("age", &["engine/results/encryption"]),
        ("aws_lc_rs", &["engine/ledger/vault", "service/aws/insecure"]),
        ("indicatif", &["ui/"]),
        ("clap", &["commands/", "awscli/"]),
        ("clap_complete", &["commands/"]),
        ("governor", &["engine/dispatch/pacer/"]),
        ("encoding_rs", &["engine/roster/"]),
        ("memchr", &["engine/roster/"]),
        ("comfy_table", &["commands/status"]),
        ("etcetera", &["engine/ledger/state_dir"]),
        ("rpassword", &["engine/results/encryption"]),
        ("askama", &["commands/report/"]),
        ("plotters", &["commands/report/"]),
        ("clap_mangen", &["commands/"]),
        ("jmespath", &["awscli/"]),
        ("libyaml_safer", &["awscli/"]),
        ("saphyr_parser", &["awscli/"]),
        ("shellexpand", &["awscli/"]),
        ("icu_properties", &["awscli/", "model/text.rs"]),
    ];
    let files = files();
    let mut wrong = Vec::new();
    for (outside, allowed) in homes {
        let users: Vec<&File> = files.iter().filter(|file| !file.is_of_tests() && file.names(outside)).collect();
        assert!(!users.is_empty(), "nobody uses {outside} any more");
        for file in users {
            if !allowed.iter().any(|home| file.path.starts_with(home)) {
                wrong.push(format!("{} names {outside}", file.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_a_second_signal_leaves_without_returning() {
    for file in files() {
        let leaves = file.text.contains("process::exit(") || file.text.contains("process::abort(");
        assert!(!leaves || file.path == "process/signals.rs", "{}", file.path);
    }
}

/// A doc says what a thing is or returns; one that opens with a question makes the
/// reader answer it.
#[test]
fn no_doc_opens_with_a_question() {
    let questions = ["What", "Who", "Whom", "Whose", "How", "Whether", "Where", "Why", "When", "Which"];
    let mut asked = Vec::new();
    for file in files() {
        let mut before = "";
        for line in file.raw.lines().map(str::trim) {
            let doc = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "));
            let opens = !before.starts_with("///") && !before.starts_with("//!");
            if opens && doc.is_some_and(|doc| questions.contains(&doc.split(' ').next().unwrap_or_default())) {
                asked.push(format!("{}: {line}", file.path));
            }
            before = line;
        }
    }
    assert!(asked.is_empty(), "{asked:#?}");
}
