//! The errors of the Cognito user pools API.
//!
//! Invariant: the code decides, since all but one come with 400. A code is the
//! user's, the run's or the password's, and is sorted here and nowhere else.

use crate::service::Cause;
use crate::service::aws::failure::OwnError;

/// The service's own word for a user that it does not know.
pub(super) const NO_SUCH_USER: &str = "UserNotFoundException";

/// The errors of the API (API reference, 2016-04-18), by the status they come with.
pub(in crate::service) const OWN_ERRORS: &[OwnError] = &[
    (400, NO_SUCH_USER, Cause::NoSuchUser),
    // About this user as it stands now.
    (400, "InvalidParameterException", Cause::Unfit),
    (400, "UnsupportedUserStateException", Cause::Unfit),
    (400, "UserNotConfirmedException", Cause::Unfit),
    (400, "PasswordResetRequiredException", Cause::Unfit),
    (400, "AliasExistsException", Cause::Unfit),
    (400, "UserLambdaValidationException", Cause::Unfit),
    (400, "UnexpectedLambdaException", Cause::Unfit),
    (400, "InvalidLambdaResponseException", Cause::Unfit),
    (400, "ConcurrentModificationException", Cause::Conflict),
    // About the pool or the caller: no other request would fare better.
    (400, "ResourceNotFoundException", Cause::Barred),
    (400, "NotAuthorizedException", Cause::Barred),
    (400, "AccessDeniedException", Cause::Barred),
    (403, "AccessDeniedException", Cause::Barred),
    (400, "OperationNotEnabledException", Cause::Barred),
    (400, "UnsupportedOperationException", Cause::Barred),
    (400, "InvalidUserPoolConfigurationException", Cause::Barred),
    (400, "UserPoolAddOnNotEnabledException", Cause::Barred),
    (400, "FeatureUnavailableInTierException", Cause::Barred),
    (400, "OptInRequired", Cause::Barred),
    (403, "OptInRequired", Cause::Barred),
    // About the password.
    (400, "InvalidPasswordException", Cause::PasswordRefused),
    (400, "PasswordHistoryPolicyViolationException", Cause::PasswordUsed),
    (400, "TooManyRequestsException", Cause::Throttled),
    (400, "LimitExceededException", Cause::Throttled),
    (500, "InternalErrorException", Cause::Server),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::aws::failure::sort;
    use crate::service::{Failure, Proof};

    #[test]
    fn every_answer_is_the_users_the_runs_or_the_passwords() {
        use Cause::*;
        use Proof::{NeverReset, NotThisTime, Nothing};
        for (status, code, cause, proof) in [
            (400, Some("UserNotFoundException"), NoSuchUser, NeverReset),
            (400, Some("InvalidParameterException"), Unfit, NotThisTime),
            (400, Some("UnsupportedUserStateException"), Unfit, NotThisTime),
            (400, Some("ResourceNotFoundException"), Barred, NotThisTime),
            (400, Some("NotAuthorizedException"), Barred, NotThisTime),
            (400, Some("AccessDeniedException"), Barred, NotThisTime),
            (403, Some("AccessDeniedException"), Barred, NotThisTime),
            (400, Some("OperationNotEnabledException"), Barred, NotThisTime),
            (400, Some("UnsupportedOperationException"), Barred, NotThisTime),
            (400, Some("InvalidPasswordException"), PasswordRefused, NotThisTime),
            (400, Some("PasswordHistoryPolicyViolationException"), PasswordUsed, NotThisTime),
            (400, Some("TooManyRequestsException"), Throttled, NotThisTime),
            (400, Some("LimitExceededException"), Throttled, NotThisTime),
            (400, Some("ThrottlingException"), Throttled, NotThisTime),
            (429, None, Throttled, NotThisTime),
            (500, Some("InternalErrorException"), Server, Nothing),
            (503, None, Server, Nothing),
            (400, Some("ExpiredTokenException"), Expired, NotThisTime),
            (400, Some("UnrecognizedClientException"), Credentials, NotThisTime),
            (400, Some("InvalidSignatureException"), Credentials, NotThisTime),
            // Nobody but the service has these codes, and it has others with 400.
            (400, None, Foreign, Nothing),
            (404, Some("UserNotFoundException"), Foreign, Nothing),
            (400, Some("ValidationException"), Foreign, Nothing),
            (403, None, Denied, Nothing),
            (200, None, Unreadable, Nothing),
        ] {
            let (sorted, is_own) = sort(status, code, OWN_ERRORS);
            assert_eq!(sorted, cause, "{status} {code:?}");
            let failure = Failure::without_answer(sorted, "X", String::new());
            let failure = Failure { is_own, status: Some(status), ..failure };
            assert_eq!(failure.proof(), proof, "{status} {code:?}");
        }
    }
}
