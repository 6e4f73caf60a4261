//! AWS Signature Version 4, from the server's side.
//!
//! Invariant: a request passes only if its method, path, query, signed headers and body are exactly
//! those its key's owner signed, no more than five minutes ago or ahead. The path counts as it
//! arrived, encoded once more; signatures are compared in constant time. The algorithm is in the
//! "AWS Signature Version 4" section of AWS's IAM user guide.

use hex::FromHex;
use hmac::Mac;
use hyper::HeaderMap;
use hyper::http::request::Parts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest, Sha256};

use super::answer::Refusal;
use super::keys::{Caller, Keyring, Scope};
use super::operations::Call;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const MAX_SKEW_SECONDS: i64 = 300;

/// Everything but RFC 3986's unreserved characters.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// Verifies that a request is signed for this service, and tells by whom.
pub(super) fn verify(call: &Call<'_>, service: &str, keyring: &mut Keyring) -> Result<Caller, Refusal> {
    let Call { head, body, now, time } = *call;
    let authorization = Authorization::from(&head.headers)?;
    let scope = authorization.scope;
    let date = single(&head.headers, "x-amz-date").ok_or_else(|| incomplete("There is no x-amz-date header"))?;
    let session_token = head.headers.get("x-amz-security-token");
    for required in ["host", "x-amz-date", "x-amz-security-token"] {
        let signed = authorization.signed_headers.split(';').any(|h| h == required);
        if !signed && (required != "x-amz-security-token" || session_token.is_some()) {
            return Err(incomplete(&format!("The header {required} is not signed")));
        }
    }
    let token = session_token.map(hyper::header::HeaderValue::as_bytes);
    let (caller, mut signer) = keyring.open(authorization.key_id, token, &scope, now)?;

    if scope.service != service {
        return Err(wrong(&format!("Sign for the service '{service}'")));
    }
    check_time(date, scope.date, time)?;
    let payload_hash = hex::encode(Sha256::digest(body));
    if let Some(claimed) = head.headers.get("x-amz-content-sha256")
        && claimed.as_bytes() != payload_hash.as_bytes()
    {
        return Err(wrong("x-amz-content-sha256 is not this body's: sign what is sent"));
    }
    let canonical = canonical_request(head, authorization.signed_headers, &payload_hash)?;
    let digest = hex::encode(Sha256::digest(&canonical));
    for part in [ALGORITHM, "\n", date, "\n", scope.text, "\n", &digest] {
        signer.update(part.as_bytes());
    }
    signer.verify_slice(&authorization.signature).map_err(|_| {
        wrong(
            "The signature does not match: check the secret access key, and that nothing on the \
             way rewrites the request",
        )
    })?;
    Ok(caller)
}

fn wrong(message: &str) -> Refusal {
    Refusal::forbidden("InvalidSignatureException", format!("{message}."))
}

fn incomplete(message: &str) -> Refusal {
    let message = format!("{message}: sign with AWS Signature Version 4, as any AWS SDK does.");
    Refusal::forbidden("IncompleteSignatureException", message)
}

/// The header's value, if there is exactly one and it is ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The `Authorization` header, taken apart.
struct Authorization<'a> {
    key_id: &'a str,
    scope: Scope<'a>,
    signed_headers: &'a str,
    signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    fn from(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        if !headers.contains_key("authorization") {
            return Err(Refusal::forbidden(
                "MissingAuthenticationTokenException",
                "The request is not signed: sign it with AWS Signature Version 4, as any AWS SDK \
                 does.",
            ));
        }
        let unreadable = || incomplete("The Authorization header can't be read");
        let text = single(headers, "authorization").ok_or_else(unreadable)?;
        Self::parse(text).ok_or_else(unreadable)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let parameters = text.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters.split(',') {
            let (name, value) = parameter.trim().split_once('=')?;
            match name {
                "Credential" => credential = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                "Signature" => signature = Some(<[u8; 32]>::from_hex(value).ok()?),
                _ => return None,
            }
        }
        let (key_id, scope_text) = credential?.split_once('/')?;
        let mut parts = scope_text.split('/');
        let scope = Scope { text: scope_text, date: parts.next()?, region: parts.next()?, service: parts.next()? };
        (parts.next() == Some("aws4_request") && parts.next().is_none()).then_some(())?;
        Some(Authorization { key_id, scope, signed_headers: signed_headers?, signature: signature? })
    }
}

fn check_time(date: &str, scope_date: &str, time: Timestamp) -> Result<(), Refusal> {
    let signed = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .ok()
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok())
        .ok_or_else(|| incomplete("x-amz-date is no time such as 20260131T093000Z"))?;
    if date.get(..8) != Some(scope_date) {
        return Err(wrong("The credential's date is not x-amz-date's"));
    }
    if (signed.as_second() - time.as_second()).abs() > MAX_SKEW_SECONDS {
        let message = format!(
            "The request was signed at {signed} and it is {time}, more than 5 minutes apart: set \
             the clock"
        );
        return Err(wrong(&message));
    }
    Ok(())
}

fn canonical_request(head: &Parts, signed_headers: &str, payload_hash: &str) -> Result<Vec<u8>, Refusal> {
    let mut canonical = Vec::with_capacity(1024);
    let mut line = |parts: &[&[u8]]| {
        for part in parts {
            canonical.extend_from_slice(part);
        }
        canonical.push(b'\n');
    };
    line(&[head.method.as_str().as_bytes()]);
    line(&[canonical_path(head.uri.path()).as_bytes()]);
    line(&[canonical_query(head.uri.query().unwrap_or_default()).as_bytes()]);
    for name in signed_headers.split(';') {
        let values: Vec<_> = head.headers.get_all(name).iter().map(|value| squeeze(value.as_bytes())).collect();
        if values.is_empty() {
            return Err(incomplete(&format!("The signed header '{name}' is not there")));
        }
        line(&[name.as_bytes(), b":", &values.join(&b',')]);
    }
    line(&[]);
    line(&[signed_headers.as_bytes()]);
    canonical.extend_from_slice(payload_hash.as_bytes());
    Ok(canonical)
}

/// Trims a header's value and makes one space of several.
fn squeeze(value: &[u8]) -> Vec<u8> {
    let words: Vec<_> = value.split(|b| *b == b' ').filter(|w| !w.is_empty()).collect();
    words.join(&b' ')
}

/// The path as it arrived (that is, encoded once), dot segments and empty ones taken out, encoded
/// again.
fn canonical_path(raw: &str) -> String {
    let mut segments = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut path = format!("/{}", segments.join("/"));
    let folder = ["/", "/.", "/.."].iter().any(|end| raw.ends_with(end));
    if folder && path.len() > 1 {
        path.push('/');
    }
    percent_encode(path.as_bytes(), PATH).to_string()
}

/// The query's names and values, each decoded and encoded by the book, sorted.
fn canonical_query(raw: &str) -> String {
    let canonical = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, QUERY).to_string()
    };
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (canonical(name), canonical(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
