//! Cells that could be sent as user IDs and look like something else.
//!
//! Invariant: this decides nothing; such an ID is told and sent as it stands.

/// Words that stand in for a value, or at the end of a table.
const WORDS: [&str; 18] = [
    "total",
    "totals",
    "subtotal",
    "sum",
    "count",
    "average",
    "null",
    "none",
    "nil",
    "nan",
    "n/a",
    "na",
    "undefined",
    "true",
    "false",
    "eof",
    "end",
    "unknown",
];

/// Returns true if an ID looks like an error value, a number or date of a
/// spreadsheet, a formula, a comment, a footer, or several cells.
pub(super) fn looks_like_no_id(id: &str) -> bool {
    // FinSpace's own IDs, told at a glance: all bytes at once, without a branch.
    if id.len() == 26 && id.bytes().filter(u8::is_ascii_alphanumeric).count() == 26 {
        return false;
    }
    let word = id.strip_suffix(':').unwrap_or(id);
    id.starts_with(['#', '=', '(', '[', '{', '<', '\'', '`', '*', '+', '@', '/'])
        || id.starts_with("--")
        || id.contains([',', ';', '|', '"', '\\'])
        || id.contains(char::is_whitespace)
        || id.bytes().all(|byte| byte.is_ascii_punctuation())
        || WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
        || is_computed(id)
        || is_date(id)
}

/// A number as a spreadsheet or a data frame rewrites it: `1.23E+25`, `124.0`.
fn is_computed(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        text.split_once('.').map_or_else(|| digits(text), |(whole, part)| digits(whole) && digits(part))
    };
    match id.split_once(['e', 'E']) {
        Some((base, power)) => number(base) && digits(power.strip_prefix(['-', '+']).unwrap_or(power)),
        None => id.contains('.') && number(id) || id.starts_with('-') && number(id),
    }
}

/// A date that a spreadsheet made: `2026-11-25`, `25/11/2026`, `1-Dec`.
fn is_date(id: &str) -> bool {
    let mut parts = id.split(['-', '/', '.']);
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    let short = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let month = |text: &str| {
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(text))
    };
    match parts {
        [Some(day), Some(name), None, None] => short(day) && month(name) || month(day) && short(name),
        [Some(day), Some(name), Some(year), None] => short(day) && short(year) && (short(name) || month(name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_or_a_query_leaves_behind_is_told() {
        for odd in [
            "1.23E+25",
            "1e5",
            "-3",
            "124.0",
            "#N/A",
            "#REF!",
            "# comment",
            "(3 rows affected)",
            "3 rows selected.",
            "Total",
            "TOTAL:",
            "=\"00124\"",
            "NULL",
            "n/a",
            "---",
            "-- end",
            "2026-11-25",
            "25/11/2026",
            "1-Dec",
            "Dec-01",
            "ann;x",
            "Ann Smith",
            "'ann'",
            "*",
            "...",
        ] {
            assert!(looks_like_no_id(odd), "{odd}");
        }
        for fine in [
            "ujzde8gxd6ncf10epf91dhodzd",
            "12345678901234567890e12345",
            "ann",
            "user-0001",
            "user_1",
            "00124",
            "124",
            "a.smith",
            "ann@example.com",
            "a/b",
            "é日🦀",
            "a-1-2",
            "totally",
            "ann+x",
            "d-e",
            "e5",
            "1e",
            "x.y.z",
        ] {
            assert!(!looks_like_no_id(fine), "{fine}");
        }
    }
}
