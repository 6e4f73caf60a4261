//! `report` makes one page that tells what happened, and no password.

use crate::common::{Room, Simulator};

/// A batch with a success, a failure, a duplicate and an invalid row.
fn batch(room: &Room, simulator: &Simulator) {
    room.write(
        "users.csv",
        "user_id\nu-1\nmissing-1\nu-1\nu-2\nmuch-too-long-to-be-a-user-of-ours\nmissing-2\nmissing-3\n",
    );
    room.reset(simulator, &["users.csv", "-o", "out<b>.csv", "--batch", "leavers"]).expect(1);
}

fn report(room: &Room, output: &str) -> crate::common::Ran {
    room.run(&["report", "leavers", "--state-dir", "state", "-o", output])
}

#[test]
fn the_page_tells_who_what_when_and_what_is_left() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    report(&room, "page.html").expect(0).says("page.html");
    let page = room.read("page.html");
    for part in [
        "batch leavers",
        "access key AKIASIMULATEDSUPERUSER",
        simulator.endpoint.as_str(),
        "<dt>reset</dt><dd>2</dd>",
        "<dt>failed</dt><dd>3</dd>",
        "<code>ResourceNotFoundException</code>",
        "3, 7, 8",
        "the user of an earlier row",
        "3 users failed; the same command again tries them again.",
        "finspace-reset close leavers",
        "users per minute",
        "rate aimed at",
        "exit 1, finished",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // Names from outside are text, whatever they hold.
    assert!(!page.contains("out<b>.csv") && page.contains("out&#60;b&#62;.csv"), "{page}");
    // It stands alone.
    for outside in ["<script", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn no_password_is_on_the_page() {
    let (room, simulator) =
        (Room::new(), Simulator::start(&["--new-password-on-replay", "--faults", "drop-after=0.3"]));
    room.roster("users.csv", 60);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers"]);
    report(&room, "page.html").expect(0);
    let (page, seen) = (room.read("page.html"), simulator.seen());
    assert!(seen.passwords().count() >= 60);
    let escaped =
        |text: &str| text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;");
    for password in seen.passwords() {
        assert!(!page.contains(password) && !page.contains(&escaped(password)), "{password}");
    }
}

#[test]
fn a_closed_batch_has_nothing_open() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    room.roster("users.csv", 3);
    room.reset(&simulator, &["users.csv", "-o", "out.csv", "--batch", "leavers", "--close"]).expect(0);
    let ran = report(&room, "-").expect(0);
    assert!(ran.stdout.contains("<p>Nothing.</p>") && ran.stdout.contains("closed "), "{}", ran.stdout);
}

#[test]
fn a_file_in_the_way_stays_and_an_unknown_batch_is_told() {
    let (room, simulator) = (Room::new(), Simulator::start(&[]));
    batch(&room, &simulator);
    room.write("page.html", "mine");
    report(&room, "page.html").expect(2).says("page.html exists");
    assert_eq!(room.read("page.html"), "mine");
    room.run(&["report", "nobody", "--state-dir", "state", "-o", "-"]).expect(2).says("nobody");
}
