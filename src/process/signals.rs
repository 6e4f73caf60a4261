//! Signals: a signal ends the process at once, unless something is in flight
//! that wants an orderly end; then the first one asks for it, and the second
//! one leaves.
//!
//! Invariant: this is the one place that ends the process without returning
//! from `main`; ledger and outputs need no more than that to be intact. Signals
//! are heard in a thread of their own, so that reading standard input, a
//! question and a long publication are ended too.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// The signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or the terminal or a pipe that is gone.
    Terminate,
}

impl Signal {
    fn from_number(number: i32) -> Self {
        if number == SIGINT { Self::Interrupt } else { Self::Terminate }
    }

    /// The shell's exit code for it.
    #[must_use]
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGXFSZ: i32 = 25;

/// The longest that last words may take: standard error may be blocked.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A handle on the wish to end.
#[derive(Clone, Default)]
pub(crate) struct Shutdown {
    first: Arc<AtomicI32>,
    wake: Arc<Notify>,
    /// The number of [`Orderly`] guards.
    orderly: Arc<AtomicUsize>,
    last_words: Arc<Mutex<Option<LastWords>>>,
}

/// Speaks and writes before a signal ends the process at once.
type LastWords = Box<dyn FnOnce(Signal) + Send>;

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shutdown").field("signalled", &self.signalled()).finish_non_exhaustive()
    }
}

/// While it lives, the first signal only asks for an orderly end.
#[must_use]
pub(crate) struct Orderly(Arc<AtomicUsize>);

impl Drop for Orderly {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shutdown {
    /// Starts to listen for SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// The handlers can't be installed.
    pub(crate) fn listen() -> io::Result<Self> {
        let shutdown = Self::default();
        shutdown.start()?;
        Ok(shutdown)
    }

    /// Starts to listen, when last words are set.
    ///
    /// # Errors
    /// The handlers can't be installed.
    pub(crate) fn start(&self) -> io::Result<()> {
        let heard = self.clone();
        // A passphrase is asked for without an echo: whoever leaves there gives it back.
        let terminal = rustix::termios::tcgetattr(io::stdin()).ok();
        let (ready, installed) = mpsc::channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            runtime.block_on(async move {
                let install = || -> io::Result<_> {
                    // A file-size limit is to be an error of the write, not the
                    // process's end: having a handler is enough for that.
                    drop(signal(SignalKind::from_raw(SIGXFSZ))?);
                    // Under nohup the terminal's end is to be ignored.
                    let hang_up = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
                    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, hang_up))
                };
                let (mut interrupt, mut terminate, mut hang_up) = match install() {
                    Ok(signals) => signals,
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                let _ = ready.send(Ok(()));
                loop {
                    let number = tokio::select! {
                        Some(()) = interrupt.recv() => SIGINT,
                        Some(()) = terminate.recv() => SIGTERM,
                        Some(()) = hung_up(&mut hang_up) => SIGTERM,
                    };
                    let first = heard.ask(number);
                    if !first || heard.orderly.load(Ordering::SeqCst) == 0 {
                        heard.leave(number, terminal.as_ref());
                    }
                }
            });
        })?;
        installed.recv().unwrap_or_else(|_| Err(io::Error::other("the signal thread ended")))
    }

    /// Wants an orderly end from here on, until the guard is dropped.
    pub(crate) fn orderly(&self) -> Orderly {
        self.orderly.fetch_add(1, Ordering::SeqCst);
        Orderly(self.orderly.clone())
    }

    /// Sets the last words of a process that a signal ends at once.
    pub(crate) fn on_leave(&self, words: impl FnOnce(Signal) + Send + 'static) {
        *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(words));
    }

    /// Ends the process at once; every record that counts is on disk already.
    #[allow(clippy::exit, reason = "the one home of a hard exit")]
    fn leave(&self, number: i32, terminal: Option<&Termios>) -> ! {
        if let Some(terminal) = terminal {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, terminal);
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(words) = words {
            let (said, done) = mpsc::channel();
            let signal = Signal::from_number(number);
            let speak = move || {
                words(signal);
                let _ = said.send(());
            };
            if thread::Builder::new().spawn(speak).is_ok() {
                let _ = done.recv_timeout(LAST_WORDS);
            }
        }
        std::process::exit(128 + number)
    }

    /// Asks for the end because nobody reads what is written any more.
    pub(crate) fn lost_reader(&self) {
        self.ask(SIGTERM);
    }

    /// Tells whether this was the first wish.
    fn ask(&self, number: i32) -> bool {
        let first = self.first.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.wake.notify_one();
        first
    }

    /// The signal that asked for the end, if one did.
    #[must_use]
    pub(crate) fn signalled(&self) -> Option<Signal> {
        match self.first.load(Ordering::SeqCst) {
            0 => None,
            number => Some(Signal::from_number(number)),
        }
    }

    /// Waits for the wish to end.
    pub(crate) async fn requested(&self) -> Signal {
        loop {
            if let Some(signal) = self.signalled() {
                return signal;
            }
            self.wake.notified().await;
        }
    }
}

async fn hung_up(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Returns true if whoever started this process had it ignore SIGHUP, as nohup
/// does.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
