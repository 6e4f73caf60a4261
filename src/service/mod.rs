//! The services that are asked for a reset.

pub(crate) mod aws;
pub(crate) mod finspace;
