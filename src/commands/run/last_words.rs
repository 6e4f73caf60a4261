//! The last words of a run that a signal ends at once, and the word that an
//! orderly end is under way.
//!
//! Invariant: they say what is known at that moment, and never wait for the
//! thread that runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::summary;
use crate::commands::exit::Exit;
use crate::model::{BatchName, Tally};
use crate::process::signals::{Shutdown, Signal};
use crate::ui::Printer;
use crate::ui::format::{counted, human};

/// The stage that a run has come to.
#[derive(Clone, Debug)]
enum Phase {
    /// Nothing was sent.
    Preparing,
    /// Requests are in flight for this batch.
    Sending(String),
    /// The results of this batch are being written.
    Publishing(String),
}

/// The stage of a run, for its last words; clones share it.
#[derive(Clone)]
pub(super) struct LastWords {
    phase: Arc<Mutex<Phase>>,
    claimed: Arc<AtomicU64>,
    reset: Arc<AtomicU64>,
    patience: Option<Duration>,
    announced: bool,
}

impl LastWords {
    /// Sets the last words of a run that begins.
    pub(super) fn prepare(shutdown: &Shutdown, printer: &Printer, summary: Option<PathBuf>) -> Self {
        let phase = Arc::new(Mutex::new(Phase::Preparing));
        let words = Self { phase, claimed: Arc::default(), reset: Arc::default(), patience: None, announced: false };
        let (at, printer) = (words.clone(), printer.clone());
        shutdown.on_leave(move |signal| {
            let text = at.text(signal);
            if let Some(file) = summary {
                let _ = summary::write_end(&file, Exit::Signalled(signal), &text);
            }
            printer.error(text);
        });
        words
    }

    /// Requests leave from here on, and wait for their answers so long at most.
    pub(super) fn sending(&mut self, batch: &BatchName, patience: Option<Duration>) {
        self.patience = patience;
        self.enter(Phase::Sending(batch.to_string()));
    }

    /// No request is in flight from here on.
    pub(super) fn publishing(&self, batch: &BatchName) {
        self.enter(Phase::Publishing(batch.to_string()));
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Takes note of how far sending has come, and announces an orderly end once.
    pub(super) fn keep(&mut self, tally: &Tally, asked: Option<Signal>, printer: &Printer) {
        self.claimed.store(tally.claimed, Ordering::Relaxed);
        self.reset.store(tally.reset, Ordering::Relaxed);
        if asked.is_some() && tally.in_flight > 0 && !self.announced {
            self.announced = true;
            let most = self.patience.map(|most| format!(" (at most {})", human(most))).unwrap_or_default();
            let answers = counted(tally.in_flight, "answer");
            printer.alert(format!("stopping: waiting for {answers}{most}; another signal leaves them in doubt"));
        }
    }

    fn text(&self, signal: Signal) -> String {
        let how = match signal {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
        };
        match &*self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Preparing => format!("{how}; nothing was sent"),
            Phase::Sending(batch) => format!(
                "{how} without waiting: {} may have been reset without an answer, and {} of this run are in no file yet; run the same command again to settle and write them (`finspace-reset status {batch}` shows them)",
                counted(self.claimed.load(Ordering::Relaxed), "user"),
                counted(self.reset.load(Ordering::Relaxed), "new password"),
            ),
            Phase::Publishing(batch) => format!(
                "{how} while the results were being written; nothing is lost: run the same command again to write them (`finspace-reset status {batch}`)"
            ),
        }
    }
}
