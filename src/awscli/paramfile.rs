//! Values that name a file: `file://PATH`, `fileb://PATH`, and `-` where a
//! whole request is meant.

use std::io::Read;
use std::path::Path;

use super::python::Value;
use super::refusal::Refusal;

/// The value of `parameter`, or what the file that it names holds.
pub(super) fn value(parameter: &str, typed: &str) -> Result<Value, Refusal> {
    if let Some(path) = typed.strip_prefix("file://") {
        return text(parameter, typed, path).map(Value::Str);
    }
    match typed.strip_prefix("fileb://") {
        Some(path) => bytes(parameter, typed, path).map(Value::Bytes),
        None => Ok(Value::Str(typed.to_owned())),
    }
}

/// The whole request that `parameter` gives, names, or has standard input hold.
pub(super) fn document(parameter: &str, typed: &str) -> Result<String, Refusal> {
    if typed == "-" {
        let mut read = String::new();
        let input = std::io::stdin().lock().read_to_string(&mut read);
        return input
            .map(|_| read)
            .map_err(|error| Refusal::parsing(parameter, format!("Unable to read standard input: {error}")));
    }
    match value(parameter, typed)? {
        Value::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| Refusal::parsing(parameter, "not UTF-8")),
        Value::Str(text) => Ok(text),
        _ => Ok(typed.to_owned()),
    }
}

fn text(parameter: &str, typed: &str, path: &str) -> Result<String, Refusal> {
    String::from_utf8(bytes(parameter, typed, path)?).map_err(|_| {
        let path = expanded(path);
        let what = format!(
            "Unable to load paramfile ({path}), text contents could not be decoded.  If this is a binary file, please use the fileb:// prefix instead of the file:// prefix."
        );
        Refusal::parsing(parameter, what)
    })
}

fn bytes(parameter: &str, typed: &str, path: &str) -> Result<Vec<u8>, Refusal> {
    let path = expanded(path);
    std::fs::read(Path::new(&path)).map_err(|error| {
        // Python names the system's error number and its words.
        let told = error.to_string();
        let words = told.split(" (os error").next().unwrap_or_default();
        let number = error.raw_os_error().map(|number| format!("[Errno {number}] ")).unwrap_or_default();
        Refusal::parsing(parameter, format!("Unable to load paramfile {typed}: {number}{words}: '{path}'"))
    })
}

/// With `~` and `$VARIABLES` replaced; those that are not set stay.
fn expanded(path: &str) -> String {
    let home = || std::env::var("HOME").ok().map(|home| home.trim_end_matches('/').to_owned());
    shellexpand::full_with_context_no_errors(path, home, |name| std::env::var(name).ok()).into_owned()
}
