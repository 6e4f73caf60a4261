//! The AWS CLI's exit codes, which this command keeps.

use crate::process::signals::Signal;

/// The exit status of `reset-user-password`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The password was printed.
    Success,
    /// Usage or parameters are wrong.
    Parameters,
    /// The environment or the config files are wrong.
    Configuration,
    /// The service answered with an error.
    Service,
    /// Any other error.
    General,
    /// A signal ended it.
    Signalled(Signal),
}

impl Exit {
    /// Returns the process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Parameters => 252,
            Self::Configuration => 253,
            Self::Service => 254,
            Self::General => 255,
            Self::Signalled(signal) => signal.exit_code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_aws_clis() {
        let codes = [
            (Exit::Success, 0),
            (Exit::Parameters, 252),
            (Exit::Configuration, 253),
            (Exit::Service, 254),
            (Exit::General, 255),
            (Exit::Signalled(Signal::Interrupt), 130),
        ];
        for (exit, code) in codes {
            assert_eq!(exit.code(), code);
        }
    }
}
