//! The users of a directory, and the spellings that mean one of them.
//!
//! Invariant: [`Naming::ways`] is the one order in which a spelling is taken to
//! mean a user, whether users are looked up one by one or read all through, so
//! that both ways come to the same user. Nothing here sends anything.

use std::borrow::Cow;

use futures::future::LocalBoxFuture;

use super::{Failure, ServiceFacts};

/// Users that a request for a page asks for: the most that Cognito gives.
pub(crate) const PAGE: u64 = 60;

/// A name of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// The user name: unique, and the same for as long as the user is there.
    Username,
    /// The ID that the service gave the user.
    Sub,
    /// The e-mail address.
    Email,
    /// The phone number.
    PhoneNumber,
    /// The user name that the user chose.
    PreferredUsername,
}

impl Attribute {
    /// Returns the attribute's name in the API.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Sub => "sub",
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
            Self::PreferredUsername => "preferred_username",
        }
    }
}

/// One user, as a list tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectoryUser {
    /// The user name.
    pub username: String,
    /// The ID that the service gave the user.
    pub sub: String,
    /// The e-mail address, if there is one.
    pub email: String,
    /// True if it is verified.
    pub email_verified: bool,
    /// The phone number, if there is one.
    pub phone_number: String,
    /// True if it is verified.
    pub phone_number_verified: bool,
    /// The chosen user name, if there is one.
    pub preferred_username: String,
    /// `CONFIRMED`, `UNCONFIRMED`, `EXTERNAL_PROVIDER`, and so on.
    pub status: String,
    /// True if the user may sign in.
    pub enabled: bool,
    /// Milliseconds since the epoch.
    pub created_at: Option<i64>,
}

/// Some users, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct DirectoryPage {
    /// The users; there may be none though others follow.
    pub users: Vec<DirectoryUser>,
    /// The page to ask for next; none at the end.
    pub next: Option<String>,
}

/// Users who have a value in an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The attribute.
    pub attribute: Attribute,
    /// The whole value.
    pub value: String,
}

impl Filter {
    /// Returns the filter as the API wants it: `username = "ann"`.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{} = \"{value}\"", self.attribute.name())
    }

    /// Returns true if the service surely takes the value as it is meant: how it reads
    /// what has to be escaped is written down nowhere, and it takes no filter
    /// beyond [`LONGEST_FILTER`].
    #[must_use]
    pub(crate) fn is_plain(&self) -> bool {
        !self.value.contains(['"', '\\']) && self.is_short()
    }

    /// Returns true if the service takes a filter of this length.
    #[must_use]
    pub(crate) fn is_short(&self) -> bool {
        self.text().chars().count() <= LONGEST_FILTER
    }
}

/// The longest filter that the API takes, in characters.
const LONGEST_FILTER: usize = 256;

/// The attributes that name users of a directory beside the user name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    /// True if `Ann` and `ann` are two users.
    pub case_sensitive: bool,
    /// Attributes that stand for the user name, whether verified or not.
    pub in_place: Vec<Attribute>,
    /// Attributes that name a user beside the user name, once they are verified.
    pub beside: Vec<Attribute>,
}

impl Naming {
    /// Returns the attributes that a spelling may be one of, the one that
    /// counts most first.
    #[must_use]
    pub(crate) fn ways(&self, spelling: &str) -> Vec<Attribute> {
        let mut ways = Vec::with_capacity(3);
        // No user name has the form of an attribute that names users.
        if spelling.contains('@') && self.takes(Attribute::Email) {
            ways.push(Attribute::Email);
        }
        if is_phone_number(spelling) && self.takes(Attribute::PhoneNumber) {
            ways.push(Attribute::PhoneNumber);
        }
        ways.push(Attribute::Username);
        if is_sub(spelling) {
            ways.push(Attribute::Sub);
        }
        if self.takes(Attribute::PreferredUsername) {
            ways.push(Attribute::PreferredUsername);
        }
        ways
    }

    fn takes(&self, attribute: Attribute) -> bool {
        self.in_place.contains(&attribute) || self.beside.contains(&attribute)
    }

    /// Returns all that names a user here, each with its attribute.
    pub(crate) fn names<'u>(&self, user: &'u DirectoryUser) -> Vec<(Attribute, &'u str)> {
        let verified = |attribute, verified: bool| {
            self.in_place.contains(&attribute) || verified && self.beside.contains(&attribute)
        };
        let mut names = vec![(Attribute::Username, user.username.as_str()), (Attribute::Sub, user.sub.as_str())];
        if verified(Attribute::Email, user.email_verified) {
            names.push((Attribute::Email, &user.email));
        }
        if verified(Attribute::PhoneNumber, user.phone_number_verified) {
            names.push((Attribute::PhoneNumber, &user.phone_number));
        }
        if verified(Attribute::PreferredUsername, true) {
            names.push((Attribute::PreferredUsername, &user.preferred_username));
        }
        names.retain(|(_, name)| !name.is_empty());
        names
    }

    /// Returns a spelling as spellings are compared here.
    #[must_use]
    pub(crate) fn key<'s>(&self, spelling: &'s str) -> Cow<'s, str> {
        if self.case_sensitive { Cow::Borrowed(spelling) } else { Cow::Owned(folded(spelling)) }
    }

    /// Returns the filters that find the user whom a spelling means, the one
    /// that counts most first.
    #[must_use]
    pub(crate) fn filters(&self, spelling: &str) -> Vec<Filter> {
        let mut filters = Vec::new();
        let key = self.key(spelling);
        for attribute in self.ways(spelling) {
            filters.push(Filter { attribute, value: spelling.to_owned() });
            // Filters heed the case where names don't.
            if key != spelling {
                filters.push(Filter { attribute, value: key.clone().into_owned() });
            }
        }
        filters
    }

    /// Returns true if filters find a user surely, however the user is spelt there.
    #[must_use]
    pub(crate) fn is_sure_to_find(&self, spelling: &str) -> bool {
        let caseless = spelling.to_lowercase() == spelling.to_uppercase();
        (self.case_sensitive || caseless) && self.filters(spelling).iter().all(Filter::is_plain)
    }
}

/// A directory whose users can be read, page by page. One call is one request.
pub(crate) trait Directory {
    /// Returns the facts of the service.
    fn facts(&self) -> ServiceFacts;

    /// Asks for a page of all users, or of those that a filter lets through.
    fn page(
        &self,
        filter: Option<Filter>,
        next: Option<String>,
    ) -> LocalBoxFuture<'static, Result<DirectoryPage, Failure>>;
}

/// Returns a spelling without its case, each letter by itself.
#[must_use]
pub(crate) fn folded(spelling: &str) -> String {
    spelling.chars().flat_map(char::to_lowercase).collect()
}

fn is_phone_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns true if a text has the form of a `sub`, which is a UUID.
fn is_sub(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::Attribute::*;
    use super::*;

    const SUB: &str = "0b7c4a52-9f3e-4c1d-8a3b-5d2f7e6a1c90";

    fn naming(in_place: &[Attribute], beside: &[Attribute]) -> Naming {
        Naming { case_sensitive: true, in_place: in_place.into(), beside: beside.into() }
    }

    #[test]
    fn a_spelling_is_taken_for_what_the_pool_takes() {
        let plain = naming(&[], &[]);
        let mail = naming(&[Email], &[]);
        let all = naming(&[], &[Email, PhoneNumber, PreferredUsername]);
        for (pool, spelling, ways) in [
            (&plain, "ann", vec![Username]),
            (&plain, "ann@example.com", vec![Username]),
            (&plain, "+491701", vec![Username]),
            (&plain, SUB, vec![Username, Sub]),
            (&mail, "ann@example.com", vec![Email, Username]),
            (&mail, SUB, vec![Username, Sub]),
            (&all, "SAML_ann@example.com", vec![Email, Username, PreferredUsername]),
            (&all, "+491701", vec![PhoneNumber, Username, PreferredUsername]),
            (&all, "+49 1701", vec![Username, PreferredUsername]),
            (&all, "ann", vec![Username, PreferredUsername]),
        ] {
            assert_eq!(pool.ways(spelling), ways, "{spelling}");
        }
    }

    #[test]
    fn an_address_beside_the_user_name_counts_once_it_is_verified() {
        let user = DirectoryUser {
            username: "ann".into(),
            sub: SUB.into(),
            email: "ann@example.com".into(),
            phone_number: "+491701".into(),
            phone_number_verified: true,
            ..DirectoryUser::default()
        };
        let beside = naming(&[], &[Email, PhoneNumber, PreferredUsername]);
        assert_eq!(beside.names(&user), [(Username, "ann"), (Sub, SUB), (PhoneNumber, "+491701")]);
        let verified = DirectoryUser { email_verified: true, ..user.clone() };
        assert!(beside.names(&verified).contains(&(Email, "ann@example.com")));
        assert!(naming(&[Email], &[]).names(&user).contains(&(Email, "ann@example.com")));
        assert!(!naming(&[], &[]).names(&verified).contains(&(Email, "ann@example.com")));
    }

    #[test]
    fn a_filter_holds_any_value_and_knows_when_it_may_be_misread() {
        let filter = |value: &str| Filter { attribute: Username, value: value.into() };
        for (value, text, plain) in [
            ("ann", r#"username = "ann""#, true),
            (r#"a" or "b"#, r#"username = "a\" or \"b""#, false),
            (r"a\", r#"username = "a\\""#, false),
            (r#"\""#, r#"username = "\\\"""#, false),
            ("é = ß", r#"username = "é = ß""#, true),
        ] {
            assert_eq!((filter(value).text().as_str(), filter(value).is_plain()), (text, plain), "{value}");
        }
        assert!(filter(&"x".repeat(128)).is_plain());
        assert!(!filter(&"\"".repeat(128)).is_short());
    }

    #[test]
    fn a_pool_that_heeds_no_case_is_asked_for_both_and_is_not_sure() {
        let folding = Naming { case_sensitive: false, ..Naming::default() };
        let values = |spelling| folding.filters(spelling).into_iter().map(|filter| filter.value).collect::<Vec<_>>();
        assert_eq!(values("Ann"), ["Ann", "ann"]);
        assert_eq!(values("ann"), ["ann"]);
        assert!(!folding.is_sure_to_find("ann") && folding.is_sure_to_find("1234"));
        assert!(naming(&[], &[]).is_sure_to_find("Ann") && !naming(&[], &[]).is_sure_to_find("a\"b"));
    }
}
