//! The pen: the one thread that writes to standard error, and draws on it.
//!
//! Invariant: whoever has a line to write waits for a reader that has stopped
//! reading no longer than a bound, and once; the run goes on. What was left out
//! is counted and told when the reader reads again.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::may_colour;
use crate::process::signals::Shutdown;

/// Words that may wait for the pen.
const WAITING: usize = 1024;

/// Time for which a reader that does not read is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two looks at a full queue.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A word that the pen writes.
enum Word {
    /// Text, as it stands.
    Text(String),
    /// The bar as it is now: what is drawn, and the words behind it.
    Bar(String, String),
    /// No bar any more.
    NoBar,
    /// Somebody waits until all before it is written.
    Written(Sender<()>),
}

/// Hands words to the thread that writes; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Pen {
    words: Option<SyncSender<Word>>,
    shutdown: Arc<Mutex<Option<Shutdown>>>,
    left_out: Arc<AtomicU64>,
    /// True once nothing is to be drawn any more.
    ended: Arc<AtomicBool>,
}

impl Pen {
    /// Starts the thread. Without one nothing is written.
    pub(super) fn start() -> Self {
        let (words, waiting) = sync_channel(WAITING);
        let shutdown: Arc<Mutex<Option<Shutdown>>> = Arc::default();
        let heard = shutdown.clone();
        let started = thread::Builder::new().name("pen".into()).spawn(move || write_all(&waiting, &heard));
        Self { words: started.is_ok().then_some(words), shutdown, left_out: Arc::default(), ended: Arc::default() }
    }

    /// Names whom to tell that nobody reads any more.
    pub(super) fn tell(&self, shutdown: &Shutdown) {
        *self.shutdown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shutdown.clone());
    }

    /// Writes text as it stands.
    pub(super) fn write(&self, text: String) {
        let left_out = self.left_out.load(Ordering::Relaxed);
        // Whoever has stopped reading is waited for once, and not for every line.
        if left_out == 0 {
            self.hand(Word::Text(text), PATIENCE);
        } else if self.hand(Word::Text(format!("({left_out} lines were left out: nobody read them)\n")), Duration::ZERO)
        {
            self.left_out.store(0, Ordering::Relaxed);
            self.hand(Word::Text(text), PATIENCE);
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Draws the bar; one that can't be drawn at once is not drawn.
    pub(super) fn draw(&self, bar: String, words: String) {
        if let Some(pen) = self.words.as_ref().filter(|_| !self.ended.load(Ordering::Relaxed)) {
            let _ = pen.try_send(Word::Bar(bar, words));
        }
    }

    /// Takes the bar away.
    pub(super) fn erase(&self) {
        self.hand(Word::NoBar, PATIENCE);
    }

    /// Takes the bar away for good, whoever would go on drawing.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.hand(Word::NoBar, Duration::ZERO);
    }

    /// Waits until all is written, if somebody reads it.
    pub(super) fn flush(&self) {
        let (written, done) = channel();
        if self.hand(Word::Written(written), Duration::ZERO) {
            let _ = done.recv_timeout(PATIENCE);
        }
    }

    /// Hands a word over, and returns whether there was room within `patience`.
    fn hand(&self, word: Word, patience: Duration) -> bool {
        let Some(pen) = &self.words else { return false };
        let until = Instant::now() + patience;
        let mut word = word;
        loop {
            match pen.try_send(word) {
                Ok(()) => return true,
                Err(TrySendError::Full(back)) if Instant::now() < until => {
                    word = back;
                    thread::sleep(LOOK_AGAIN);
                }
                Err(_) => {
                    if patience > Duration::ZERO {
                        self.left_out.fetch_add(1, Ordering::Relaxed);
                    }
                    return false;
                }
            }
        }
    }
}

/// Writes what comes until nobody can send any more.
fn write_all(waiting: &Receiver<Word>, shutdown: &Mutex<Option<Shutdown>>) {
    let mut bar: Option<ProgressBar> = None;
    for word in waiting {
        match word {
            Word::Text(text) => {
                let print = || {
                    let mut stderr = io::stderr().lock();
                    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush())
                };
                let printed = bar.as_ref().map_or_else(print, |bar| bar.suspend(print));
                if printed.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
                    && let Some(shutdown) = &*shutdown.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    shutdown.lost_reader();
                }
            }
            Word::Bar(drawn, words) => {
                let bar = bar.get_or_insert_with(new_bar);
                bar.set_prefix(drawn);
                bar.set_message(words);
                bar.tick();
            }
            Word::NoBar => {
                if let Some(bar) = bar.take() {
                    bar.finish_and_clear();
                }
            }
            Word::Written(waits) => {
                let _ = waits.send(());
            }
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
    let template = if may_colour() { "{prefix:.green}{msg}" } else { "{prefix}{msg}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
