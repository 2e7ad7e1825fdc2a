//! What the strings of a column share: the twin of `json_patterns.py`.

use std::borrow::Cow;

use crate::border::Unfit;
use crate::json_affixes::affixes;
use crate::json_document::Name;
use crate::json_find::find;
use crate::json_words::escapes;
use crate::json_writer::length;

const SHORTEST: usize = 3;
const LONG: usize = 12;
const WORTH: usize = 16;
const WHOLE: usize = 16;
const ROWS: usize = 3;
const TRIED: usize = 3;
const WIDEST: usize = 64;

type Texts<'a> = Vec<Cow<'a, str>>;

/// Columns that later ones may refer to, by name.
pub type Earlier<'a> = Vec<(&'a str, Texts<'a>)>;

pub struct Pattern<'a> {
    pub text: String,
    /// What `*` stands for in each row; `None` when there is none.
    pub pieces: Option<Texts<'a>>,
}

type Found<'a> = Result<Option<Pattern<'a>>, Unfit>;

/// The pattern that spares most of the column's text.
pub fn pattern<'a>(column: &[Cow<'a, str>], earlier: &Earlier<'a>) -> Found<'a> {
    if length(&column[0]) * (column.len() - 1) < LONG || lines(column) {
        return Ok(None);
    }
    let found = match referring(column, earlier)? {
        None => shared(column)?,
        found => found,
    };
    Ok(found.filter(|found| !escapes(&found.text)))
}

/// What all begin and end with.
pub fn shared<'a>(column: &[Cow<'a, str>]) -> Found<'a> {
    if column.len() < ROWS || column.iter().any(|text| length(text) < WHOLE) || lines(column) {
        return Ok(None);
    }
    let (head, tail) = affixes(column)?;
    let (before, after) = sides(&column[0], head, tail);
    if (length(before) + length(after)) * column.len() < WORTH || signs(before) || signs(after) {
        return Ok(None);
    }
    Ok(Some(Pattern {
        text: format!("{}*{}", before, after),
        pieces: Some(between(column, head, tail)),
    }))
}

fn lines(column: &[Cow<str>]) -> bool {
    // A line end is an escape, so that no text of the document has one.
    column
        .iter()
        .any(|text| matches!(text, Cow::Owned(text) if text.contains('\n')))
}

fn signs(text: &str) -> bool {
    text.bytes()
        .any(|byte| matches!(byte, b'*' | b'<' | b'>' | b'"' | b'\\'))
}

fn sides(text: &str, head: usize, tail: usize) -> (&str, &str) {
    (&text[..head], &text[text.len() - tail..])
}

fn between<'a>(column: &[Cow<'a, str>], head: usize, tail: usize) -> Texts<'a> {
    column
        .iter()
        .map(|text| part(text, head, text.len() - tail))
        .collect()
}

fn part<'a>(text: &Cow<'a, str>, from: usize, to: usize) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[from..to]),
        Cow::Owned(text) => Cow::Owned(text[from..to].to_owned()),
    }
}

fn referring<'a>(column: &[Cow<'a, str>], earlier: &Earlier<'a>) -> Found<'a> {
    let (first, last) = (&column[0], &column[column.len() - 1]);
    let within = |text: &str, whole: &str| text.is_empty() || find(whole, text, 0).is_some();
    let mut fits = Vec::new();
    for (key, values) in earlier {
        let size = length(&values[0]);
        if size >= SHORTEST && within(&values[0], first) && within(&values[values.len() - 1], last)
        {
            fits.push((size, *key, values));
        }
    }
    fits.sort_by(|one, other| (other.0, other.1).cmp(&(one.0, one.1)));
    for (_, key, values) in fits.into_iter().take(TRIED) {
        if let Some(found) = around(column, key, values, earlier)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `head<key>rest` or `rest<key>tail`, where the rest may differ from row to row.
fn around<'a>(
    column: &[Cow<'a, str>],
    key: &str,
    values: &[Cow<'a, str>],
    earlier: &Earlier<'a>,
) -> Found<'a> {
    let (head, tail) = match column[0].split_once(values[0].as_ref()) {
        Some(sides) => sides,
        None => return Ok(None),
    };
    if signs(head) || signs(tail) {
        return Ok(None);
    }
    let behind = |text: &Cow<'a, str>, value: &str| {
        let rest = text.strip_prefix(head)?.strip_prefix(value)?;
        Some(part(text, text.len() - rest.len(), text.len()))
    };
    let before = |text: &Cow<'a, str>, value: &str| {
        let rest = text.strip_suffix(tail)?.strip_suffix(value)?;
        Some(part(text, 0, rest.len()))
    };
    let pairs = || column.iter().zip(values);
    if let Some(rests) = pairs().map(|(text, value)| behind(text, value)).collect() {
        let found = rest(rests, earlier)?;
        return Ok(found.map(|rest| Pattern {
            text: format!("{}<{}>{}", head, key, rest.text),
            pieces: rest.pieces,
        }));
    }
    if let Some(rests) = pairs().map(|(text, value)| before(text, value)).collect() {
        let found = rest(rests, earlier)?;
        return Ok(found.map(|rest| Pattern {
            text: format!("{}<{}>{}", rest.text, key, tail),
            pieces: rest.pieces,
        }));
    }
    Ok(None)
}

/// What stands beside a reference: one text, another reference, or a piece per row.
fn rest<'a>(rests: Texts<'a>, earlier: &Earlier<'a>) -> Found<'a> {
    let (head, tail) = affixes(&rests)?;
    let (before, after) = sides(&rests[0], head, tail);
    if signs(before) || signs(after) {
        return Ok(None);
    }
    if rests.iter().all(|rest| *rest == rests[0]) {
        let text = rests[0].clone().into_owned();
        return Ok(Some(Pattern { text, pieces: None }).filter(|found| !signs(&found.text)));
    }
    let pieces = between(&rests, head, tail);
    for (key, values) in earlier {
        if *values == pieces {
            return Ok(Some(Pattern {
                text: format!("{}<{}>{}", before, key, after),
                pieces: None,
            }));
        }
    }
    Ok(Some(Pattern {
        text: format!("{}*{}", before, after),
        pieces: Some(pieces),
    }))
}

/// Let later columns refer to this one, if its name can stand between `<` and `>`.
pub fn remember<'a>(earlier: &mut Earlier<'a>, name: Name<'a>, texts: impl FnOnce() -> Texts<'a>) {
    if earlier.len() < WIDEST && name.word.len() < name.string.len() {
        earlier.push((name.word, texts()));
    }
}
