//! `--simulate`: a run against the embedded simulator.
//!
//! Invariant: a rehearsal starts from nothing each time, lives in a folder of
//! its own, and may replace the output of an earlier rehearsal and of nothing
//! else.

use std::io::Write as _;
use std::thread;

use crate::commands::error::Error;
use crate::engine::ledger::state_dir::{StateDir, StateError};
use crate::engine::ledger::{Ledger, LedgerPaths};
use crate::model::{Target, UserPoolId};
use crate::service::AnyService;
#[cfg(feature = "cognito")]
use crate::service::cognito;
use crate::service::finspace;
use crate::simulator::{ACCESS_KEY_ID, Config, Pool, REGION, SECRET_ACCESS_KEY, Service, Simulator};

/// The file that remembers the digests of rehearsals' outputs.
const OUTPUTS: &str = "outputs";

/// A simulator that serves as long as this process lives.
#[derive(Debug)]
pub(super) struct EmbeddedSimulator {
    endpoint: String,
}

impl EmbeddedSimulator {
    /// Starts the simulator of FinSpace, or of this user pool, in a thread of its
    /// own, so that it takes no time from the run's.
    ///
    /// # Errors
    /// The system gives no thread or no port.
    pub(super) fn start(pool: Option<&UserPoolId>) -> Result<Self, Error> {
        let service = pool.map_or(Service::FinSpace, |pool| Service::Cognito(Box::new(Pool::new(pool.as_str()))));
        let config = Config { service, seed: rand::random(), ..Config::default() };
        let fail = |error| Error::System("the simulator can't start", error);
        let (ready, started) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name("simulator".into())
            .spawn(move || {
                let serve = || -> std::io::Result<()> {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(async {
                        let simulator = Simulator::bind(config).await?;
                        let _ = ready.send(Ok(simulator.endpoint()));
                        simulator.serve(std::future::pending()).await;
                        Ok(())
                    })
                };
                if let Err(error) = serve() {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(fail)?;
        let endpoint =
            started.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended"))).map_err(fail)?;
        Ok(Self { endpoint })
    }

    /// A client of it, and the target that it is.
    #[must_use]
    pub(super) fn client(&self, pool: Option<&UserPoolId>, concurrency: usize) -> (AnyService, Target) {
        let (key, secret) = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        match pool {
            #[cfg(feature = "cognito")]
            Some(pool) => {
                let client = cognito::connect_simulated(&self.endpoint, pool, (key, secret), concurrency);
                (AnyService::Cognito(client), Target::Simulated.in_pool(pool))
            }
            _ => {
                let client = finspace::connect_simulated(&self.endpoint, REGION, key, secret, concurrency);
                (AnyService::FinSpace(client), Target::Simulated)
            }
        }
    }
}

/// Removes an earlier rehearsal's ledger, remembering what it wrote.
///
/// # Errors
/// The files can't be removed.
pub(super) fn forget(state: &StateDir, place: &LedgerPaths) -> Result<(), Error> {
    if place.ledger.exists()
        // A rehearsal's ledger that can't be read is worth nothing.
        && let Ok(ledger) = Ledger::read(place)
    {
        for file in ledger.publications()? {
            remember(state, &file.digest)?;
        }
    }
    let mut files = vec![place.ledger.clone(), place.key.clone()];
    for side in ["-wal", "-shm"] {
        let mut name = place.ledger.clone().into_os_string();
        name.push(side);
        files.push(name.into());
    }
    for file in files {
        crate::engine::results::atomic_file::remove(&file)
            .map_err(|error| StateError::Folder(state.folder().to_owned(), error))?;
    }
    Ok(())
}

/// Returns true if any rehearsal wrote a file with this digest.
#[must_use]
pub(super) fn wrote(state: &StateDir, digest: &str) -> bool {
    let remembered = std::fs::read_to_string(state.folder().join(OUTPUTS)).unwrap_or_default();
    if remembered.lines().any(|line| line == digest) {
        return true;
    }
    state.batches().unwrap_or_default().iter().any(|batch| {
        Ledger::read(&LedgerPaths::new(state.folder(), batch))
            .and_then(|ledger| ledger.publications())
            .is_ok_and(|files| files.iter().any(|file| file.digest == digest))
    })
}

fn remember(state: &StateDir, digest: &str) -> Result<(), Error> {
    let path = state.folder().join(OUTPUTS);
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| writeln!(file, "{digest}"))
        .map_err(|error| StateError::Folder(state.folder().to_owned(), error).into())
}
