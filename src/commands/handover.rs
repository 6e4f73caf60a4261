//! `handover`: one age file for each value of a column, for that value's keys.
//!
//! Invariant: what was handed over is recorded where a ledger knows the file,
//! and is told where none does.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use sha2::{Digest, Sha256};

use crate::commands::args::StateArgs;
use crate::commands::error::Error;
use crate::commands::exit::Exit;
use crate::engine::ledger::state_dir::StateDir;
use crate::engine::ledger::{HandedFile, Ledger, LedgerPaths};
use crate::engine::results::encryption::{EncryptionError, Opener, looks_encrypted};
use crate::engine::results::handover::{HandedOver, Handover, HandoverError, Keys};
use crate::model::{BatchName, Millis, hex, visible_path};
use crate::process::signals::Shutdown;
use crate::ui::Printer;
use crate::ui::format::counted;

/// Flags of `handover`.
#[derive(Debug, Args)]
pub(crate) struct HandoverArgs {
    /// The result, encrypted or plain; - reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Column of the roster whose values divide the rows, like the manager
    #[arg(long, value_name = "COLUMN")]
    pub by: String,
    /// CSV with that column and a column recipient: an age or SSH public key for a value; several rows a value allowed
    #[arg(long, value_name = "KEYS.csv", value_hint = ValueHint::FilePath)]
    pub keys: PathBuf,
    /// Folder to make, with one file a value
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// File with the identity the result was encrypted to; repeatable
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identity: Vec<String>,
    /// File with the passphrase, of the result or of the identity, in its first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub passphrase_file: Option<PathBuf>,
    /// Folder of the ledgers
    #[command(flatten)]
    pub state: StateArgs,
}

/// Runs `finspace-reset handover`.
///
/// # Errors
/// Nothing was handed over; the error says why.
pub(super) fn run(args: &HandoverArgs, printer: &Printer) -> Result<Exit, Error> {
    let shutdown = Shutdown::listen().map_err(|error| Error::System("no signal handlers", error))?;
    let keys = Keys::read(&args.keys, &args.by)?;
    let opener = Opener::new(&args.identity, args.passphrase_file.as_deref())?;
    if let Some(odd) = opener.oddity() {
        printer.warning(odd);
    }
    let unreadable = |error| EncryptionError::of_file(&args.file, error);
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&args.file).map_err(unreadable)?)
    };
    let mut input = BufReader::new(Digesting { input, hash: Sha256::new() });
    let is_age = args.file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("age"));
    let is_encrypted = is_age || looks_encrypted(input.fill_buf().map_err(unreadable)?);
    let handover = Handover {
        file: &args.file,
        column: &args.by,
        keys,
        folder: &args.output,
        stopped: &|| shutdown.signalled().is_some(),
    };
    let done = if is_encrypted {
        opener.open(&args.file, &mut input).map_err(HandoverError::from).and_then(|text| handover.write(text))
    } else {
        handover.write(&mut input)
    };
    let done = match (done, shutdown.signalled()) {
        (Err(HandoverError::Stopped), Some(signal)) => {
            printer.error(HandoverError::Stopped.to_string());
            return Ok(Exit::Signalled(signal));
        }
        (done, _) => done?,
    };
    // What stands behind the last byte of the table belongs to the file's digest.
    io::copy(&mut input, &mut io::sink()).map_err(unreadable)?;
    let digest = hex(input.into_inner().hash.finalize());
    printer.data(&listing(args, &done)?).map_err(Error::Stdout)?;
    tell(args, &done, printer);
    record(args, done, &digest, printer)
}

fn tell(args: &HandoverArgs, done: &HandedOver, printer: &Printer) {
    let rows = done.files.iter().map(|file| file.rows).sum();
    let folder = visible_path(&args.output);
    printer.note(format!("{} in {}: {folder}", counted(rows, "row"), counted(done.files.len() as u64, "file")));
    if done.unused > 0 {
        let (keys, file) = (visible_path(&args.keys), visible_path(&args.file));
        printer.note(format!("{} of {keys} have no row in {file}, and no file", counted(done.unused, "value")));
    }
}

/// A table of the files, for whoever sends them on.
fn listing(args: &HandoverArgs, done: &HandedOver) -> Result<String, Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = || -> csv::Result<()> {
        table.write_record([args.by.as_str(), "file", "rows", "recipients"])?;
        for file in &done.files {
            let path = args.output.join(&file.name);
            let path = path.to_string_lossy();
            table.write_record([&file.value, &*path, &file.rows.to_string(), &file.recipients.join(" ")])?;
        }
        table.flush()?;
        Ok(())
    };
    write().map_err(|error| Error::Stdout(error.into()))?;
    let bytes = table.into_inner().map_err(|error| Error::Stdout(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Records what was handed over in the ledger that knows the result.
fn record(args: &HandoverArgs, done: HandedOver, digest: &str, printer: &Printer) -> Result<Exit, Error> {
    let state = StateDir::locate(args.state.state_dir.as_deref())?;
    let Some((state, batch, published_at)) = publisher(&state, digest) else {
        printer.note(format!(
            "no ledger in {} knows this result: `status` and `report` can't tell who still waits",
            visible_path(state.folder())
        ));
        return Ok(Exit::Success);
    };
    let folder = fs::canonicalize(&args.output).unwrap_or_else(|_| args.output.clone());
    let (at, column_at) = (Millis::now(), done.column_at);
    let file = |file: crate::engine::results::handover::Written| HandedFile {
        path: folder.join(&file.name).to_string_lossy().into_owned(),
        digest: file.digest,
        at,
        published_at,
        column: args.by.clone(),
        column_at,
        value: file.value,
        recipients: file.recipients.join("\n"),
        rows: file.rows,
    };
    let files: Vec<HandedFile> = done.files.into_iter().map(file).collect();
    let recorded = Ledger::open(&LedgerPaths::new(state.folder(), &batch)).and_then(|ledger| match ledger {
        Some(ledger) => ledger.record_handover(&files).and_then(|()| ledger.handover_state()),
        None => Ok(None),
    });
    match recorded {
        Ok(known) => {
            let waiting = known.map_or(0, |known| known.waiting);
            let wait = if waiting == 0 {
                "nobody waits any more".into()
            } else {
                format!("{} still to be handed a password", counted(waiting, "user"))
            };
            printer.note(format!("recorded in batch {batch}: {wait}"));
            Ok(Exit::Success)
        }
        Err(error) => {
            printer.error(format!("the files are written, and batch {batch} can't take note of it: {error}"));
            Ok(Exit::NotDurable)
        }
    }
}

/// The batch that wrote a file of this digest, and when.
fn publisher(state: &StateDir, digest: &str) -> Option<(StateDir, BatchName, Millis)> {
    for state in [state.clone(), state.simulated()] {
        for batch in state.batches().unwrap_or_default() {
            // A ledger that can't be read is told by `status`; it knows nothing here.
            let publications = Ledger::read(&LedgerPaths::new(state.folder(), &batch))
                .and_then(|ledger| ledger.publications())
                .unwrap_or_default();
            if let Some(file) = publications.iter().find(|file| file.digest == digest) {
                return Some((state, batch, Millis(file.at)));
            }
        }
    }
    None
}

/// Digests what is read.
struct Digesting<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.hash.update(&buffer[..got]);
        Ok(got)
    }
}
