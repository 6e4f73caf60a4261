//! Query strings.

use percent_encoding::percent_decode_str;

use super::answer::Refusal;

/// A query string; of a repeated parameter the first counts.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(pub &'a str);

impl Query<'_> {
    pub(super) fn text(self, name: &'static str) -> Result<Option<String>, Refusal> {
        let mut pairs = self.0.split('&').map(|p| p.split_once('=').unwrap_or((p, "")));
        let Some((_, value)) = pairs.find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        match percent_decode_str(value).decode_utf8() {
            Ok(text) => Ok(Some(text.into_owned())),
            Err(_) => Err(Refusal::validation(name, format!("{name} must be UTF-8."))),
        }
    }

    /// A whole number from 1 to `max`.
    pub(super) fn number(self, name: &'static str, max: u64) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|n| (1..=max).contains(n));
        number.map(Some).ok_or_else(|| {
            let message = format!("{name} must be a whole number from 1 to {max}.");
            Refusal::validation(name, message)
        })
    }
}
