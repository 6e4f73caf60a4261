//! The AWS CLI's `reset-user-password` as it is typed.
//!
//! The names, their order and what they take are the AWS CLI's (2.9.19); its
//! messages list options in this order.

#![allow(clippy::doc_markdown, reason = "doc comments are the help's plain text")]

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

/// Heading of the options that every command of the AWS CLI has.
pub(super) const GLOBAL: &str = "Global options of the AWS CLI";

/// After the help of `reset-user-password`.
pub(crate) const EXAMPLES: &str = "\
Flags, output, messages and exit codes are those of the AWS CLI 2.9.19, which also read unambiguous
prefixes (--user u) and let the last of duplicates win.

Exit codes: 0 reset, 130 interrupted, 252 usage or parameters, 253 no region or credentials,
254 the service answered with an error, 255 anything else.";

/// Flags of `reset-user-password`.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(crate) struct ResetUserPasswordArgs {
    /// The user to reset (required, unless JSON or YAML names one); file://PATH reads it from a file
    #[arg(long, value_name = "ID", help_heading = "Request")]
    pub user_id: Option<String>,
    /// Repeats of a request with the same token within 10 minutes answer the same [default: a UUID, the same for all tries]
    #[arg(long, value_name = "TOKEN", help_heading = "Request")]
    pub client_token: Option<String>,
    /// The request as JSON, as file://PATH, or - for standard input; options beside it count more
    #[arg(long, value_name = "JSON", help_heading = "Request")]
    pub cli_input_json: Option<String>,
    /// The request as YAML, as file://PATH, or - for standard input; options beside it count more
    #[arg(long, value_name = "YAML", help_heading = "Request")]
    pub cli_input_yaml: Option<String>,
    /// Print a request to fill in, or check this one and print a sample answer; sends nothing
    #[arg(long, value_name = "KIND", value_enum, num_args = 0..=1, default_missing_value = "input", help_heading = "Request")]
    pub generate_cli_skeleton: Option<Skeleton>,

    /// Log what is sent where on standard error; never a password or a key
    #[arg(long, help_heading = GLOBAL)]
    pub debug: bool,
    /// Endpoint that speaks the API
    #[arg(long, value_name = "URL", help_heading = GLOBAL, value_hint = ValueHint::Url)]
    pub endpoint_url: Option<String>,
    /// Don't verify the server's certificate
    #[arg(long, help_heading = GLOBAL)]
    pub no_verify_ssl: bool,
    /// Accepted, and does nothing: there are no pages here
    #[arg(long, help_heading = GLOBAL)]
    pub no_paginate: bool,
    /// Form of the answer [default: AWS_DEFAULT_OUTPUT, the profile's `output`, json]
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = GLOBAL)]
    pub output: Option<OutputFormat>,
    /// JMESPath of what to print of the answer
    #[arg(long, value_name = "JMESPATH", help_heading = GLOBAL)]
    pub query: Option<String>,
    /// Profile of the AWS config files
    #[arg(long, value_name = "NAME", help_heading = GLOBAL)]
    pub profile: Option<String>,
    /// AWS region
    #[arg(long, value_name = "NAME", help_heading = GLOBAL)]
    pub region: Option<String>,
    /// Print version
    #[arg(long, action = ArgAction::Version, help_heading = GLOBAL)]
    pub version: Option<bool>,
    /// Colours of the table
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", help_heading = GLOBAL)]
    pub color: Color,
    /// Don't sign the request; no credentials are looked for
    #[arg(long, help_heading = GLOBAL)]
    pub no_sign_request: bool,
    /// PEM file of the certificate authorities to trust
    #[arg(long, value_name = "FILE", help_heading = GLOBAL, value_hint = ValueHint::FilePath)]
    pub ca_bundle: Option<PathBuf>,
    /// Seconds to wait for an answer; 0 waits for ever [default: 60]
    #[arg(long, value_name = "SECONDS", help_heading = GLOBAL)]
    pub cli_read_timeout: Option<String>,
    /// Seconds to wait for a connection; 0 waits for ever [default: 60]
    #[arg(long, value_name = "SECONDS", help_heading = GLOBAL)]
    pub cli_connect_timeout: Option<String>,
    /// Accepted, and does nothing: nothing here is binary
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = GLOBAL)]
    pub cli_binary_format: Option<BinaryFormat>,
    /// Accepted, and does nothing: there is no pager
    #[arg(long, help_heading = GLOBAL)]
    pub no_cli_pager: bool,
    /// Accepted, and does nothing: nothing is prompted for
    #[arg(long, help_heading = GLOBAL)]
    pub cli_auto_prompt: bool,
    /// Accepted, and does nothing: nothing is prompted for
    #[arg(long, help_heading = GLOBAL)]
    pub no_cli_auto_prompt: bool,
}

/// `--generate-cli-skeleton`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Skeleton {
    /// A request in JSON
    Input,
    /// A sample answer
    Output,
    /// A request in YAML, with comments
    YamlInput,
}

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// JSON, indented
    Json,
    /// Values, separated by tabs
    Text,
    /// A table for people
    Table,
    /// YAML
    Yaml,
    /// YAML, a list of one
    YamlStream,
}

impl OutputFormat {
    /// The form of this name, as a config file spells it.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Always
    On,
    /// Never
    Off,
    /// On a terminal
    Auto,
}

/// `--cli-binary-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BinaryFormat {
    /// As the AWS CLI 2
    Base64,
    /// As the AWS CLI 1
    RawInBase64Out,
}
