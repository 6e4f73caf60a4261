//! What is handed out: the archive, the container image, the recipes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common::{BIN, Room};

const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

fn source(name: &str) -> String {
    fs::read_to_string(Path::new(SOURCE).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn shell(folder: &Path, words: &str) -> String {
    let ran = Command::new("sh").args(["-euc", words]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{words}\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_archive_holds_all_that_goes_with_the_program() {
    let room = Room::new();
    let folder = room.path("");
    // A stand-in that calls the program: nobody need pack a debug build.
    room.write("notices", "licences\n").write("program", format!("#!/bin/sh\nexec {BIN} \"$@\"\n"));
    fs::set_permissions(room.path("program"), fs::Permissions::from_mode(0o755)).unwrap();
    for round in ["one", "two"] {
        shell(&folder, &format!("{SOURCE}/packaging/dist program notices {round}"));
    }
    shell(&folder.join("one"), "sha256sum --check --strict SHA256SUMS");
    assert_eq!(room.read("one/SHA256SUMS"), room.read("two/SHA256SUMS"), "the same inputs make the same bytes");
    let archive = room.read("one/SHA256SUMS").split_whitespace().nth(1).unwrap().to_owned();
    let version = env!("CARGO_PKG_VERSION");
    assert!(archive.starts_with(&format!("finspace-reset-{version}-")), "{archive}");

    shell(&folder, &format!("tar -xzf one/{archive} --strip-components=1"));
    for file in [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE",
        "THIRD-PARTY-NOTICES",
        "man/finspace-reset.1",
        "man/finspace-reset-run.1",
        "completions/finspace-reset.bash",
        "completions/_finspace-reset",
        "completions/finspace-reset.fish",
    ] {
        assert!(!room.read(file).is_empty(), "{file}");
        let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{file}");
    }
    assert!(shell(&folder, "./finspace-reset --version").contains(version));
}

/// The lines of a Dockerfile, continued ones in one.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').map(|(name, rest)| (name.into(), rest.trim().into())).unwrap()).collect()
}

/// What is wrong with a Dockerfile.
fn complaints(text: &str) -> Vec<String> {
    let all = instructions(text);
    let last_stage = all.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    let (_, image) = all.split_at(last_stage);
    let of = |name: &str| image.iter().rev().find(|(found, _)| found == name).map_or("", |(_, rest)| rest.as_str());
    let mut wrong = Vec::new();
    for (name, rest) in &all {
        let base = rest.split_whitespace().next().unwrap_or_default();
        match name.as_str() {
            "FROM" if !base.contains(':') || base.ends_with(":latest") => wrong.push(format!("no version: {base}")),
            "ADD" => wrong.push("ADD unpacks and downloads: COPY".into()),
            "RUN" if rest.contains("curl") || rest.contains("wget") => wrong.push(format!("downloads: {rest}")),
            "ENV" | "ARG" if rest.contains("KEY") || rest.contains("SECRET") || rest.contains("TOKEN") => {
                wrong.push(format!("a secret in the image: {rest}"));
            }
            _ => {}
        }
    }
    if image.iter().any(|(name, _)| name == "RUN") {
        wrong.push("the image has no shell to RUN with".into());
    }
    match of("USER").split(':').next().and_then(|user| user.parse::<u32>().ok()) {
        None | Some(0) => wrong.push("USER must be a number, and not root, for runAsNonRoot".into()),
        Some(_) => {}
    }
    if of("VOLUME") != "/state" || !image.iter().any(|(_, rest)| rest == "FINSPACE_RESET_STATE_DIR=/state") {
        wrong.push("/state is no volume, or ledgers don't go there".into());
    }
    for exec in ["ENTRYPOINT", "CMD"] {
        if serde_json::from_str::<Vec<String>>(of(exec)).is_err() {
            wrong.push(format!("{exec} must be a list: signals have to reach the program"));
        }
    }
    wrong
}

#[test]
fn the_image_is_small_and_nobody_s_root() {
    let dockerfile = source("Dockerfile");
    assert_eq!(complaints(&dockerfile), Vec::<String>::new());
    let version = source("rust-toolchain.toml")
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"").and_then(|rest| rest.strip_suffix('"')).map(str::to_owned));
    let version = version.expect("a channel");
    assert!(dockerfile.contains(&format!("/rust:{version}-")), "built with another compiler than {version}");

    let worse = [
        ("USER 65532:65532", "USER root"),
        ("VOLUME /state", ""),
        ("debian:bookworm-slim", "debian:latest"),
        ("ENTRYPOINT [\"/usr/bin/finspace-reset\"]", "ENTRYPOINT finspace-reset"),
        ("STOPSIGNAL", "RUN true\nSTOPSIGNAL"),
    ];
    for (good, bad) in worse {
        assert!(dockerfile.contains(good), "{good}");
        assert_eq!(complaints(&dockerfile.replace(good, bad)).len(), 1, "{bad}");
    }
}

#[test]
fn the_image_s_build_reads_what_is_there() {
    let let_through: Vec<String> =
        source(".dockerignore").lines().filter_map(|line| line.strip_prefix('!').map(str::to_owned)).collect();
    for name in &let_through {
        assert!(Path::new(SOURCE).join(name).exists(), "{name}");
    }
    // Whatever Cargo.toml names, cargo looks for, even if it isn't built.
    for name in ["Cargo.toml", "Cargo.lock", "LICENSE", "build.rs", "src", "benches", "tests", "packaging"] {
        assert!(let_through.iter().any(|through| through == name), "{name} does not reach the build");
    }
}

/// Builds the image and runs it: `cargo test --test it -- --ignored image`, where Docker is.
#[test]
#[ignore = "needs a container engine and its registries"]
fn the_image_runs() {
    let folder = Path::new(SOURCE);
    shell(folder, "docker build --tag finspace-reset-test .");
    let run = "docker run --rm --read-only --tmpfs /data:uid=65532 -v \"$PWD/samples:/samples:ro\" finspace-reset-test";
    shell(folder, &format!("{run} run /samples/users.csv --simulate -o /data/results.csv"));
}

#[test]
fn each_recipe_names_what_exists() {
    let justfile = source("justfile");
    let scripts = justfile.split_whitespace().filter(|word| word.starts_with("packaging/") || *word == ".ci/run");
    for script in scripts.chain(["packaging/notices"]) {
        let mode = fs::metadata(Path::new(SOURCE).join(script)).unwrap_or_else(|_| panic!("{script}")).permissions();
        assert!(mode.mode() & 0o111 != 0, "{script} can't be run");
        shell(Path::new(SOURCE), &format!("bash -n {script}"));
    }
    for recipe in ["build", "test", "lint", "doc", "bench", "dist", "sim"] {
        let there = justfile.lines().any(|line| line.split([' ', ':']).next() == Some(recipe) && line.contains(':'));
        assert!(there, "{recipe}");
    }
}
