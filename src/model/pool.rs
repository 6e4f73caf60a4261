//! The ID of an Amazon Cognito user pool.
//!
//! Invariant: an ID has the form `REGION_ID`, so that it names its region.

use std::fmt;
use std::str::FromStr;

/// The longest ID that the API takes.
const LONGEST: usize = 55;

/// The ID of a user pool, which names the pool's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserPoolId(String);

impl UserPoolId {
    /// Returns the ID as text.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the region that the pool lies in.
    #[must_use]
    pub(crate) fn region(&self) -> &str {
        self.0.split_once('_').map_or("", |(region, _)| region)
    }

    /// Returns the region for a connection, where another one may have been
    /// typed: the same one may be named as one that asks for FIPS, like
    /// `fips-us-east-1`.
    ///
    /// # Errors
    /// The one that was typed is another region.
    pub(crate) fn region_beside(&self, typed: Option<&str>) -> Result<String, ()> {
        match typed.filter(|typed| !typed.is_empty()) {
            None => Ok(self.region().to_owned()),
            Some(typed) if typed.replace("fips-", "").replace("-fips", "") == self.region() => Ok(typed.to_owned()),
            Some(_) => Err(()),
        }
    }
}

impl FromStr for UserPoolId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let region = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_one = text.split_once('_').is_some_and(|(before, after)| {
            let both = !before.is_empty() && !after.is_empty();
            both && before.chars().all(region) && after.chars().all(|c| c.is_ascii_alphanumeric())
        });
        if is_one && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err("a user pool's ID is its region, an underscore, and letters and digits, like us-east-1_a1B2c3D4e"
                .into())
        }
    }
}

impl fmt::Display for UserPoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_region() {
        let pool: UserPoolId = "eu-central-1_Ab12Cd34E".parse().unwrap();
        assert_eq!((pool.region(), pool.as_str()), ("eu-central-1", "eu-central-1_Ab12Cd34E"));
        for wrong in ["", "_", "us-east-1", "us-east-1_", "_abc", "us-east-1_a_b", "us east_1", "us-east-1_a b", "é_a"]
        {
            assert!(wrong.parse::<UserPoolId>().is_err(), "{wrong:?}");
        }
        assert!(format!("us-east-1_{}", "x".repeat(50)).parse::<UserPoolId>().is_err());
    }

    #[test]
    fn a_region_beside_it_is_the_same_one() {
        let pool: UserPoolId = "us-east-1_abc".parse().unwrap();
        for (typed, region) in [
            (None, Ok("us-east-1")),
            (Some(""), Ok("us-east-1")),
            (Some("us-east-1"), Ok("us-east-1")),
            (Some("fips-us-east-1"), Ok("fips-us-east-1")),
            (Some("us-east-1-fips"), Ok("us-east-1-fips")),
            (Some("us-east-2"), Err(())),
            (Some("US-EAST-1"), Err(())),
        ] {
            assert_eq!(pool.region_beside(typed), region.map(str::to_owned), "{typed:?}");
        }
    }
}
