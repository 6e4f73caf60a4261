//! Whatever a roster holds, row in is row out, in order, and every other column
//! comes out byte for byte.
//!
//! Generated rosters with hostile cells go through the built binary, and a model
//! of a few lines says what must come out.

use std::collections::{BTreeSet, HashMap};

use crate::common::{COLUMNS, Room, Table};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Roster {
    header: Vec<String>,
    id_at: usize,
    rows: Vec<Vec<String>>,
    delimiter: u8,
    crlf: bool,
}

impl Roster {
    fn bytes(&self) -> Vec<u8> {
        let end = if self.crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut csv = csv::WriterBuilder::new().delimiter(self.delimiter).terminator(end).from_writer(Vec::new());
        csv.write_record(&self.header).unwrap();
        for row in &self.rows {
            csv.write_record(row).unwrap();
        }
        csv.into_inner().unwrap()
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row[self.id_at].trim())
    }
}

/// What each row must end as.
fn model(roster: &Roster) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let sendable = |id: &str| {
        (1..=26).contains(&id.chars().count()) && !id.contains(char::is_control) && !matches!(id, "." | "..")
    };
    roster
        .ids()
        .map(|id| match id {
            id if !sendable(id) => "invalid",
            id if !seen.insert(id.to_owned()) => "duplicate",
            id if id.starts_with("missing") => "failed",
            _ => "succeeded",
        })
        .collect()
}

fn hostile_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,12}",
        "[\"',;|\t\r\n =+@\\-]{1,8}",
        "\\PC{0,6}",
        any::<String>(),
        Just("=HYPERLINK(\"http://x\")".into()),
        Just("\u{feff}".into()),
        Just("\"\"\"".into()),
        Just("a\r\nb".into()),
        Just("NULL\0".into()),
    ]
}

fn id_cell() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z0-9]{26}",
        3 => "[a-c]",
        3 => "[ -~é日🦀\u{a0}]{0,28}",
        1 => "missing[0-9]",
        1 => Just("..".to_owned()),
        1 => Just("a\nb".to_owned()),
        1 => Just("  ann ".to_owned()),
    ]
}

fn roster() -> impl Strategy<Value = Roster> {
    let delimiter = prop::sample::select(vec![b',', b';', b'\t', b'|']);
    let shape = (1_usize..4, 0_usize..3, 1_usize..20, delimiter, any::<bool>());
    shape.prop_flat_map(|(others, id_at, rows, delimiter, crlf)| {
        let id_at = id_at.min(others);
        let row = (prop::collection::vec(hostile_cell(), others), id_cell()).prop_map(move |(mut cells, id)| {
            cells.insert(id_at, id);
            cells
        });
        let row = row.prop_filter("a blank line", |cells| cells.iter().any(|cell| !cell.trim().is_empty()));
        prop::collection::vec(row, rows).prop_map(move |rows| {
            let mut header: Vec<String> = (0..others).map(|at| format!("Column {at}")).collect();
            header.insert(id_at, "user_id".into());
            Roster { header, id_at, rows, delimiter, crlf }
        })
    })
}

fn rehearse(room: &Room, batch: Option<&str>, output: &str) -> Table {
    let mut arguments =
        vec!["run", "users.csv", "--simulate", "--rate", "unlimited", "-q", "--state-dir", "state", "-o", output];
    arguments.extend(batch.iter().flat_map(|batch| ["--batch", batch]));
    let ran = room.run(&arguments);
    assert!(matches!(ran.code(), Some(0 | 1)), "{ran}");
    assert_eq!(ran.stdout, "");
    room.table(output)
}

fn preview(room: &Room, port: u16, output: &str) -> Table {
    let endpoint = format!("http://127.0.0.1:{port}");
    let arguments =
        ["run", "users.csv", "--dry-run", "--endpoint-url", &endpoint, "--state-dir", "state", "-o", output];
    let ran = room.run(&arguments);
    assert!(matches!(ran.code(), Some(0 | 1)), "{ran}");
    room.table(output)
}

/// Tokens by user, for the rows that have one.
fn tokens(table: &Table, roster: &Roster) -> HashMap<String, String> {
    let rows = roster.ids().zip(table.column("client_token"));
    rows.filter(|(_, token)| !token.is_empty()).map(|(id, token)| (id.to_owned(), token.to_owned())).collect()
}

fn check(roster: &Roster) {
    let room = Room::new();
    room.write("users.csv", roster.bytes());
    let table = rehearse(&room, None, "1.csv");

    assert_eq!(table.header[..roster.header.len()], roster.header);
    assert_eq!(table.header[roster.header.len()..], COLUMNS);
    assert_eq!(table.rows.len(), roster.rows.len());
    for (got, sent) in table.rows.iter().zip(&roster.rows) {
        for (at, cell) in sent.iter().enumerate() {
            // The ID of a row that can be sent comes out as it was sent.
            let invalid = got[roster.header.len()] == "invalid";
            let want = if at == roster.id_at && !invalid { cell.trim() } else { cell };
            assert_eq!(got[at], want);
        }
    }
    let statuses = table.column("status");
    assert_eq!(statuses, model(roster));
    for (status, password) in statuses.iter().zip(table.column("temporary_password")) {
        assert_eq!(*status == "succeeded", !password.is_empty());
    }

    let first = tokens(&table, roster);
    let different: BTreeSet<&String> = first.values().collect();
    assert_eq!(different.len(), first.len(), "two users share a token");
    assert_eq!(first, tokens(&rehearse(&room, None, "2.csv"), roster), "another run has other tokens");
    let others = [
        tokens(&rehearse(&room, Some("other"), "3.csv"), roster),
        tokens(&preview(&room, 1, "4.csv"), roster),
        tokens(&preview(&room, 2, "5.csv"), roster),
    ];
    let all = others.iter().chain([&first]).flat_map(HashMap::values).collect::<BTreeSet<_>>();
    assert_eq!(all.len(), 4 * first.len(), "two batches or targets share a token");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn row_in_is_row_out_whatever_the_cells_hold(roster in roster()) {
        check(&roster);
    }
}
