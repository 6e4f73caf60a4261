//! Whose a file is: no output takes the place of another one, of an input, or of
//! anything that this program did not write as that kind of file.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};

use crate::common::{Ran, Room, Simulator};

#[test]
fn a_summary_never_takes_the_place_of_anything_but_a_summary() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("roster.csv", "user_id\nann\nbob\n").write("keep.csv", "user_id\nzoe\n").write("precious.txt", "mine\n");
    fs::hard_link(room.path("roster.csv"), room.path("hard.csv")).unwrap();
    symlink("r.csv", room.path("link.csv")).unwrap();
    fs::create_dir(room.path("sub")).unwrap();
    fs::DirBuilder::new().mode(0o700).create(room.path("state")).unwrap();
    for (summary, word) in [
        ("r.csv", "--output"),
        ("./r.csv", "--output"),
        ("sub/../r.csv", "--output"),
        ("link.csv", "--output"),
        ("roster.csv", "the same file"),
        ("hard.csv", "the same file"),
        ("keep.csv", "the same file"),
        ("state/x.json", "state folder"),
        ("precious.txt", "not a summary"),
        ("/dev/null", "not a regular file"),
        ("nowhere/s.json", "nowhere"),
    ] {
        let before: Vec<_> = ["roster.csv", "keep.csv", "precious.txt"].map(|name| room.read(name)).into();
        let ran = room.reset(&simulator, &["roster.csv", "-o", "r.csv", "--exclude", "keep.csv", "--summary", summary]);
        assert_eq!(ran.code(), Some(2), "{summary}: {ran}");
        ran.says(word);
        let after: Vec<_> = ["roster.csv", "keep.csv", "precious.txt"].map(|name| room.read(name)).into();
        assert_eq!(before, after, "{summary}");
        assert!(!room.exists("r.csv"), "{summary}");
    }
    assert_eq!(simulator.requests(), 0);
    let arguments = ["roster.csv", "-o", "r.csv", "--summary", "s.json"];
    room.reset(&simulator, &arguments).expect(0);
    // A later one replaces it.
    room.reset(&simulator, &arguments).expect(0);
    assert_eq!(room.table("r.csv").count("succeeded"), 2);
}

#[test]
fn an_output_never_takes_the_place_of_an_input() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("roster.csv", "user_id\nann\n").write("keep.csv", "user_id\nzoe\n");
    for output in ["roster.csv", "./roster.csv", "keep.csv", "state/r.csv"] {
        for extra in [&["--dry-run"][..], &["--yes"]] {
            let mut job = room.unasked(&simulator, &["roster.csv", "--exclude", "keep.csv", "-o", output]);
            job.args(extra);
            crate::common::Ran::of(job.output().unwrap()).expect(2);
        }
    }
    assert_eq!((room.read("roster.csv").as_str(), simulator.requests()), ("user_id\nann\n", 0));
}

#[test]
fn behind_a_link_the_target_is_written_even_one_that_is_not_there_yet() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.write("roster.csv", "user_id\nann\nmissing-1\n");
    fs::create_dir(room.path("safe")).unwrap();
    symlink("safe/results.csv", room.path("out.csv")).unwrap();
    for _ in 0..2 {
        room.reset(&simulator, &["roster.csv", "-o", "out.csv"]).expect(1);
        assert!(fs::symlink_metadata(room.path("out.csv")).unwrap().is_symlink());
        assert_eq!(room.table("safe/results.csv").count("succeeded"), 1);
    }
    symlink("gone/results.csv", room.path("dangling.csv")).unwrap();
    room.reset(&simulator, &["roster.csv", "-o", "dangling.csv"]).expect(2).says("gone");
}

#[test]
fn a_preview_gives_way_to_the_one_of_a_mended_roster() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let flags = ["users.csv", "-o", "out.csv"];
    let preview = || Ran::of(room.unasked(&simulator, &[&flags[..], &["-n"]].concat()).output().unwrap());
    room.roster("users.csv", 2);
    preview().expect(0);
    room.roster("users.csv", 3);
    preview().expect(0);
    assert_eq!(room.table("out.csv").rows.len(), 3);
    room.roster("users.csv", 4);
    room.reset(&simulator, &flags).expect(0);
    // Results are no preview: another batch never takes their place.
    room.roster("users.csv", 5);
    let fresh = [&flags[..], &["--batch", "other"]].concat();
    room.reset(&simulator, &fresh).expect(2).says("was not written by this batch");
    assert_eq!(room.table("out.csv").count("succeeded"), 4);
}
