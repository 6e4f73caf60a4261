//! The caller's name to the service: the `User-Agent` header, and no more.
//!
//! The SDK puts its own together anew for each request, at a tenth of all that
//! a request costs. This one is always the same, and names this program in the
//! service's audit trail. The SDK's headers about attempts stay out too: they
//! would call each of this program's retries the first of one attempt, under an
//! ID of its own, where the client token tells what belongs together.

use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, disable_interceptor};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

const USER_AGENT: &str = concat!("finspace-reset/", env!("CARGO_PKG_VERSION"), " aws-sdk-rust");

/// Sends the header in place of all of the SDK's.
#[derive(Debug)]
pub(crate) struct UserAgent;

impl Intercept for UserAgent {
    fn name(&self) -> &'static str {
        "UserAgent"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<UserAgentInterceptor>("one header for all requests"));
        state.store_put(disable_interceptor::<InvocationIdInterceptor>("the client token names the request"));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>("the SDK does not count our attempts"));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", USER_AGENT);
        Ok(())
    }
}
