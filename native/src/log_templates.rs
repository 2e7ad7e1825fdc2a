//! Templates of lines: the twin of `policies/compress/log_templates.py`, less the parting of
//! groups, which is in `log_parts`.

use crate::log_groups::{piece, Group, Words, GAP};
use crate::log_hash::Index;
use crate::log_parts::parts;
use crate::log_signs::is_alnum;

/// The values of a gap, a line each.
pub type Column<'a> = Vec<&'a str>;

/// The literals with `GAP` between them, which value fills each gap, and how many values there are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    pub text: String,
    pub slots: Vec<u32>,
    pub loose: bool,
    pub width: usize,
}

impl Template {
    pub fn new(text: String, slots: Vec<u32>, loose: bool) -> Self {
        let width = slots.iter().max().map_or(0, |slot| *slot as usize + 1);
        Template {
            text,
            slots,
            loose,
            width,
        }
    }

    /// Characters of its literals.
    pub fn literal(&self) -> usize {
        self.text.chars().count() - self.slots.len()
    }

    /// How many lines it is of.
    pub fn lines(&self) -> usize {
        self.text.split('\n').count()
    }
}

/// A template, the lines that have it, and the columns of their values.
pub struct Table<'a> {
    pub template: Template,
    pub lines: Vec<u32>,
    pub columns: Vec<Column<'a>>,
}

/// The templates of a group of lines.
pub fn tables<'a>(group: Group, words: &Words<'a>) -> Vec<Table<'a>> {
    let form: Vec<&str> = group
        .form
        .iter()
        .map(|shape| words.shape_text(*shape))
        .collect();
    let text = form.join(" ");
    let mut columns = Vec::new();
    for (place, shape) in form.iter().enumerate() {
        if shape.contains(GAP) {
            pieces(words, &group.lines, place, shape, &mut columns);
        }
    }
    if columns.is_empty() {
        let template = Template::new(text, Vec::new(), false);
        return vec![Table {
            template,
            lines: group.lines,
            columns,
        }];
    }
    let (literals, columns) = divided(text.split(GAP), columns);
    parts(group.lines, columns)
        .into_iter()
        .map(|(lines, columns)| table(&literals, lines, columns))
        .collect()
}

/// The columns of the pieces of words of this shape.
fn pieces<'a>(
    words: &Words<'a>,
    lines: &[u32],
    place: usize,
    shape: &str,
    columns: &mut Vec<Column<'a>>,
) {
    let column = lines
        .iter()
        .map(|line| words.text(words.line(*line)[place]));
    if shape.len() == 1 {
        columns.push(column.collect());
        return;
    }
    let first = columns.len();
    columns.resize_with(first + shape.matches(GAP).count(), || {
        Vec::with_capacity(lines.len())
    });
    for word in column {
        let mut at = 0;
        for found in &mut columns[first..] {
            if let Some((start, end)) = piece(word, at) {
                found.push(&word[start..end]);
                at = end;
            }
        }
    }
}

/// Columns whose values all are so many parts between underscores, part by part.
fn divided<'a, 'b>(
    mut literals: impl Iterator<Item = &'b str>,
    columns: Vec<Column<'a>>,
) -> (Vec<&'b str>, Vec<Column<'a>>) {
    let mut texts: Vec<&str> = literals.next().into_iter().collect();
    let mut found = Vec::with_capacity(columns.len());
    let parts = |value: &str| value.bytes().filter(|byte| *byte == b'_').count() + 1;
    for (column, after) in columns.into_iter().zip(literals) {
        let size = parts(column[0]);
        if size == 1 || column.iter().any(|value| parts(value) != size) {
            found.push(column);
        } else {
            let start = found.len();
            found.resize_with(start + size, || Vec::with_capacity(column.len()));
            for value in column {
                for (part, text) in value.split('_').enumerate() {
                    found[start + part].push(text);
                }
            }
            texts.resize(texts.len() + size - 1, "_");
        }
        texts.push(after);
    }
    (texts, found)
}

/// Columns of one value become text; common affixes too; equal columns become one.
fn table<'a>(literals: &[&str], lines: Vec<u32>, columns: Vec<Column<'a>>) -> Table<'a> {
    let mut text = String::from(literals[0]);
    let mut slots = Vec::new();
    let mut kept: Vec<Column<'a>> = Vec::new();
    let mut index = Index::new();
    for (mut column, after) in columns.into_iter().zip(&literals[1..]) {
        if column.iter().all(|value| *value == column[0]) {
            text.push_str(column[0]);
        } else {
            let (head, tail) = affixes(&mut column);
            text.push_str(head);
            text.push(GAP);
            text.push_str(tail);
            let slot = index.number(&column, |known| kept[known] == column);
            if slot == kept.len() {
                kept.push(column);
            }
            slots.push(slot as u32);
        }
        text.push_str(after);
    }
    Table {
        template: Template::new(text, slots, false),
        lines,
        columns: kept,
    }
}

/// What all values start with and what they end with, which is taken off them.
fn affixes<'a>(column: &mut Column<'a>) -> (&'a str, &'a str) {
    if column[0].chars().all(is_alnum) {
        return ("", ""); // neither has punctuation in all
    }
    let head = head(column);
    for value in column.iter_mut() {
        *value = &value[head.len()..];
    }
    let tail = tail(column);
    for value in column.iter_mut() {
        *value = &value[..value.len() - tail.len()];
    }
    (head, tail)
}

/// As much of what all start with as ends with punctuation: words, numbers and addresses are
/// not cut.
fn head<'a>(column: &[&'a str]) -> &'a str {
    let first = column[0];
    let mut end = column.iter().fold(first.len(), |size, value| {
        let same = first
            .bytes()
            .take(size)
            .zip(value.bytes())
            .take_while(|(a, b)| a == b);
        same.count()
    });
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    let digit = |text: &str, at: usize| text.as_bytes().get(at).map_or(false, u8::is_ascii_digit);
    while let Some(last) = first[..end].chars().next_back() {
        let start = end - last.len_utf8();
        let number = last == '.'
            && start > 0
            && digit(first, start - 1)
            && column.iter().any(|value| digit(value, end));
        if !is_alnum(last) && !number {
            break;
        }
        end = start;
    }
    &first[..end]
}

/// As much of what all end with as starts with punctuation.
fn tail<'a>(column: &[&'a str]) -> &'a str {
    let first = column[0];
    let mut size = column.iter().fold(first.len(), |size, value| {
        let both = first.bytes().rev().take(size).zip(value.bytes().rev());
        both.take_while(|(a, b)| a == b).count()
    });
    while !first.is_char_boundary(first.len() - size) {
        size -= 1;
    }
    let digit = |text: &str, back: usize| {
        let place = text.len().checked_sub(back);
        place.map_or(false, |at| text.as_bytes()[at].is_ascii_digit())
    };
    while let Some(next) = first[first.len() - size..].chars().next() {
        let left = size - next.len_utf8();
        let number = next == '.'
            && left > 0
            && digit(first, left)
            && column.iter().any(|value| digit(value, size + 1));
        if !is_alnum(next) && !number {
            break;
        }
        size = left;
    }
    &first[first.len() - size..]
}
