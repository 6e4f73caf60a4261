//! YAML in and out, as the AWS CLI's library has it: the rules of YAML 1.2 for
//! what a bare word means, and its spelling of lists and maps.
//!
//! Invariant: a text that a reader would take for something else is quoted.

use std::collections::HashMap;
use std::sync::LazyLock;

use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};
use regex_lite::Regex;
use saphyr_parser::{Event as Read, Parser, ScalarStyle as Style, StrInput, Tag};
use serde_json::Value as Json;

use super::python::Value;

/// Values that a document may come to, its aliases written out.
const MOST_VALUES: usize = 10_000;

/// The depth to which values may lie in each other.
const DEEPEST: usize = 100;

/// Returns the value that a bare word stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    Null,
    Bool,
    Int,
    Float,
    Date,
    /// `<<` and `=`, which are not texts either.
    Sign,
    Text,
}

static MEANINGS: LazyLock<Vec<(Meaning, Regex)>> = LazyLock::new(|| {
    let patterns = [
        (Meaning::Null, "~|null|Null|NULL|"),
        (Meaning::Bool, "true|True|TRUE|false|False|FALSE"),
        (Meaning::Int, r"[-+]?(0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*|0x[0-9a-fA-F_]+)"),
        (
            Meaning::Float,
            r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+([eE][-+][0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        ),
        (
            Meaning::Date,
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?",
        ),
        (Meaning::Sign, "<<|="),
    ];
    let compiled = patterns.into_iter().map(|(meaning, pattern)| (meaning, Regex::new(&format!("^(?:{pattern})$"))));
    compiled.filter_map(|(meaning, pattern)| pattern.ok().map(|pattern| (meaning, pattern))).collect()
});

fn meaning(word: &str) -> Meaning {
    let found = MEANINGS.iter().find(|(_, pattern)| pattern.is_match(word));
    found.map_or(Meaning::Text, |(meaning, _)| *meaning)
}

/// A document that can't be taken.
#[derive(Debug)]
pub(super) struct NotYaml;

/// Reads the one document of `text`.
pub(super) fn read(text: &str) -> Result<Value, NotYaml> {
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), values: 0 };
    let mut document = None;
    loop {
        match reader.next()? {
            Read::StreamEnd => return Ok(document.unwrap_or(Value::None)),
            Read::DocumentStart(_) if document.is_some() => return Err(NotYaml),
            Read::DocumentStart(_) => {
                let first = reader.next()?;
                document = Some(reader.value(first, 0)?);
            }
            _ => {}
        }
    }
}

struct Reader<'r> {
    parser: Parser<'r, StrInput<'r>>,
    /// The value of each anchor, and the number of values in it.
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
}

impl<'r> Reader<'r> {
    fn next(&mut self) -> Result<Read<'r>, NotYaml> {
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(_)) | None => Err(NotYaml),
        }
    }

    fn count(&mut self, more: usize) -> Result<(), NotYaml> {
        self.values += more;
        if self.values > MOST_VALUES { Err(NotYaml) } else { Ok(()) }
    }

    fn value(&mut self, event: Read<'r>, depth: usize) -> Result<Value, NotYaml> {
        self.count(1)?;
        if depth > DEEPEST {
            return Err(NotYaml);
        }
        let before = self.values;
        let (anchor, value) = match event {
            Read::Alias(anchor) => {
                let (value, values) = self.anchors.get(&anchor).ok_or(NotYaml)?.clone();
                self.count(values)?;
                return Ok(value);
            }
            Read::Scalar(text, style, anchor, tag) => (anchor, scalar(text.into_owned(), tag.as_deref(), style)?),
            Read::SequenceStart(anchor, tag) => {
                untagged(tag.as_deref(), "seq")?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Read::SequenceEnd => break,
                        item => items.push(self.value(item, depth + 1)?),
                    }
                }
                (anchor, Value::List(items))
            }
            Read::MappingStart(anchor, tag) => {
                untagged(tag.as_deref(), "map")?;
                let mut entries: Vec<(Value, Value)> = Vec::new();
                loop {
                    let key = match self.next()? {
                        Read::MappingEnd => break,
                        key => self.value(key, depth + 1)?,
                    };
                    let value = self.next()?;
                    let value = self.value(value, depth + 1)?;
                    if entries.iter().any(|(known, _)| *known == key) {
                        return Err(NotYaml);
                    }
                    entries.push((key, value));
                }
                (anchor, Value::Dict(entries))
            }
            _ => return Err(NotYaml),
        };
        // Zero is no anchor.
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.values - before));
        }
        Ok(value)
    }
}

/// Makes sure that a list or a map is tagged as nothing else.
fn untagged(tag: Option<&Tag>, kind: &str) -> Result<(), NotYaml> {
    if tag.is_none_or(|tag| tag.is_yaml_core_schema() && tag.suffix == kind) { Ok(()) } else { Err(NotYaml) }
}

fn scalar(text: String, tag: Option<&Tag>, style: Style) -> Result<Value, NotYaml> {
    let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
    let meaning = match tag.as_deref().map(|tag| tag.trim_start_matches("tag:yaml.org,2002:")) {
        None if style == Style::Plain => meaning(&text),
        None | Some("str" | "!") => Meaning::Text,
        Some("int") => Meaning::Int,
        Some("float") => Meaning::Float,
        Some("bool") => Meaning::Bool,
        Some("null") => Meaning::Null,
        Some("timestamp") => Meaning::Date,
        Some(_) => return Err(NotYaml),
    };
    Ok(match meaning {
        Meaning::Null => Value::None,
        Meaning::Bool => Value::Bool(text.eq_ignore_ascii_case("true")),
        Meaning::Int => Value::Int(integer(&text).ok_or(NotYaml)?),
        Meaning::Float => Value::Float(float(&text).ok_or(NotYaml)?),
        Meaning::Date => Value::Date(text),
        Meaning::Sign | Meaning::Text => Value::Str(text),
    })
}

/// A whole number in decimal; one that no machine holds keeps its digits.
fn integer(text: &str) -> Option<String> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let (digits, base) = match digits.get(..2) {
        Some("0b") => (&digits[2..], 2),
        Some("0o") => (&digits[2..], 8),
        Some("0x") => (&digits[2..], 16),
        _ => (digits, 10),
    };
    if base == 10 {
        let digits = digits.trim_start_matches('0');
        return Some(if digits.is_empty() { "0".into() } else { format!("{sign}{digits}") });
    }
    u128::from_str_radix(digits, base).ok().map(|number| format!("{sign}{number}"))
}

fn float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    text.replace(".inf", "inf").replace(".nan", "nan").parse().ok()
}

/// Writes `value` as a document, its keys sorted.
pub(super) fn write(value: &Json) -> Result<String, String> {
    let mut written = Vec::new();
    emit(value, &mut written).map_err(|error| error.to_string())?;
    String::from_utf8(written).map_err(|error| error.to_string())
}

fn emit(value: &Json, written: &mut Vec<u8>) -> libyaml_safer::Result<()> {
    let mut emitter = Emitter::new();
    emitter.set_output_string(written);
    emitter.set_unicode(true);
    emitter.emit(Event::stream_start(Encoding::Utf8))?;
    emitter.emit(Event::document_start(None, &[], true))?;
    node(&mut emitter, value)?;
    emitter.emit(Event::document_end(true))?;
    emitter.emit(Event::stream_end())
}

fn node(emitter: &mut Emitter<'_>, value: &Json) -> libyaml_safer::Result<()> {
    match value {
        Json::Array(items) => {
            emitter.emit(Event::sequence_start(None, None, true, SequenceStyle::Block))?;
            items.iter().try_for_each(|item| node(emitter, item))?;
            emitter.emit(Event::sequence_end())
        }
        Json::Object(entries) => {
            emitter.emit(Event::mapping_start(None, None, true, MappingStyle::Block))?;
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            for (key, value) in entries {
                text(emitter, key)?;
                node(emitter, value)?;
            }
            emitter.emit(Event::mapping_end())
        }
        Json::String(string) => text(emitter, string),
        other => emitter.emit(Event::scalar(None, None, &other.to_string(), true, false, ScalarStyle::Plain)),
    }
}

fn text(emitter: &mut Emitter<'_>, text: &str) -> libyaml_safer::Result<()> {
    let plain = meaning(text) == Meaning::Text;
    emitter.emit(Event::scalar(None, None, text, plain, true, ScalarStyle::Any))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        read(text).map_or_else(|_| "no".into(), |value| format!("{value} {}", value.class()))
    }

    #[test]
    fn words_mean_what_yaml_says() {
        for (yaml, expected) in [
            ("", "None NoneType"),
            ("~", "None NoneType"),
            ("yes", "yes str"),
            ("True", "True bool"),
            ("0x1F", "31 int"),
            ("0o17", "15 int"),
            ("007", "7 int"),
            ("-1_000", "-1000 int"),
            ("1.5e3", "1500.0 float"),
            ("2001-01-01", "2001-01-01 datetime.date"),
            ("'5'", "5 str"),
            ("!!str 5", "5 str"),
            ("{a: [1, b], 2: c}", "{'a': [1, 'b'], 2: 'c'} dict"),
            ("{a: &x 1, b: *x}", "{'a': 1, 'b': 1} dict"),
            ("{a: 1, a: 2}", "no"),
            ("[a", "no"),
            ("*x", "no"),
            ("--- a\n--- b", "no"),
            ("!what 5", "no"),
        ] {
            assert_eq!(told(yaml), expected, "{yaml}");
        }
    }

    #[test]
    fn documents_that_only_wish_to_grow_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(5000)).is_err());
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let value = serde_json::json!({ "b": ["yes", "true", "", "5", "a: b", "é", " x", "#", "l\nm"], "a": 1, "c": {}, "d": [] });
        let text = write(&value).unwrap();
        assert!(text.starts_with("a: 1\nb:\n- yes\n- 'true'\n- ''\n- '5'\n- 'a: b'\n- é\n"), "{text}");
        let read = read(&text).unwrap();
        let Value::Dict(entries) = &read else { panic!("{read}") };
        let sorted: Value = serde_json::json!(["yes", "true", "", "5", "a: b", "é", " x", "#", "l\nm"]).into();
        assert_eq!(entries[1].1, sorted);
    }

    /// Values as answers hold them, texts that look like something else among them.
    fn values() -> impl Strategy<Value = Json> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~]{0,12}",
            "[-+0-9._eExo:TZ ]{0,10}",
            "(~|null|True|no|<<|=|\\.inf|\\.NaN|- a|a: b|#|'|\"|\\||>|&a|\\*a|!t|%|@|`|\\?|--- )[ \t\n]?",
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            text.clone().prop_map(Json::from)
        ];
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value in values()) {
            let written = write(&value).map_err(TestCaseError::fail)?;
            let read = read(&written).map_err(|_| TestCaseError::fail(written.clone()))?;
            prop_assert_eq!(read, Value::from(value), "{}", written);
        }

        #[test]
        fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), "[\\]\\[{}:,&*!|>'\"%@#?\n a0~<-]{0,40}"]) {
            let _ = read(&text);
        }
    }
}
