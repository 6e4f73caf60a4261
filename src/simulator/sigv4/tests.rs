//! Verification against a request that the AWS SDK signed, whole and with each part touched.

use std::time::{Duration, Instant};

use aws_sdk_finspacedata::config::{BehaviorVersion, Credentials, Region};
use hyper::Request;
use hyper::header::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A reset of the user `a/b %é` as the SDK puts it on the wire.
async fn signed_by_the_sdk() -> (Parts, Vec<u8>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = aws_sdk_finspacedata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
        .region(Region::new("eu-west-3"))
        .credentials_provider(Credentials::new(
            super::super::ACCESS_KEY_ID,
            super::super::SECRET_ACCESS_KEY,
            None,
            None,
            "test",
        ))
        .build();
    let client = aws_sdk_finspacedata::Client::from_conf(config);
    #[expect(deprecated, reason = "the service has ended; the operation is what is simulated")]
    let call = client.reset_user_password().user_id("a/b %é").client_token("t");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut wire = Vec::new();
        while !wire.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut wire).await.unwrap(), 0);
        }
        let answer = b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        String::from_utf8(wire).unwrap()
    };
    let (_, wire) = tokio::join!(call.send(), server);
    parse(&wire)
}

fn parse(wire: &str) -> (Parts, Vec<u8>) {
    let (head, body) = wire.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    (request.body(()).unwrap().into_parts().0, body.as_bytes().to_vec())
}

fn check(head: &Parts, body: &[u8], time: Timestamp) -> Result<(), &'static str> {
    let call = Call { head, body, now: Instant::now(), time };
    let verified = verify(&call, "finspace-api", &mut Keyring::new());
    verified.map(|caller| assert!(caller.superuser)).map_err(|refusal| refusal.code)
}

#[tokio::test]
async fn what_the_sdk_signed_passes_and_any_change_does_not() {
    let (head, body) = signed_by_the_sdk().await;
    let now = Timestamp::now();
    assert_eq!(head.uri.path(), "/user/a%2Fb%20%25%C3%A9/password");
    assert_eq!(check(&head, &body, now), Ok(()));

    let wrong = Err("InvalidSignatureException");
    assert_eq!(check(&head, b"{}", now), wrong);
    for uri in ["/user/a%2Fb%20%25%C3%AA/password", "/user/a%2Fb%20%25%C3%A9/password?x=1"] {
        let mut changed = head.clone();
        changed.uri = uri.parse().unwrap();
        assert_eq!(check(&changed, &body, now), wrong, "{uri}");
    }
    let mut changed = head.clone();
    changed.method = hyper::Method::PUT;
    assert_eq!(check(&changed, &body, now), wrong);
    let with = |name: &'static str, value: &str| {
        let mut changed = head.clone();
        changed.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        check(&changed, &body, now)
    };
    assert_eq!(with("host", "127.0.0.1:1"), wrong);
    assert_eq!(with("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), wrong);
    assert_eq!(with("x-amz-content-sha256", &hex::encode(Sha256::digest(&body))), Ok(()));
    assert_eq!(with("x-amz-security-token", "t"), Err("IncompleteSignatureException"));
    assert_eq!(with("authorization", "Basic eDp5"), Err("IncompleteSignatureException"));
    let authorization = head.headers["authorization"].to_str().unwrap();
    let unsigned_host = authorization.replace(";host;", ";");
    assert_ne!(authorization, unsigned_host);
    assert_eq!(with("authorization", &unsigned_host), Err("IncompleteSignatureException"));
    let stranger = authorization.replace("AKIASIM", "AKIAMIS");
    assert_eq!(with("authorization", &stranger), Err("UnrecognizedClientException"));
    let elsewhere = authorization.replace("/eu-west-3/", "/eu-west-4/");
    assert_eq!(with("authorization", &elsewhere), wrong);
    let service = authorization.replace("/finspace-api/", "/finspace/");
    assert_eq!(with("authorization", &service), wrong);
    let mut unsigned = head.clone();
    unsigned.headers.remove("authorization");
    assert_eq!(check(&unsigned, &body, now), Err("MissingAuthenticationTokenException"));
}

#[tokio::test]
async fn the_clocks_may_differ_by_five_minutes() {
    let (head, body) = signed_by_the_sdk().await;
    let date = head.headers["x-amz-date"].to_str().unwrap();
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap();
    let signed = TimeZone::UTC.to_timestamp(civil).unwrap();
    let (within, beyond) = (Duration::from_mins(5), Duration::from_secs(301));
    assert_eq!(check(&head, &body, signed + within), Ok(()));
    assert_eq!(check(&head, &body, signed - within), Ok(()));
    assert_eq!(check(&head, &body, signed + beyond), Err("InvalidSignatureException"));
    assert_eq!(check(&head, &body, signed - beyond), Err("InvalidSignatureException"));
}

#[test]
fn hostile_authorization_headers_are_refused_and_nothing_panics() {
    let long = "a".repeat(100_000);
    let whole = "AWS4-HMAC-SHA256 Credential=A/1/r/s/aws4_request, SignedHeaders=a, Signature=";
    let shapes = ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ", ",,,", "AWS4-HMAC-SHA256 =,=", &long];
    for text in shapes.into_iter().chain([whole]) {
        assert!(Authorization::parse(text).is_none());
    }
    let signed = |signature: &str| Authorization::parse(&format!("{whole}{signature}")).is_some();
    assert!(signed(&"0f".repeat(32)));
    assert!(!signed(&"0g".repeat(32)));
    assert!(!signed(&"é".repeat(32)));
    assert!(!signed(&"+1".repeat(32)));
}

#[test]
fn paths_and_queries_are_made_canonical() {
    assert_eq!(canonical_path("/user/a%2Fb/password"), "/user/a%252Fb/password");
    assert_eq!(canonical_path("//a/./b/../c~"), "/a/c~");
    assert_eq!(canonical_path("/a/"), "/a/");
    assert_eq!(canonical_path("/a/."), "/a/");
    assert_eq!(canonical_path("/"), "/");
    assert_eq!(canonical_query("b=2&a=%7e&&a&a=1%2B"), "a=&a=1%2B&a=~&b=2");
}
