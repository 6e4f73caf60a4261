//! `simulator`: serves the simulated API on loopback until a signal comes.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::args::duration;
use crate::commands::error::{Error, SettingsError};
use crate::commands::exit::Exit;
use crate::model::InputError;
use crate::process::signals::Shutdown;
use crate::simulator::{
    ACCESS_KEY_ID, Config, Pool, PoolSettings, PoolUsers, Population, REGION, Replay, SECRET_ACCESS_KEY, Service,
    Simulator,
};
use crate::ui::Printer;

/// The pool that is simulated unless another is named.
const POOL_ID: &str = "us-east-1_Simulated";

/// Flags of `simulator`.
#[derive(Debug, Args)]
pub(crate) struct SimulatorArgs {
    /// Address to listen on; loopback only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// The service to simulate
    #[arg(long, value_enum, value_name = "SERVICE", default_value = "finspace")]
    pub service: SimulatedService,
    /// The user pool there is, of Cognito [default: us-east-1_Simulated]
    #[arg(long, value_name = "ID")]
    pub user_pool_id: Option<String>,
    /// Settings of the user pool, like email-aliases,case-insensitive,length=12,history=3,days=30; also email-usernames, no-uppercase, no-lowercase, no-numbers and no-symbols
    #[arg(long, value_name = "SETTINGS")]
    pub pool: Option<PoolSettings>,
    /// CSV of the users there are [default: anyone but IDs that begin with `missing`]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub users: Option<PathBuf>,
    /// Time for which a client token is remembered
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    pub token_ttl: Duration,
    /// A repeated token answers with a new password instead of the same one
    #[arg(long)]
    pub new_password_on_replay: bool,
    /// Requests a second that are let through: 500, or a schedule like 500:10s,100:10s,800; and how they are kept: ,burst=N or ,bucket (a second's room) or ,spacing (room for one) of a bucket that fills, ,counted in each second, ,sliding in the last second
    #[arg(long, value_name = "QUOTA")]
    pub quota: Option<crate::simulator::Quota>,
    /// Time an answer takes
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0ms")]
    pub latency: Duration,
    /// Time a refusal for the quota takes [default: as any answer]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub refusal_latency: Option<Duration>,
    /// Random time on top of it
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0ms")]
    pub jitter: Duration,
    /// Faults by probability, like drop-after=0.03,error-before=0.01
    #[arg(long, value_name = "FAULTS")]
    pub faults: Option<crate::simulator::Faults>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Life of the credentials that are issued [default: as asked for]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub credential_life: Option<Duration>,
}

/// The services that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulatedService {
    /// The Amazon FinSpace Data API
    Finspace,
    /// The admin API of Amazon Cognito user pools
    Cognito,
}

impl SimulatorArgs {
    /// Reads the users, if there is a file of them.
    fn users<T, E: ToString>(&self, read: impl FnOnce(File) -> Result<T, E>) -> Result<Option<T>, InputError> {
        let Some(path) = &self.users else { return Ok(None) };
        let name = path.display().to_string();
        let wrong = |what: String| InputError::new(&name, what, "see `finspace-reset simulator --help`");
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        read(file).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// Returns the user pool that the flags describe.
    fn pool(&self) -> Result<Pool, InputError> {
        let mut pool = Pool::new(self.user_pool_id.as_deref().unwrap_or(POOL_ID));
        pool.settings = self.pool.clone().unwrap_or_default();
        pool.users = self.users(PoolUsers::from_csv)?.unwrap_or(PoolUsers::Anyone);
        Ok(pool)
    }
}

/// Serves the simulated API until a signal comes.
///
/// # Errors
/// The users can't be read, or the address can't be had.
pub(super) async fn run(args: SimulatorArgs, printer: &Printer) -> Result<Exit, Error> {
    let (service, population) = match args.service {
        SimulatedService::Cognito => (Service::Cognito(Box::new(args.pool()?)), Population::Anyone),
        SimulatedService::Finspace if args.user_pool_id.is_some() || args.pool.is_some() => {
            return Err(SettingsError::PoolWithoutCognito.into());
        }
        SimulatedService::Finspace => (Service::FinSpace, args.users(Population::from_csv)?.unwrap_or_default()),
    };
    let shutdown = Shutdown::listen().map_err(|error| Error::System("no signal handlers", error))?;
    let _orderly = shutdown.orderly();
    let config = Config {
        listen: args.listen,
        service,
        population,
        token_ttl: args.token_ttl,
        quota: args.quota,
        latency: args.latency,
        refusal_latency: args.refusal_latency,
        jitter: args.jitter,
        faults: args.faults.unwrap_or_default(),
        seed: args.seed,
        credential_life: args.credential_life,
        replay: if args.new_password_on_replay { Replay::NewPassword } else { Replay::SameAnswer },
        ..Config::default()
    };
    if !args.listen.ip().is_loopback() {
        let error = std::io::Error::other(format!("{} is not a loopback address", args.listen));
        return Err(Error::System("the simulator serves this machine alone", error));
    }
    let simulator =
        Simulator::bind(config).await.map_err(|error| Error::System("the simulator can't listen", error))?;
    let endpoint = simulator.endpoint();
    let variable = match args.service {
        SimulatedService::Finspace => "AWS_ENDPOINT_URL_FINSPACE_DATA",
        SimulatedService::Cognito => "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    };
    let lines = format!(
        "export {variable}={endpoint}\n\
         export AWS_ENDPOINT_URL={endpoint}\n\
         export AWS_REGION={REGION}\n\
         export AWS_ACCESS_KEY_ID={ACCESS_KEY_ID}\n\
         export AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}\n\
         unset AWS_SESSION_TOKEN AWS_PROFILE\n"
    );
    printer.note(format!(
        "serving the simulated API at {endpoint} until a signal comes; any AWS SDK or CLI talks to it with:"
    ));
    printer.data(&lines).map_err(Error::Stdout)?;
    simulator
        .serve(async {
            shutdown.requested().await;
        })
        .await;
    Ok(Exit::Success)
}
