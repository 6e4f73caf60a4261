//! Tokens of lists that come in pages.

/// Returns the token of the page that begins at this place.
pub(super) fn page_token(at: usize) -> String {
    format!("from-{at}")
}

/// Returns the beginning of the page that a token stands for.
pub(super) fn page_start(token: &str) -> Option<usize> {
    token.strip_prefix("from-")?.parse().ok()
}
