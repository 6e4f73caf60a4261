//! Credentials that a request can be signed with.
//!
//! Invariant: nothing passes that a header can't carry: the SDK would not
//! refuse it but panic. No value is told, only the character at fault.

use aws_credential_types::Credentials;

use super::error::ConnectionError;

/// Refuses credentials that no header can carry.
pub(super) fn signable(credentials: Credentials) -> Result<Credentials, ConnectionError> {
    check("access key ID", credentials.access_key_id())?;
    check("secret access key", credentials.secret_access_key())?;
    credentials.session_token().map_or(Ok(()), |token| check("session token", token))?;
    Ok(credentials)
}

/// Refuses a part of credentials that no request can be signed with.
pub(super) fn check(what: &'static str, value: &str) -> Result<(), ConnectionError> {
    if value.trim().is_empty() {
        return Err(ConnectionError::Unsignable { what, fault: "is blank".into() });
    }
    match value.chars().find(|c| c.is_control() || !c.is_ascii()) {
        Some(odd) => {
            Err(ConnectionError::Unsignable { what, fault: format!("holds the character U+{:04X}", u32::from(odd)) })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_header_can_carry_is_refused() {
        for good in ["AKIAEXAMPLE", "a b", "x/+=", "~"] {
            assert!(check("key", good).is_ok(), "{good}");
        }
        for bad in ["", " ", "\t", "AK\n", "\rAK", "A\0K", "A\u{7f}K", "AKé", "A\u{200b}K", "AK\u{85}"] {
            assert!(check("key", bad).is_err(), "{bad:?}");
        }
    }
}
