//! Texts that people read, whole: a change of words shows up as a difference to be read.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --test it -- golden`.

use insta::{Settings, assert_snapshot};

use crate::common::Room;

/// Blots out what differs from run to run: folders, times, ports, tokens, digests.
fn blotted(test: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"/\S*finspace-reset-test-\w+", "ROOM");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "TOKEN");
    settings.bind(test);
}

#[test]
fn the_help_of_each_command() {
    let room = Room::new();
    for command in ["keygen", "completions", "man"] {
        let help = room.run(&[command, "--help"]).expect(0).stdout;
        blotted(|| assert_snapshot!(format!("help_{command}"), help));
    }
}
