//! A profile of the AWS config files.
//!
//! Invariant: a profile that was named and is not there is an error, never an
//! empty one, as for the AWS CLI; the default profile may be missing. A file
//! that is there and can't be read is an error too: it may say where requests
//! go, and whose credentials sign them.

use std::borrow::Cow;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use aws_config::profile::{ProfileFileLoadError, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};

use super::environment::variable;
use super::error::ConnectionError;

/// The most that is read of a config file to look for its sections.
const FILE_LIMIT: u64 = 16 << 20;

/// The settings of one profile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// The profile's name, where somebody named it.
    named: Option<String>,
    /// The names of the `[services NAME]` sections.
    services: Vec<String>,
    all: Option<ProfileSet>,
}

impl Profile {
    /// Returns what the profile sets `key` to, if it says anything.
    #[must_use]
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.all.as_ref().and_then(|all| all.get(key)).filter(|value| !value.is_empty())
    }

    /// Returns a switch: the variable, even an empty one, else this profile's
    /// key. Only `true` in any case is on.
    pub(super) fn is_on(&self, variable: &str, key: &str) -> bool {
        let value = std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned());
        value.as_deref().or_else(|| self.get(key)).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns the profile's name, unless it is the default one.
    #[must_use]
    pub(crate) fn named(&self) -> Option<&str> {
        self.named.as_deref()
    }

    /// Returns what the profile's `[services]` section sets `key` to for the
    /// service of this ID, in botocore's spelling or in the SDKs'.
    ///
    /// # Errors
    /// The section is not there.
    pub(super) fn of_service(&self, id: &str, key: &str) -> Result<Option<String>, ConnectionError> {
        let Some(section) = self.get("services") else { return Ok(None) };
        if !self.services.iter().any(|known| known == section) {
            return Err(ConnectionError::NoServices(section.to_owned()));
        }
        let spelled = |id: String| {
            let key = PropertiesKey::builder()
                .section_key("services")
                .section_name(section)
                .property_name(id)
                .sub_property_name(key)
                .build();
            self.all.as_ref()?.other_sections().get(&key.ok()?).filter(|value| !value.is_empty()).cloned()
        };
        Ok(spelled(id.to_owned()).or_else(|| spelled(id.replace('_', "-"))))
    }
}

/// Reads the profile of this name, else the one of `AWS_PROFILE`, else the default.
///
/// # Errors
/// The files can't be read, or the profile that was named is not there.
pub(crate) async fn read(name: Option<&str>) -> Result<Profile, ConnectionError> {
    let named = match name {
        Some(name) => Some(name.to_owned()),
        None => variable("AWS_PROFILE")?.map_or_else(|| variable("AWS_DEFAULT_PROFILE"), |name| Ok(Some(name)))?,
    };
    let config = text("AWS_CONFIG_FILE", "config")?;
    text("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
    let chosen = named.clone().map(Cow::Owned);
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen).await;
    let profiles = profiles.map_err(|error| ConnectionError::BadConfig(in_full(&error)))?;
    let name = profiles.selected_profile().to_owned();
    if profiles.get_profile(&name).is_none() && name != "default" {
        return Err(ConnectionError::NoProfile(name));
    }
    Ok(Profile { named, services: services(&config), all: Some(profiles) })
}

/// Returns a config file's text; one that is not there is empty.
fn text(name: &'static str, default: &str) -> Result<String, ConnectionError> {
    let Some(path) = place(variable(name)?, default) else { return Ok(String::new()) };
    let read = fs::File::open(&path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(FILE_LIMIT).read_to_end(&mut bytes).map(|_| bytes)
    });
    match read {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(String::new()),
        Err(error) => Err(ConnectionError::UnreadableFile(path, error.to_string(), name)),
    }
}

/// The place of a config file, as the SDK finds it.
fn place(set: Option<String>, default: &str) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match set {
        None => Some(home?.join(".aws").join(default)),
        Some(path) => Some(match (path.strip_prefix("~/"), home) {
            (Some(below), Some(home)) => home.join(below),
            _ => PathBuf::from(path),
        }),
    }
}

/// The names of the `[services NAME]` sections.
fn services(config: &str) -> Vec<String> {
    let headers = config.lines().filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'));
    headers
        .filter_map(|(header, _)| {
            let (kind, name) = header.trim().split_once(char::is_whitespace)?;
            (kind == "services").then(|| name.trim().to_owned())
        })
        .collect()
}

fn in_full(error: &ProfileFileLoadError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
