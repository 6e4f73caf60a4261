//! `reset-user-password`: the AWS CLI's command, for scripts that still call it.
//!
//! Invariant: flags, output, messages and exit codes are those of the AWS CLI
//! 2.9.19. Only its defects are not kept: whatever can fail without the service
//! fails before the request, a password that was changed and could not be shown
//! never ends in 0, and the client token to repeat is named.

use std::process::ExitCode;

use uuid::Uuid;

use crate::process::signals::Shutdown;
use crate::service::{aws, finspace};
use crate::ui::Printer;

mod argparse;
mod args;
mod attempts;
mod command_line;
mod environment;
mod exit;
mod output;
mod paramfile;
mod python;
mod query;
mod refusal;
mod request;
mod skeleton;
mod yaml;

use args::Skeleton;
pub(crate) use args::{EXAMPLES, ResetUserPasswordArgs};
pub(crate) use command_line::plain_words;

use environment::Environment;
use exit::Exit;
use output::Output;
use query::Query;
pub(crate) use refusal::Refusal;
use request::Request;

/// Resets one user as the AWS CLI did, and returns its exit status.
pub(crate) async fn run(args: ResetUserPasswordArgs, printer: &Printer) -> ExitCode {
    match reset(&args, printer).await {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(refusal) => refuse(&refusal, printer),
    }
}

/// Prints a refusal as the AWS CLI does, and returns its exit status.
pub(crate) fn refuse(refusal: &Refusal, printer: &Printer) -> ExitCode {
    printer.apart(refusal.to_string());
    ExitCode::from(refusal.exit().code())
}

async fn reset(args: &ResetUserPasswordArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let print = |text: &str| {
        let written = printer.data(text);
        written.map_err(|error| Refusal::general(format!("Standard output can't be written: {error}")))
    };
    let query = args.query.as_deref().map(Query::parse).transpose()?;
    let options = environment::connection(args)?;
    if args.cli_auto_prompt && args.no_cli_auto_prompt {
        let both = "Both --cli-auto-prompt and --no-cli-auto-prompt cannot be specified at the same time.";
        return Err(Refusal::parameters(both));
    }
    let profile = aws::profile(options.profile.as_deref()).await?;
    let environment = Environment::read(args, &profile)?;
    let output = Output::new(environment.output, args.color, query);
    let request = Request::gather(args)?;
    if let Some(text) = skeleton::of_request(args.generate_cli_skeleton) {
        return print(text).map(|()| Exit::Success);
    }
    let (client, target) = finspace::connect(&options, 1).await?;
    let (user_id, token) = request.checked()?;
    if args.generate_cli_skeleton == Some(Skeleton::Output) {
        let sample = output.show(&skeleton::sample_answer("userId"))?;
        return print(&sample).map(|()| Exit::Success);
    }
    // A query or a form that fails on an answer would lose this user's.
    output.show(&skeleton::sample_answer(&user_id))?;
    if options.sign {
        let credentials = client.connection().identity().await?;
        tracing::debug!(%credentials, "signing");
    }
    let token = token.unwrap_or_else(|| Uuid::new_v4().hyphenated().to_string());
    tracing::debug!(%target, user_id, client_token = token, max_attempts = environment.max_attempts, "resetting");
    let shutdown =
        Shutdown::listen().map_err(|error| Refusal::general(format!("No signal handlers can be had: {error}")))?;
    let _orderly = shutdown.orderly();
    let reset = tokio::select! {
        reset = attempts::reset(&client, &target, &user_id, &token, environment.max_attempts) => reset?,
        signal = shutdown.requested() => {
            // Where ^C stands on the terminal, the next prompt is to begin a line.
            print("\n")?;
            printer.note(attempts::repeat(&token));
            return Ok(Exit::Signalled(signal));
        }
    };
    let shown = output.show(&skeleton::answer(reset.user_id.as_deref(), &reset.password)).and_then(|text| print(&text));
    shown
        .map(|()| Exit::Success)
        .map_err(|refusal| Refusal::general(refusal.to_string()).adding(&attempts::repeat(&token)))
}
