//! Any request that the SDK's signer signs passes, and no other does.

use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_sdk_finspacedata::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use hyper::Request;
use proptest::prelude::*;

use super::*;

const SERVICE: &str = "cognito-idp";

/// A request to sign, as hostile as HTTP allows.
fn requests() -> impl Strategy<Value = Parts> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PUT")];
    let path = "(/([a-z0-9._~-]|%2F|%25|%20|%C3%A9|\\.|\\.\\.|[!$'()*,:;@+]){0,6}){1,4}";
    let query = "([a-c~]{1,2}=?([0-9a-z~.-]|%2B|%20|%C3%A9){0,4}&?){0,4}";
    (method, path, query, "[ -~]{0,12}").prop_map(|(method, path, query, agent)| {
        let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
        let request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8080");
        request.header("x-note", agent.trim()).body(()).unwrap().into_parts().0
    })
}

/// Signs as the SDK does, with the simulator's key.
fn signed(mut head: Parts, body: &[u8], time: Timestamp) -> Parts {
    let key = super::super::ACCESS_KEY_ID;
    let identity = Credentials::new(key, super::super::SECRET_ACCESS_KEY, None, None, "test").into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region("eu-west-3")
        .name(SERVICE)
        .time(UNIX_EPOCH + Duration::from_secs(u64::try_from(time.as_second()).unwrap()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let uri = format!("http://127.0.0.1:8080{}", head.uri);
    let request =
        SignableRequest::new(head.method.as_str(), uri, headers.into_iter(), SignableBody::Bytes(body)).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    for (name, value) in instructions.headers() {
        head.headers.insert(hyper::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    head
}

fn check(head: &Parts, body: &[u8], time: Timestamp) -> Result<(), &'static str> {
    let call = Call { head, body, now: Instant::now(), time };
    verify(&call, SERVICE, &mut Keyring::new()).map(drop).map_err(|refusal| refusal.code)
}

proptest! {
    #[test]
    fn a_signed_request_passes_and_none_that_was_touched(
        head in requests(), body in proptest::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(),
    ) {
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let head = signed(head, &body, now);
        prop_assert_eq!(check(&head, &body, now), Ok(()), "{:?}", &head);

        let mut longer = body.clone();
        longer.insert(at.index(body.len() + 1), b'x');
        prop_assert!(check(&head, &longer, now).is_err());
        let mut elsewhere = head.clone();
        elsewhere.uri = format!("{}/x?{}", head.uri.path(), head.uri.query().unwrap_or_default()).parse().unwrap();
        prop_assert!(check(&elsewhere, &body, now).is_err());
        let authorization = head.headers["authorization"].to_str().unwrap();
        let mut forged: Vec<u8> = authorization.bytes().collect();
        let at = forged.len() - 1 - at.index(64);
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        let mut changed = head.clone();
        changed.headers.insert("authorization", String::from_utf8(forged).unwrap().parse().unwrap());
        prop_assert_eq!(check(&changed, &body, now), Err("InvalidSignatureException"));
    }

    #[test]
    fn no_authorization_header_makes_it_panic(
        text in prop_oneof![any::<String>(), "AWS4-HMAC-SHA256 [ -~]{0,80}", "AWS4-HMAC-SHA256 Credential=[A-Z/0-9a-z_]{0,40}, ?SignedHeaders=[a-z;-]{0,20}, ?Signature=[0-9a-g]{60,66}"],
        date in prop_oneof!["[0-9]{8}T[0-9]{6}Z", "[ -~]{0,20}"],
    ) {
        let head = Request::builder().uri("/").header("host", "h").header("x-amz-date", date);
        if let Ok(request) = head.header("authorization", text.as_bytes()).body(()) {
            let answered = check(&request.into_parts().0, b"", Timestamp::UNIX_EPOCH);
            prop_assert!(answered.is_err());
        }
    }
}
