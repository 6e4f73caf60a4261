//! `--dry-run`: tells the plan, and writes it as a CSV.
//!
//! Invariant: no reset is sent. The CSV has the columns of the real output, says in every row that it
//! is a preview, and never holds a password.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::commands::run::prepare::Job;
use crate::commands::run::{check_users, consent};
use crate::engine::ledger::{Ledger, LedgerPaths, LedgerRow};
use crate::engine::plan::{Plan, new_row};
use crate::engine::results::encryption::Encryption;
use crate::engine::results::{self, Destination, PublishError, Table, write_header, write_row};
use crate::engine::roster::Roster;
use crate::model::{BatchName, Target};
use crate::process::signals::Shutdown;
use crate::ui::Printer;

/// `--dry-run`: tells the plan, and writes it as a CSV where asked to.
///
/// # Errors
/// The run could not work, or the preview can't be written.
pub(super) async fn preview(job: &Job, printer: &Printer, shutdown: &Shutdown) -> Result<Exit, Error> {
    let seal = job.settings.seal()?;
    let path = job.settings.output_path()?;
    let place = LedgerPaths::new(job.state.folder(), &job.batch);
    let ledger = if job.settings.args.simulate || !place.ledger.exists() { None } else { Some(Ledger::read(&place)?) };
    if let Some(ledger) = &ledger {
        ledger.expect_target(&job.target)?;
    }
    if let Some(path) = &path {
        results::check(path, &|digest| job.is_ours(ledger.as_ref(), digest))?;
    }
    let identity = job.client.identity().await?;
    let mut clean = true;
    let plan = job.survey(ledger.as_ref(), true)?;
    if job.settings.args.check_users && plan.to_reset > 0 {
        let missing = check_users::check(job, ledger.as_ref(), printer, shutdown).await?;
        clean &= missing.is_empty();
    }
    let about = job.about(&identity, path.as_deref(), seal.as_ref());
    let text = format!("{}\n{}", consent::describe(&plan, &about.as_about(job)), how_to_run(job, &plan));
    if job.settings.destination == Some(Destination::Stdout) {
        printer.note(text.trim_end());
    } else {
        printer.data(&text).map_err(Error::Stdout)?;
    }
    write_preview(job, path.as_deref(), seal.as_ref(), ledger.as_ref())?;
    Ok(if clean && plan.counts.invalid == 0 { Exit::Success } else { Exit::SomeFailed })
}

fn how_to_run(job: &Job, plan: &Plan) -> String {
    if plan.to_reset == 0 {
        return "Nothing is left to reset. No request was sent.\n".into();
    }
    let mut words: Vec<String> = std::env::args_os().map(|word| quoted(Path::new(&word))).collect();
    if let Some(first) = words.first_mut() {
        *first = "finspace-reset".into();
    }
    words.retain(|word| word != "--dry-run");
    if job.settings.destination.is_none() {
        words.extend(["--output".into(), "results.csv".into()]);
    }
    if !job.settings.args.simulate {
        words.extend(["--confirm".into(), plan.fingerprint.to_string()]);
    }
    format!("No reset was sent. To run exactly this plan:\n  {}\n", words.join(" "))
}

fn write_preview(
    job: &Job,
    path: Option<&Path>,
    seal: Option<&Encryption>,
    ledger: Option<&Ledger>,
) -> Result<(), Error> {
    let fill =
        |output: &mut dyn std::io::Write| write(&job.roster, &job.excluded, ledger, &job.target, &job.batch, output);
    match (&job.settings.destination, path) {
        (None, _) => Ok(()),
        (Some(_), Some(path)) => {
            job.state.prepare()?;
            results::replace(path, seal, &|digest| job.is_ours(ledger, digest), fill, |digest| {
                Ok(job.state.add_preview(&job.batch, digest)?)
            })
        }
        (Some(_), None) => results::stream(&mut std::io::stdout().lock(), seal, fill),
    }
}

/// A word for a shell.
#[must_use]
pub(super) fn quoted(word: &Path) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Writes the preview of a roster.
///
/// # Errors
/// Roster or ledger can't be read, or the output can't be written.
pub(super) fn write(
    roster: &Roster,
    excluded: &HashSet<String>,
    ledger: Option<&Ledger>,
    target: &Target,
    batch: &BatchName,
    output: &mut dyn Write,
) -> Result<(), Error> {
    let name = Path::new("the preview");
    let failed = |error: csv::Error| PublishError::Write(name.to_owned(), error.into());
    let table = Table { header: roster.header(), target, batch, name };
    let mut csv = csv::Writer::from_writer(output);
    write_header(&mut csv, &table).map_err(failed)?;
    for row in roster.rows()? {
        let row = new_row(row?, excluded);
        let status = match (&row.user_id, ledger) {
            (Some(id), Some(ledger)) => ledger.standing(id)?.0,
            _ => crate::model::Status::default(),
        };
        let note = row.note.map_or_else(|| "preview: no request was sent".into(), |note| format!("preview: {note}"));
        let row = LedgerRow {
            line: row.line,
            kind: row.kind,
            cells: row.cells,
            user_id: row.user_id,
            note: Some(note.clone()),
            status,
            at: None,
            attempts: 0,
            again: false,
            request_id: None,
            error_code: Some("Preview".into()),
            error_message: Some(note),
            password: None,
        };
        write_row(&mut csv, &table, &row).map_err(failed)?;
    }
    csv.flush().map_err(|error| PublishError::Write(name.to_owned(), error))?;
    Ok(())
}
