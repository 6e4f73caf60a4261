//! The command's refusals: a text in the AWS CLI's words, and its exit code.

use std::fmt;

use super::exit::Exit;
use crate::service::aws::ConnectionError;

/// The end of a command that printed no password.
#[derive(Debug)]
pub(crate) struct Refusal {
    exit: Exit,
    text: String,
}

impl Refusal {
    /// The command line or the request is wrong.
    pub(crate) fn parameters(text: impl Into<String>) -> Self {
        Self { exit: Exit::Parameters, text: text.into() }
    }

    /// The environment or the config files are wrong.
    pub(crate) fn configuration(text: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, text: text.into() }
    }

    /// The service answered with an error.
    pub(crate) fn service(text: impl Into<String>) -> Self {
        Self { exit: Exit::Service, text: text.into() }
    }

    /// Anything else.
    pub(crate) fn general(text: impl Into<String>) -> Self {
        Self { exit: Exit::General, text: text.into() }
    }

    /// Input that a parameter names and that can't be taken.
    pub(crate) fn parsing(parameter: &str, what: impl fmt::Display) -> Self {
        Self::parameters(format!("Error parsing parameter '{parameter}': {what}"))
    }

    /// With another line, which the AWS CLI would not have told.
    #[must_use]
    pub(crate) fn adding(mut self, line: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(line);
        self
    }

    /// The exit code.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

impl From<ConnectionError> for Refusal {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::NoRegion => Self::configuration(
                "You must specify a region. You can also configure your region by running \"aws configure\".",
            ),
            ConnectionError::NoCredentials => Self::configuration(
                "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
            ),
            ConnectionError::BadRegion(region) => {
                Self::general(format!("Provided region_name '{region}' doesn't match a supported format."))
            }
            ConnectionError::NoEndpoint { why, .. } => Self::general(why),
            ConnectionError::BadEndpoint { url, .. } if is_of_another_scheme(&url) => bad_endpoint(&url),
            ConnectionError::BadEndpoint { url, .. } => Self::general(format!("Invalid endpoint: {url}")),
            ConnectionError::NoProfile(name) => {
                Self::general(format!("The config profile ({name}) could not be found"))
            }
            ConnectionError::NoServices(name) => Self::general(format!(
                "The profile is configured to use the services section but the \"{name}\" services configuration does not exist."
            )),
            ConnectionError::BadConfig(what) => Self::general(format!("Unable to parse config file: {what}")),
            ConnectionError::HalfAKey => {
                Self::general("Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY")
            }
            ConnectionError::UnreadableFile(..)
            | ConnectionError::NotText(_)
            | ConnectionError::Unsignable { .. }
            | ConnectionError::BadProxy { .. }
            | ConnectionError::BadBundle(..)
            | ConnectionError::BadCredentials(_)
            | ConnectionError::SignIn(..) => Self::general(error.to_string()),
        }
    }
}

fn is_of_another_scheme(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()))
}

/// An endpoint that is no URL.
pub(super) fn bad_endpoint(endpoint: &str) -> Refusal {
    Refusal::parameters(format!(
        "Bad value for --endpoint-url \"{endpoint}\": scheme is missing.  Must be of the form http://<hostname>/ or https://<hostname>/"
    ))
}
