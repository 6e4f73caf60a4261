//! `--generate-cli-skeleton`: requests to fill in, and a sample answer.

use serde_json::Value;

use crate::awscli::args::Skeleton;
use crate::model::Password;

const JSON: &str = "{\n    \"userId\": \"\",\n    \"clientToken\": \"\"\n}\n";

const YAML: &str = "\
userId: ''  # [REQUIRED] The unique identifier of the user that a temporary password is requested for.
clientToken: '' # A token that ensures idempotency.
";

/// A request to fill in, if that is what was asked for.
pub(super) fn of_request(kind: Option<Skeleton>) -> Option<&'static str> {
    match kind? {
        Skeleton::Input => Some(JSON),
        Skeleton::YamlInput => Some(YAML),
        Skeleton::Output => None,
    }
}

/// An answer about this user to try output and query on.
pub(super) fn sample_answer(user_id: &str) -> Value {
    answer(Some(user_id), &Password::new("temporaryPassword".into()))
}

/// An answer, in the model's order.
pub(super) fn answer(user_id: Option<&str>, password: &Password) -> Value {
    let user_id = user_id.map(|user_id| ("userId", user_id));
    let members = user_id.into_iter().chain([("temporaryPassword", password.expose())]);
    members.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}
