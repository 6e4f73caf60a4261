//! Values as Python has them: the AWS CLI's messages tell their type and
//! spelling.

use std::fmt;

/// A value of a request, before anybody knows whether it is one that fits.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// `null`.
    None,
    /// `true` and `false`.
    Bool(bool),
    /// A whole number, in decimal.
    Int(String),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// Bytes that `fileb://` read.
    Bytes(Vec<u8>),
    /// A date of YAML, as it was written.
    Date(String),
    /// A list.
    List(Vec<Self>),
    /// Keys and values, in their order.
    Dict(Vec<(Self, Self)>),
}

impl Value {
    /// The name of its type.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::Date(text) if text.len() > 10 => "datetime.datetime",
            Self::Date(_) => "datetime.date",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }

    /// A dictionary's entries.
    pub(super) fn entries(self) -> Result<Vec<(Self, Self)>, Self> {
        match self {
            Self::Dict(entries) => Ok(entries),
            other => Err(other),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::None,
            Json::Bool(flag) => Self::Bool(flag),
            Json::Number(number) if number.is_f64() => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            Json::Number(number) => Self::Int(number.to_string()),
            Json::String(text) => Self::Str(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Json::Object(entries) => {
                Self::Dict(entries.into_iter().map(|(key, value)| (Self::Str(key), value.into())).collect())
            }
        }
    }
}

impl fmt::Display for Value {
    /// As `str()` has it: a text is itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) | Self::Date(text) => f.write_str(text),
            other => repr(other, f),
        }
    }
}

/// As `repr()` has it: a text is in quotes.
fn repr(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::None => f.write_str("None"),
        Value::Bool(true) => f.write_str("True"),
        Value::Bool(false) => f.write_str("False"),
        Value::Int(digits) => f.write_str(digits),
        Value::Float(number) => write!(f, "{number:?}"),
        Value::Str(text) => quoted(text, f),
        Value::Bytes(bytes) => write!(f, "b'{}'", bytes.escape_ascii()),
        Value::Date(text) => write!(f, "datetime({text})"),
        Value::List(items) => {
            f.write_str("[")?;
            for (number, item) in items.iter().enumerate() {
                f.write_str(if number > 0 { ", " } else { "" })?;
                repr(item, f)?;
            }
            f.write_str("]")
        }
        Value::Dict(entries) => {
            f.write_str("{")?;
            for (number, (key, value)) in entries.iter().enumerate() {
                f.write_str(if number > 0 { ", " } else { "" })?;
                repr(key, f)?;
                f.write_str(": ")?;
                repr(value, f)?;
            }
            f.write_str("}")
        }
    }
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    write!(f, "{quote}")?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    write!(f, "{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_spelled_as_python_does() {
        let json = r#"{"a":"it's","b":[1,1.5,2.0,null,true],"c":"say \"it's\"\n","d":"\u0001"}"#;
        let value = Value::from(serde_json::from_str::<serde_json::Value>(json).unwrap());
        let expected = r#"{'a': "it's", 'b': [1, 1.5, 2.0, None, True], 'c': 'say "it\'s"\n', 'd': '\x01'}"#;
        assert_eq!(value.to_string(), expected);
        assert_eq!(Value::Str("it's".into()).to_string(), "it's");
        assert_eq!(Value::Bytes(b"u\n".to_vec()).to_string(), r"b'u\n'");
    }
}
