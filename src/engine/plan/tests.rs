//! The laws of a plan: it counts every row once, a glance and a close look agree,
//! and its key changes with everything that the ledger's rows are made from.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::engine::ledger::LedgerPaths;
use crate::engine::roster::{Options, Source};
use crate::model::Target;

struct Case {
    folder: TempDir,
    excluded: Excluded,
}

impl Case {
    fn new(excluded: &[&str]) -> Self {
        let excluded = excluded.iter().map(|user| ((*user).into(), NAMED)).collect();
        Self { folder: tempfile::tempdir().unwrap(), excluded }
    }

    fn roster(&self, text: &str) -> Roster {
        let path = self.folder.path().join("users.csv");
        fs::write(&path, text).unwrap();
        Roster::read(Source::open(&path).unwrap(), &Options::default(), &["status"], &mut |_| {}).unwrap()
    }

    fn scope<'a>(&'a self, roster: &'a Roster, limit: Option<u64>) -> Scope<'a> {
        Scope { roster, selection: Selection { excluded: &self.excluded, people: None }, limit }
    }

    fn plan(&self, text: &str, ledger: Option<&Ledger>, detail: bool) -> Plan {
        let roster = self.roster(text);
        Plan::build(self.scope(&roster, None), ledger, detail).unwrap()
    }

    /// A ledger with the rows of a roster.
    fn ledger(&self, text: &str) -> Ledger {
        let batch = "b".parse().unwrap();
        let paths = LedgerPaths::new(self.folder.path(), &batch);
        let mut ledger = Ledger::create(&paths, &batch, &Target::Simulated).unwrap();
        let roster = self.roster(text);
        let scope = self.scope(&roster, None);
        let key = import_key(scope).unwrap();
        let rows = roster.rows().unwrap().map(|row| Ok::<_, PlanError>(scope.selection.row(row?)?));
        ledger.import(&key, rows).unwrap();
        ledger
    }
}

const TEXT: &str = "user_id,note\nann,1\nbob,2\nann,3\nkay,4\n\".\",5\n";

#[test]
fn every_row_counts_once_and_each_way_of_looking_agrees() {
    let case = Case::new(&["kay"]);
    let new = case.plan(TEXT, None, true);
    let counts = Counts { rows: 5, invalid: 1, duplicate: 1, excluded: 1, pending: 2, ..Counts::default() };
    assert_eq!((new.counts, new.to_reset, new.first.clone()), (counts, 2, vec!["ann".into(), "bob".into()]));
    let [RowIssue { line, text }] = &new.duplicates[..] else { panic!("{:?}", new.duplicates) };
    assert_eq!((*line, text.as_str()), (4, "\"ann\", same user as line 2"));
    let ledger = case.ledger(TEXT);
    for (ledger, detail) in [(None, false), (Some(&ledger), false), (Some(&ledger), true)] {
        let plan = case.plan(TEXT, ledger, detail);
        assert_eq!((plan.counts, plan.to_reset, &plan.import_key), (counts, 2, &new.import_key), "{detail}");
    }
    // A roster that the ledger has not seen is looked at row by row.
    assert_eq!(case.plan("user_id,note\nkay,1\nzoe,2\n", Some(&ledger), false).to_reset, 1);
}

#[test]
fn a_limit_bounds_what_is_sent_and_not_what_is_counted() {
    let case = Case::new(&[]);
    let roster = case.roster("user_id\na\nb\nc\n");
    for (limit, to_reset) in [(Some(2), 2), (Some(9), 3), (None, 3)] {
        let plan = Plan::build(case.scope(&roster, limit), None, true).unwrap();
        assert_eq!((plan.to_reset, plan.counts.pending), (to_reset, 3), "{limit:?}");
    }
}

#[test]
fn the_key_changes_with_every_cell_the_header_and_the_exceptions() {
    let key = |text: &str, excluded: &[&str]| Case::new(excluded).plan(text, None, false).import_key;
    let plain = key("user_id,note\nann,1\nbob,2\n", &[]);
    assert_eq!(plain, key("user_id,note\nann,1\nbob,2\n", &[]), "the same file is the same plan");
    let others = [
        key("user_id,note\nann,1\nbob,3\n", &[]),
        key("user_id,word\nann,1\nbob,2\n", &[]),
        key("user_id,note\nbob,2\nann,1\n", &[]),
        key("user_id,note\nann,1\n", &[]),
        key("user_id,note\nann,1\nbob,2\n", &["bob"]),
        key("user_id,note\nann,1\nbob,2\n", &["ann"]),
    ];
    for (at, other) in others.iter().enumerate() {
        assert!(*other != plain && !others[..at].contains(other), "{at}");
    }
}
