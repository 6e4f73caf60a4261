//! `--dry-run`: shows the plan, and writes it as a CSV.
//!
//! Invariant: no reset is sent. The CSV has the columns of the real output, says in every row that it
//! is a preview, and never holds a password.

use std::io::Write;
use std::path::Path;

use super::consent::{self, Told};
use super::job::Job;
use super::prepare::Ready;
use super::summary;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::ledger::{Ledger, LedgerRow, Readiness};
use crate::engine::plan::Plan;
use crate::engine::results::ownership::Replaces;
use crate::engine::results::{self, PublishError, Table, write_header, write_row};
use crate::model::shell_word;
use crate::service::Service as _;
use crate::ui::Printer;

/// Shows the plan, and writes it where asked to.
///
/// # Errors
/// The preview can't be written.
pub(super) fn preview(ready: &Ready, printer: &Printer) -> Result<Exit, Error> {
    let Ready { job, ledger, plan, missing, .. } = ready;
    let is_beside = job.settings.plan_is_beside_the_notes();
    let told = if is_beside && !printer.is_quiet() { Told::Before } else { Told::Nothing };
    let text = format!("{}\n{}", consent::describe(job, plan, told), how_to_run(job, plan));
    if job.writes_to_stdout() {
        printer.note(text.trim_end());
    } else {
        printer.data(&text).map_err(Error::Stdout)?;
    }
    write_preview(job, ledger.as_ref())?;
    let clean = missing.is_empty() && plan.left_alone == 0 && plan.counts.invalid == 0;
    let exit = if clean { Exit::Success } else { Exit::SomeFailed };
    if let Some(file) = &job.settings.summary {
        summary::write_plan(file, ready, exit)?;
    }
    Ok(exit)
}

/// Returns the command line that runs exactly this plan.
fn how_to_run(job: &Job, plan: &Plan) -> String {
    if plan.counts.rows == 0 {
        let roster = job.roster.name();
        return format!("Nobody stands below the header of {roster}: there is nobody to reset. No request was sent.\n");
    }
    if plan.to_reset == 0 {
        return "Nothing is left to reset. No request was sent.\n".into();
    }
    let mut words = own_command_line();
    if !job.settings.service.simulate {
        words.extend(["--confirm".into(), job.fingerprint(plan).to_string()]);
    }
    let open = if job.settings.output.destination.is_none() { ", with an --output FILE of your choice" } else { "" };
    format!("No reset was sent. To run exactly this plan{open}:\n  {}\n", words.join(" "))
}

/// Returns this process's command line for a shell.
pub(super) fn command_line() -> Vec<String> {
    let typed = std::env::args_os().skip(1).map(|word| shell_word(&word));
    std::iter::once("finspace-reset".to_owned()).chain(typed).collect()
}

/// Returns this process's command line for a shell, without the flags that a
/// preview outweighs.
fn own_command_line() -> Vec<String> {
    let mut words = vec!["finspace-reset".to_owned()];
    let mut typed = std::env::args_os().skip(1);
    while let Some(word) = typed.next() {
        match word.to_str() {
            Some("--dry-run" | "-n" | "--yes" | "-y") => {}
            Some("--confirm") => drop(typed.next()),
            Some(word) if word.starts_with("--confirm=") => {}
            _ => words.push(shell_word(&word)),
        }
    }
    words
}

fn write_preview(job: &Job, ledger: Option<&Ledger>) -> Result<(), Error> {
    let fill = |output: &mut dyn Write| write(job, ledger, output);
    let seal = job.encryption.as_ref();
    match (&job.settings.output.destination, &job.output) {
        (None, _) => Ok(()),
        (Some(_), Some(path)) => {
            job.state.prepare()?;
            results::replace(path, seal, Replaces::Batch(&|digest| job.whose(ledger, digest)), fill, |digest| {
                Ok(job.state.add_preview(&job.batch, digest)?)
            })
        }
        (Some(_), None) => results::publish::stream(&mut std::io::stdout().lock(), seal, fill),
    }
}

/// Writes the rows of the preview.
fn write(job: &Job, ledger: Option<&Ledger>, output: &mut dyn Write) -> Result<(), Error> {
    let name = Path::new("the preview");
    let failed = |error: csv::Error| PublishError::Write(name.to_owned(), error.into());
    let table = Table {
        header: job.roster.header(),
        target: &job.target,
        batch: &job.batch,
        password_life: job.client.facts().password_life,
        tells_sign_outs: job.settings.sending.sign_out,
        name,
    };
    let mut csv = csv::Writer::from_writer(output);
    write_header(&mut csv, &table).map_err(failed)?;
    let mut lookup = ledger.map(Ledger::lookup).transpose()?;
    for row in job.roster.rows()? {
        let row = job.selection().row(row?)?;
        let standing = match (&row.user_id, &mut lookup) {
            (Some(id), Some(lookup)) => lookup.of(id)?,
            _ => crate::model::Standing::default(),
        };
        let note = match (row.note, row.readiness) {
            (Some(note), _) => format!("preview: {note}"),
            (None, Readiness::LeftAlone(why)) if standing.status.is_surely_not_reset() => format!("preview: {why}"),
            (None, _) => "preview: no request was sent".into(),
        };
        let row = LedgerRow {
            line: row.line,
            kind: row.kind,
            cells: row.cells,
            user_id: row.user_id,
            number: None,
            note: Some(note.clone()),
            standing,
            at: None,
            attempts: 0,
            request_id: None,
            error_code: Some("Preview".into()),
            error_message: Some(note),
            signed_out_at: None,
            given_up: false,
            password: None,
        };
        write_row(&mut csv, &table, &row).map_err(failed)?;
    }
    csv.flush().map_err(|error| PublishError::Write(name.to_owned(), error))?;
    Ok(())
}
