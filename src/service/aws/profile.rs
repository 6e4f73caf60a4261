//! A profile of the AWS config files.
//!
//! Invariant: a profile that was named and is not there is an error, never an
//! empty one, as for the AWS CLI; the default profile may be missing.

use std::borrow::Cow;

use aws_config::profile::ProfileFileLoadError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::ConnectionError;

/// The settings of one profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile(Option<aws_config::profile::Profile>);

impl Profile {
    /// What the profile sets `key` to, if it says anything.
    #[must_use]
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.as_ref().and_then(|profile| profile.get(key)).filter(|value| !value.is_empty())
    }
}

/// Reads the profile of this name, else the one of `AWS_PROFILE`, else the default.
///
/// # Errors
/// The files can't be read, or the profile that was named is not there.
pub(crate) async fn read(name: Option<&str>) -> Result<Profile, ConnectionError> {
    let chosen = name.map(|name| Cow::Owned(name.to_owned()));
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen).await;
    let profiles = profiles.map_err(|error| ConnectionError::BadConfig(told(&error)))?;
    let name = profiles.selected_profile();
    match profiles.get_profile(name) {
        Some(profile) => Ok(Profile(Some(profile.clone()))),
        None if name == "default" => Ok(Profile::default()),
        None => Err(ConnectionError::NoProfile(name.to_owned())),
    }
}

fn told(error: &ProfileFileLoadError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
