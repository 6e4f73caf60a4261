//! The small commands: `simulator`, `decrypt`, `keygen`, `completions`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, DecryptArgs, KeygenArgs, ManArgs, SimulatorArgs};
use crate::exit::{Error, Exit};
use crate::outcome::InputError;
use crate::progress::Printer;
use crate::publish::{self, Destination, PublishError};
use crate::seal::{self, SealError};
use crate::settings::SettingsError;
use crate::shutdown::Shutdown;
use crate::simulator::{ACCESS_KEY_ID, Config, Population, REGION, Replay, SECRET_ACCESS_KEY, Simulator};

/// Writes `bytes` to a file of that name, which must not be there yet, or to
/// standard output.
///
/// # Errors
/// It is there, or can't be written.
pub fn deliver(output: &Path, bytes: &[u8]) -> Result<(), Error> {
    if output.as_os_str() == "-" {
        let mut stdout = std::io::stdout().lock();
        return stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Stdout);
    }
    let path = Destination::resolve(output)?;
    publish::check(&path, &|_| false)?;
    let fail = |error| PublishError::Write(path.clone(), error);
    publish::replace(&path, None, &|_| false, |file| file.write_all(bytes).map_err(fail), |_| Ok(()))?;
    Ok(())
}

/// Serves the simulated API until a signal comes.
///
/// # Errors
/// The users can't be read, or the address can't be had.
pub async fn simulator(args: SimulatorArgs, printer: &Printer) -> Result<Exit, Error> {
    let population = match &args.users {
        None => Population::Anyone,
        Some(path) => {
            let name = path.display().to_string();
            let wrong = |what: String| InputError::new(&name, what, "see «finspace-reset simulator --help»");
            let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
            Population::from_csv(file).map_err(|error| wrong(error.to_string()))?
        }
    };
    let shutdown = Shutdown::listen().map_err(|error| Error::System("no signal handlers", error))?;
    let config = Config {
        listen: args.listen,
        population,
        token_ttl: args.token_ttl,
        quota: args.quota,
        latency: args.latency,
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
    let lines = format!(
        "export AWS_ENDPOINT_URL_FINSPACE_DATA={endpoint}\n\
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

/// Opens an encrypted file.
///
/// # Errors
/// It does not open, or the output can't be written.
pub fn decrypt(args: &DecryptArgs) -> Result<Exit, Error> {
    match &args.output {
        None => {
            let mut output = std::io::stdout().lock();
            seal::decrypt(&args.file, &args.identity, args.passphrase_file.as_deref(), &mut output)?;
            output.flush().map_err(Error::Stdout)?;
        }
        Some(path) => {
            let fail = |error| SealError::Io(path.clone(), error);
            let mut output = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
            let opened = seal::decrypt(&args.file, &args.identity, args.passphrase_file.as_deref(), &mut output);
            if let Err(error) = opened.and_then(|()| output.sync_all().map_err(fail)) {
                // Half a plain text is worth nothing and still holds passwords.
                let _ = std::fs::remove_file(path);
                return Err(error.into());
            }
        }
    }
    Ok(Exit::Success)
}

/// Makes an age identity.
///
/// # Errors
/// It can't be written.
pub fn keygen(args: &KeygenArgs, printer: &Printer) -> Result<Exit, Error> {
    let public = seal::keygen(args.output.as_deref(), &mut std::io::stdout().lock())?;
    printer.note(format!("Public key: {public}"));
    Ok(Exit::Success)
}

/// Prints a man page, or writes all of them.
///
/// # Errors
/// There is no such command, or the pages can't be written.
pub fn man(args: &ManArgs, printer: &Printer) -> Result<Exit, Error> {
    // Each page goes by its command's name, whatever a command calls itself in its version.
    let mut cli = Cli::command().disable_help_subcommand(true).mut_subcommands(|command| {
        let name = format!("finspace-reset-{}", command.get_name());
        command.display_name(name)
    });
    cli.build();
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(cli, folder))
            .map_err(|error| PublishError::Folder(folder.clone(), error))?;
        return Ok(Exit::Success);
    }
    let command = match &args.command {
        None => &cli,
        Some(name) => cli.find_subcommand(name).ok_or_else(|| SettingsError::NoCommand(name.clone()))?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Error::Stdout)?;
    printer.data(&String::from_utf8_lossy(&page)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}

/// Prints a completion script.
///
/// # Errors
/// Standard output is gone.
pub fn completions(args: &CompletionsArgs, printer: &Printer) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "finspace-reset", &mut script);
    printer.data(&String::from_utf8_lossy(&script)).map_err(Error::Stdout)?;
    Ok(Exit::Success)
}
