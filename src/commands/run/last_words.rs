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
use crate::commands::way_on::Place;
use crate::engine::ledger::RunEnd;
use crate::model::Tally;
use crate::process::signals::{Shutdown, Signal};
use crate::ui::Printer;
use crate::ui::format::{counted, human};

/// The stage that a run has come to.
#[derive(Clone, Debug)]
enum Phase {
    /// Nothing was sent.
    Preparing,
    /// Requests are in flight for this batch.
    Sending(Place),
    /// The results of this batch are being written, or its users signed out.
    Publishing(Place),
}

/// The stage of a run, for its last words; clones share it.
#[derive(Clone)]
pub(super) struct LastWords {
    phase: Arc<Mutex<Phase>>,
    /// The place of the run's end, once it has begun.
    end: Arc<Mutex<Option<RunEnd>>>,
    claimed: Arc<AtomicU64>,
    reset: Arc<AtomicU64>,
    patience: Option<Duration>,
    announced: bool,
}

impl LastWords {
    /// Sets the last words of a run that begins.
    pub(super) fn prepare(shutdown: &Shutdown, printer: &Printer, summary: Option<PathBuf>) -> Self {
        let phase = Arc::new(Mutex::new(Phase::Preparing));
        let end = Arc::default();
        let (claimed, reset) = (Arc::default(), Arc::default());
        let words = Self { phase, end, claimed, reset, patience: None, announced: false };
        let (at, printer) = (words.clone(), printer.clone());
        shutdown.on_leave(move |signal| {
            let (came_to, advice) = at.text(signal);
            let (exit, text) = (Exit::Signalled(signal), came_to.clone() + &advice);
            if let Some(file) = summary {
                let _ = summary::write_end(&file, exit, &text);
            }
            printer.last_error(text);
            // Last, since it waits for the thread that may be writing; who reads the
            // ledger without it still finds that the run was asked to stop.
            if let Some(end) = at.end.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = end.record(exit.code(), &came_to);
            }
        });
        words
    }

    /// The run has begun, and its ledger wants to know its end.
    pub(super) fn begun(&self, end: RunEnd) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// Requests leave from here on, and wait for their answers so long at most.
    pub(super) fn sending(&mut self, batch: Place, patience: Option<Duration>) {
        self.patience = patience;
        self.enter(Phase::Sending(batch));
    }

    /// No request is in flight from here on.
    pub(super) fn publishing(&self, batch: Place) {
        self.enter(Phase::Publishing(batch));
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

    /// Returns what the run came to, and what to do about it.
    fn text(&self, signal: Signal) -> (String, String) {
        let how = match signal {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
        };
        match &*self.phase.lock().unwrap_or_else(PoisonError::into_inner) {
            Phase::Preparing => (format!("{how}; nothing was sent"), String::new()),
            Phase::Sending(batch) => (
                format!(
                    "{how} without waiting: {} may have been reset without an answer, and {} of this run are in no file yet",
                    counted(self.claimed.load(Ordering::Relaxed), "user"),
                    counted(self.reset.load(Ordering::Relaxed), "new password"),
                ),
                format!(
                    "; run the same command again to settle and write them (`{}` shows them)",
                    batch.command("status", "")
                ),
            ),
            Phase::Publishing(batch) => (
                format!("{how} while the results were being written"),
                format!(
                    "; nothing is lost: run the same command again to write them (`{}`)",
                    batch.command("status", "")
                ),
            ),
        }
    }
}
