//! `--output text`: values in rows, separated by tabs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The rows of `value`.
pub(super) fn of(value: &Value) -> String {
    let mut rows = String::new();
    write(value, None, None, &mut rows);
    rows
}

/// A scalar as Python's `str()` has it.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// `name` is the key this value lies under; `columns` are those of its sisters.
fn write(value: &Value, name: Option<&str>, columns: Option<&BTreeSet<&str>>, rows: &mut String) {
    match value {
        Value::Object(object) => write_object(object, name, columns, rows),
        Value::Array(items) => write_array(items, name, rows),
        other => row([scalar(other)], rows),
    }
}

fn write_array(items: &[Value], name: Option<&str>, rows: &mut String) {
    if items.iter().any(Value::is_object) {
        let objects = items.iter().filter_map(Value::as_object).flatten();
        let columns = objects.filter(|(_, value)| is_scalar(value)).map(|(key, _)| key.as_str()).collect();
        for item in items {
            write(item, name, Some(&columns), rows);
        }
        return;
    }
    let (scalars, others): (Vec<&Value>, Vec<&Value>) = items.iter().partition(|item| is_scalar(item));
    let scalars = scalars.into_iter().map(scalar);
    match name {
        Some(name) => scalars.for_each(|item| row([name.to_uppercase(), item], rows)),
        None if scalars.len() > 0 => row(scalars, rows),
        None => {}
    }
    for other in others {
        write(other, name, None, rows);
    }
}

fn write_object(object: &Map<String, Value>, name: Option<&str>, columns: Option<&BTreeSet<&str>>, rows: &mut String) {
    let own: BTreeSet<&str> =
        object.iter().filter(|(_, value)| is_scalar(value)).map(|(key, _)| key.as_str()).collect();
    let columns = columns.unwrap_or(&own);
    let cells: Vec<String> = columns.iter().map(|key| object.get(*key).map(scalar).unwrap_or_default()).collect();
    if !cells.is_empty() {
        row(name.map(str::to_uppercase).into_iter().chain(cells), rows);
    }
    let mut others: Vec<_> = object.iter().filter(|(key, _)| !columns.contains(key.as_str())).collect();
    others.sort_by_key(|(key, _)| key.as_str());
    for (key, value) in others {
        write(value, Some(key), None, rows);
    }
}

fn row(cells: impl IntoIterator<Item = String>, rows: &mut String) {
    rows.push_str(&cells.into_iter().collect::<Vec<_>>().join("\t"));
    rows.push('\n');
}
