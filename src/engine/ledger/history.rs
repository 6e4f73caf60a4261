//! What a ledger remembers of the time in which things happened, for the report.

use super::{Ledger, LedgerError, PaceSample};
use crate::model::{Millis, Status};

/// Outcomes of one status within one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Start of the span.
    pub from: Millis,
    /// What the outcomes were.
    pub status: Status,
    /// How many.
    pub count: u64,
}

impl Ledger {
    /// The first and the last moment of which anything is known.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn span(&self) -> Result<Option<(Millis, Millis)>, LedgerError> {
        let mut span = None;
        self.each(
            "SELECT min(at), max(at) FROM (SELECT at FROM outcomes UNION ALL SELECT at FROM paces
             UNION ALL SELECT started_at FROM runs UNION ALL SELECT ended_at FROM runs)",
            |row| {
                let ends: (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
                span = ends.0.zip(ends.1).map(|(first, last)| (Millis(first), Millis(last)));
                Ok(())
            },
        )?;
        Ok(span)
    }

    /// How many outcomes there were in each span of so many milliseconds.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn activity(&self, span: i64) -> Result<Vec<Activity>, LedgerError> {
        let mut found = Vec::new();
        let span = span.max(1);
        self.each(
            &format!(
                "SELECT at / {span} * {span}, status, count(*) FROM outcomes WHERE status > 0 GROUP BY 1, 2 ORDER BY 1"
            ),
            |row| {
                let status = super::read::status(row, 1)?;
                found.push(Activity { from: Millis(row.get(0)?), status, count: row.get(2)? });
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The pace of every run, sample by sample.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub(crate) fn paces(&self) -> Result<Vec<PaceSample>, LedgerError> {
        let mut found = Vec::new();
        self.each("SELECT at, sent, throttled, rate FROM paces ORDER BY at", |row| {
            let (at, sent, throttled, rate) = (Millis(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?);
            found.push(PaceSample { at, sent, throttled, rate });
            Ok(())
        })?;
        Ok(found)
    }
}
