//! `--output table`: boxes with a title, a header and rows, for people.
//!
//! No table library draws these: titles span columns that share one width,
//! values that hold others become boxes in the box, and scripts have come to
//! read it.

use std::io::IsTerminal;

use icu_properties::CodePointMapData;
use icu_properties::props::EastAsianWidth;
use serde_json::{Map, Value};

use super::text::{is_scalar, scalar};
use crate::awscli::args::Color;

/// Columns of a terminal that doesn't tell.
const TERMINAL_WIDTH: usize = 80;

/// Spaces and edge around a cell.
const PADDING: usize = 4;

const RESET: &str = "\x1b[0m";
const CELL: &str = "\x1b[1m\x1b[34m";
const EDGE: &str = "\x1b[2m\x1b[33m";

/// The boxes of `value`; nothing for a value that is nothing.
///
/// # Errors
/// The value's rows have no common width.
pub(super) fn of(title: &str, value: &Value, color: Color) -> Result<String, String> {
    let mut table = Table { boxes: Vec::new() };
    if !table.build(Some(title), value, 0)? {
        return Ok(String::new());
    }
    let coloured = match color {
        Color::On => true,
        Color::Off => false,
        Color::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    Ok(table.render(terminal_width(), coloured))
}

fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(TERMINAL_WIDTH)
}

struct Table {
    boxes: Vec<Box>,
}

/// A title, a header, and rows of as many cells.
#[derive(Default)]
struct Box {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The number of boxes it lies in.
    depth: usize,
    /// The widest cell of each column.
    widths: Option<Vec<usize>>,
}

impl Table {
    fn open(&mut self, title: &str, depth: usize) {
        self.boxes.push(Box { title: title.to_owned(), depth, ..Box::default() });
    }

    fn current(&mut self) -> Result<&mut Box, String> {
        self.boxes.last_mut().ok_or_else(|| "a table without a title".to_owned())
    }

    /// Returns true if there was anything to show.
    fn build(&mut self, title: Option<&str>, value: &Value, depth: usize) -> Result<bool, String> {
        if is_nothing(value) {
            return Ok(false);
        }
        if let Some(title) = title {
            self.open(title, depth);
        }
        match value {
            Value::Array(items) if items.first().is_some_and(Value::is_object) => {
                self.build_list(items, title.unwrap_or_default(), depth)?;
            }
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Array(cells) if cells.iter().all(is_scalar) => {
                            self.current()?.add_row(cells.iter().map(scalar).collect())?;
                        }
                        Value::Array(_) => drop(self.build(None, item, 0)?),
                        Value::Object(object) => self.current()?.add_row(object.keys().cloned().collect())?,
                        _ => self.current()?.add_row(vec![scalar(item)])?,
                    }
                }
            }
            Value::Object(object) => self.build_object(object, depth)?,
            _ => {}
        }
        Ok(true)
    }

    fn build_object(&mut self, object: &Map<String, Value>, depth: usize) -> Result<(), String> {
        let (header, others) = keys([object]);
        let cells: Vec<String> = header.iter().map(|key| scalar(&object[*key])).collect();
        match &header[..] {
            [] => {}
            [only] => self.current()?.add_row([(*only).to_owned()].into_iter().chain(cells).collect())?,
            _ => {
                self.current()?.set_header(&header);
                self.current()?.add_row(cells)?;
            }
        }
        for key in others {
            self.build(Some(key), &object[key], depth + 1)?;
        }
        Ok(())
    }

    fn build_list(&mut self, items: &[Value], title: &str, depth: usize) -> Result<(), String> {
        let objects: Option<Vec<&Map<String, Value>>> = items.iter().map(Value::as_object).collect();
        let objects = objects.ok_or("A list of objects and other values makes no table")?;
        let (header, others) = keys(objects.iter().copied());
        self.current()?.set_header(&header);
        for (number, object) in objects.into_iter().enumerate() {
            if number > 0 && !others.is_empty() {
                self.open(title, depth);
                self.current()?.set_header(&header);
            }
            let cell = |key: &&str| object.get(*key).map(scalar).unwrap_or_default();
            self.current()?.add_row(header.iter().map(cell).collect())?;
            for key in &others {
                if let Some(value) = object.get(*key) {
                    self.build(Some(key), value, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn render(mut self, terminal: usize, coloured: bool) -> String {
        let mut width = self.width();
        if width > terminal {
            self.boxes.iter_mut().for_each(Box::stand_up);
            width = self.width();
        }
        let mut page = Page { text: String::new(), coloured };
        page.write(&format!("{}\n", "-".repeat(width)));
        for part in &self.boxes {
            for line in part.lines(width - 2 * part.depth, coloured) {
                page.line(part.depth, &line);
            }
        }
        page.text
    }

    fn width(&self) -> usize {
        self.boxes.iter().map(Box::width).max().unwrap_or_default()
    }
}

/// Returns true for what Python takes for false.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

/// The keys of scalars, and those of the rest; a key can be among both.
fn keys<'a>(objects: impl IntoIterator<Item = &'a Map<String, Value>>) -> (Vec<&'a str>, Vec<&'a str>) {
    let entries = objects.into_iter().flatten();
    let (scalars, others): (Vec<_>, Vec<_>) = entries.partition(|(_, value)| is_scalar(value));
    let sorted = |entries: Vec<(&'a String, &'a Value)>| {
        let mut keys: Vec<&str> = entries.into_iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    (sorted(scalars), sorted(others))
}

impl Box {
    fn set_header(&mut self, header: &[&str]) {
        self.header = header.iter().map(|key| (*key).to_owned()).collect();
        self.widths = Some(self.header.iter().map(|key| columns(key)).collect());
    }

    fn add_row(&mut self, row: Vec<String>) -> Result<(), String> {
        let widths = self.widths.get_or_insert_with(|| vec![0; row.len()]);
        if widths.len() != row.len() {
            return Err(format!("Row should have {} elements, instead it has {}", widths.len(), row.len()));
        }
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = columns(cell).max(*width);
        }
        self.rows.push(row);
        Ok(())
    }

    /// One row under a header becomes a row for each column.
    fn stand_up(&mut self) {
        if self.rows.len() != 1 || self.header.is_empty() {
            return;
        }
        let cells = self.rows.pop().unwrap_or_default();
        let header = std::mem::take(&mut self.header);
        self.rows = header.into_iter().zip(cells).map(|(key, cell)| vec![key, cell]).collect();
        let widest = |column: usize| self.rows.iter().map(|row| columns(&row[column])).max().unwrap_or_default();
        self.widths = Some(vec![widest(0), widest(1)]);
    }

    fn width(&self) -> usize {
        let cells: usize = self.widths.iter().flatten().map(|width| width + PADDING).sum();
        (cells + 2 + 2 * self.depth).max(columns(&self.title) + 2 + 2 * self.depth)
    }

    /// The widths of the columns, stretched to `width` in all.
    fn stretched(&self, width: usize) -> Vec<usize> {
        let natural: Vec<usize> = self.widths.iter().flatten().map(|column| column + PADDING).collect();
        let sum: usize = natural.iter().sum();
        if sum == 0 {
            return natural;
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "widths of a terminal"
        )]
        let scale = |column: usize| ((width as f64 / sum as f64) * column as f64).round_ties_even() as usize;
        let mut widths: Vec<usize> = natural.into_iter().map(scale).collect();
        let columns = widths.len();
        // Rounding may have cost or won a few.
        for turn in 0.. {
            let sum: usize = widths.iter().sum();
            match sum.cmp(&width) {
                std::cmp::Ordering::Equal => break,
                std::cmp::Ordering::Greater => widths[turn % columns] = widths[turn % columns].saturating_sub(1),
                std::cmp::Ordering::Less => widths[columns - 1 - turn % columns] += 1,
            }
        }
        widths
    }

    fn lines(&self, width: usize, coloured: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.title.is_empty() {
            lines.push(centred(&self.title, width, "|"));
            if self.header.is_empty() && self.rows.is_empty() {
                lines.push(format!("+{}+", "-".repeat(width.saturating_sub(2))));
            }
        }
        let widths = self.stretched(width);
        if !self.header.is_empty() {
            lines.push(rule(&widths));
            let cell = |(number, (key, width)): (usize, (&String, &usize))| centred(key, *width, edge(number));
            lines.push(self.header.iter().zip(&widths).enumerate().map(cell).collect());
        }
        if !self.rows.is_empty() && !widths.is_empty() {
            lines.push(rule(&widths));
            for row in &self.rows {
                let cell =
                    |(number, (text, width)): (usize, (&String, &usize))| left(text, *width, edge(number), coloured);
                lines.push(row.iter().zip(&widths).enumerate().map(cell).collect());
            }
            lines.push(rule(&widths));
        }
        lines
    }
}

/// Only the first cell of a row has an edge of its own on the left.
fn edge(number: usize) -> &'static str {
    if number == 0 { "|" } else { "" }
}

fn centred(text: &str, width: usize, edge: &str) -> String {
    let before = (width / 2).saturating_sub(columns(text) / 2 + 1);
    let after = width.saturating_sub(1 + edge.len() + before + columns(text));
    format!("{edge}{}{text}{}|", " ".repeat(before), " ".repeat(after))
}

fn left(text: &str, width: usize, edge: &str, coloured: bool) -> String {
    let before = if columns(text) + 3 + edge.len() <= width { 2 } else { 0 };
    let after = width.saturating_sub(edge.len() + before + columns(text) + 1);
    let shown = if coloured { format!("{CELL}{text}{RESET}") } else { text.to_owned() };
    format!("{edge}{}{shown}{}|", " ".repeat(before), " ".repeat(after))
}

fn rule(widths: &[usize]) -> String {
    let part = |(number, width): (usize, &usize)| match number {
        0 => format!("+{}+", "-".repeat(width.saturating_sub(2))),
        _ => format!("{}+", "-".repeat(width.saturating_sub(1))),
    };
    widths.iter().enumerate().map(part).collect()
}

/// Columns on a terminal, where what may be wide is taken for wide.
fn columns(text: &str) -> usize {
    let widths = CodePointMapData::<EastAsianWidth>::new();
    let wide = [EastAsianWidth::Wide, EastAsianWidth::Fullwidth, EastAsianWidth::Ambiguous];
    text.chars().map(|c| if wide.contains(&widths.get(c)) { 2 } else { 1 }).sum()
}

/// A gatherer of lines. Colours are switched off after each piece that is
/// written, also after those that have none.
struct Page {
    text: String,
    coloured: bool,
}

impl Page {
    fn line(&mut self, depth: usize, line: &str) {
        let edge = if self.coloured { format!("{EDGE}|{RESET}") } else { "|".into() };
        let edges = edge.repeat(depth);
        self.write(&edges);
        self.write(line);
        self.write(&edges);
        self.write("\n");
    }

    fn write(&mut self, piece: &str) {
        self.text.push_str(piece);
        self.text.push_str(if self.coloured { RESET } else { "" });
    }
}
