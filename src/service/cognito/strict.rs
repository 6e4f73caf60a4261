//! A yes that only the API can have given.
//!
//! Invariant: setting a password is answered with nothing but `{}`, so that the
//! SDK takes every empty answer for one, a proxy's as well. One without the
//! service's ID of the request counts only if it is the API's empty object.

use aws_sdk_cognitoidentityprovider::operation::RequestId;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Refuses a yes that anybody could have given.
#[derive(Debug)]
pub(super) struct Strict;

impl Intercept for Strict {
    fn name(&self) -> &'static str {
        "Strict"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let is_yes = answer.status().is_success();
        if !is_yes || answer.request_id().is_some() || answer.body().bytes().is_some_and(is_empty_object) {
            return Ok(());
        }
        Err("the answer is not the API's".into())
    }
}

fn is_empty_object(body: &[u8]) -> bool {
    let inside = body.trim_ascii().strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}
