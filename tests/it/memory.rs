//! The memory of the process: nobody looks into it, and no input fills it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::common::{Room, Running, Simulator, wait_until};

/// Somebody who is not root.
const NOBODY: u32 = 65534;

/// Gives all in a room to somebody.
fn give(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[test]
fn no_process_of_the_same_user_can_look_into_it_and_no_core_is_left() {
    let (room, simulator) = (Room::new(), Simulator::start(&["--latency", "100ms"]));
    room.roster("users.csv", 40);
    let mut job = room.job(&simulator, &["users.csv", "-o", "out.csv", "--rate", "20"]);
    // Root's own files are root's whatever they are: it has to be somebody else.
    if rustix::process::geteuid().is_root() {
        give(&room.path(""));
        job.uid(NOBODY).gid(NOBODY);
    }
    let running = Running::of(job);
    wait_until("requests are sent", || simulator.requests() > 0);
    let process = format!("/proc/{}", running.id());
    // The files of a process that can't be dumped belong to root.
    assert_eq!(fs::metadata(format!("{process}/mem")).unwrap().uid(), 0);
    assert_ne!(fs::metadata(room.path("users.csv")).unwrap().uid(), 0);
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // It still finds its own descriptors there: the results have no name until they are whole.
    running.wait().expect(0);
    assert_eq!(room.table("out.csv").count("succeeded"), 40);
}

/// The most memory that a process had at a time, in KiB, as far as it was seen.
fn peak(running: &mut Running) -> u64 {
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    while !running.ended() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|text| text.split_whitespace().next()?.parse().ok());
        peak = peak.max(most.unwrap_or(0));
    }
    peak
}

#[test]
fn a_record_without_end_is_refused_by_its_line_in_little_memory() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    let long = 150 * 1024 * 1024;
    for (name, text, line) in [
        ("one-cell.csv", format!("user_id,note\nann,{}\nbob,\n", "x".repeat(long)), 2),
        ("one-quote.csv", format!("user_id,note\nann,\nbob,\"{}", "x,\n".repeat(long / 3)), 3),
        ("one-header.csv", "ann,".repeat(long / 4), 1),
    ] {
        room.write(name, text);
        for arguments in [&[name, "-o", "out.csv"][..], &["good.csv", "-o", "out.csv", "--exclude", name]] {
            room.write("good.csv", "user_id\nann\n");
            let mut running = room.start(&simulator, arguments);
            let peak = peak(&mut running);
            running.wait().expect(2).says(&format!("{name}:{line}: "));
            assert!(peak < 64 * 1024, "{name}: {peak} KiB");
        }
        fs::remove_file(room.path(name)).unwrap();
    }
    assert_eq!(simulator.requests(), 0);
}
