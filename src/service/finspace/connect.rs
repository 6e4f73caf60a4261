//! A client of the FinSpace Data API, on a connection.

use aws_credential_types::Credentials;
use aws_sdk_finspacedata as sdk;
use aws_sdk_finspacedata::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use super::Client;
use super::issued::Issued;
use crate::model::Target;
use crate::service::aws::endpoint::{ServiceNames, Variant, by_rules, refuse_isolated_dual_stack};
use crate::service::aws::user_agent::UserAgent;
use crate::service::aws::{Connection, ConnectionError, Options, RefreshingCredentials};

/// FinSpace's names.
const FINSPACE: ServiceNames =
    ServiceNames { id: "finspace_data", variable: "AWS_ENDPOINT_URL_FINSPACE_DATA", endpoint };

/// Works out the target and a client for it.
///
/// # Errors
/// A setting is missing or can't be used.
pub(crate) async fn connect(options: &Options, concurrency: usize) -> Result<(Client, Target), ConnectionError> {
    let connection = Connection::find(options, &FINSPACE, concurrency).await?;
    let connection = match (&options.environment_id, connection.credentials()) {
        (Some(environment_id), Some(chain)) => {
            let issued =
                Issued { client: sdk(&connection), chain: chain.clone(), environment_id: environment_id.clone() };
            connection.signed_by(RefreshingCredentials::new(issued))
        }
        _ => connection,
    };
    let target = connection.target().clone();
    Ok((Client::new(sdk(&connection), connection), target))
}

/// A client for an endpoint on this machine with fixed credentials.
#[must_use]
pub(crate) fn connect_simulated(
    endpoint: &str,
    region: &'static str,
    key: &str,
    secret: &str,
    concurrency: usize,
) -> Client {
    let credentials = Credentials::new(key, secret, None, None, "simulator");
    let connection = Connection::local(endpoint, region, credentials, concurrency);
    Client::new(sdk(&connection), connection)
}

fn sdk(connection: &Connection) -> sdk::Client {
    let builder = sdk::config::Builder::from(&connection.sdk_config()).interceptor(UserAgent);
    let builder = if connection.credentials().is_some() { builder } else { builder.allow_no_auth() };
    sdk::Client::from_conf(builder.build())
}

/// Returns the endpoint of a region by the SDK's own rules.
fn endpoint(region: &str, variant: Variant) -> Result<String, String> {
    refuse_isolated_dual_stack(region, variant)?;
    let parameters =
        Params::builder().region(region.to_owned()).use_fips(variant.fips).use_dual_stack(variant.dual_stack).build();
    let parameters = parameters.map_err(|error| error.to_string())?;
    by_rules(DefaultResolver::new().resolve_endpoint(&parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the AWS CLI 2.9.19 has it.
    #[test]
    fn every_partition_has_its_endpoints() {
        let (fips, dual_stack) = (true, true);
        for (region, variant, expected) in [
            ("us-east-1", Variant::default(), "finspace-api.us-east-1.amazonaws.com"),
            ("us-east-1", Variant { fips, dual_stack: false }, "finspace-api-fips.us-east-1.amazonaws.com"),
            ("us-east-1", Variant { fips: false, dual_stack }, "finspace-api.us-east-1.api.aws"),
            ("us-east-1", Variant { fips, dual_stack }, "finspace-api-fips.us-east-1.api.aws"),
            ("us-west-9", Variant::default(), "finspace-api.us-west-9.amazonaws.com"),
            ("aws-global", Variant::default(), "finspace-api.aws-global.amazonaws.com"),
            ("nowhere", Variant::default(), "finspace-api.nowhere.amazonaws.com"),
            ("cn-north-1", Variant::default(), "finspace-api.cn-north-1.amazonaws.com.cn"),
            ("cn-north", Variant::default(), "finspace-api.cn-north.amazonaws.com"),
            ("cn-north-1", Variant { fips: false, dual_stack }, "finspace-api.cn-north-1.api.amazonwebservices.com.cn"),
            ("us-gov-west-1", Variant { fips, dual_stack: false }, "finspace-api-fips.us-gov-west-1.amazonaws.com"),
            ("us-iso-east-1", Variant::default(), "finspace-api.us-iso-east-1.c2s.ic.gov"),
            ("us-iso-east-1", Variant { fips, dual_stack: false }, "finspace-api-fips.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", Variant::default(), "finspace-api.us-isob-east-1.sc2s.sgov.gov"),
        ] {
            assert_eq!(endpoint(region, variant), Ok(format!("https://{expected}")), "{region} {variant:?}");
        }
        let refused = endpoint("us-iso-east-1", Variant { fips: false, dual_stack });
        assert_eq!(refused.unwrap_err(), "DualStack is enabled but this partition does not support DualStack");
    }
}
