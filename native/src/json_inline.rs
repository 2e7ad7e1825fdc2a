//! Reading what stands on one line of the compact notation: the twin of `json_inline.py`.

use crate::json_exact::Stop;
use crate::json_words::{bare_end, key_end, number_end, quoted_end, word_end, ABSENT};

/// JSON text that is being made.
pub type Made = Vec<u8>;

/// Put a line as JSON text. Gives the head of the table that it ends with: `[2]{id name}`.
pub fn line<'a>(text: &'a str, made: &mut Made) -> Result<Option<&'a str>, Stop> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let key = key_end(bytes, at);
        let end = if key > at {
            key
        } else {
            quoted_end(bytes, at).unwrap_or(at)
        };
        let named = end > at && bytes.get(end) == Some(&b':');
        let from = if named { end + 1 } else { at };
        let value = value_end(bytes, from);
        let table = value.is_none() && begins_table(&bytes[from..]);
        let opens = matches!(bytes.get(from), Some(b'[' | b'{'));
        if named && (value.is_some() || opens) {
            name(&text[at..end], made);
        }
        at = match value {
            Some(value) => {
                literal(&text[from..value], made)?;
                value
            }
            None if table => return Ok(Some(&text[from..])),
            None if named && opens => from,
            // From within the name of a value that is missing, the same is found.
            None => signs(
                bytes,
                at,
                if named && key > at { key } else { at + 1 },
                made,
            ),
        };
    }
    Ok(None)
}

/// Put what is between words. Characters stay whole.
fn signs(bytes: &[u8], from: usize, mut to: usize, made: &mut Made) -> usize {
    while matches!(bytes.get(to), Some(0x80..=0xbf)) {
        to += 1;
    }
    made.extend(
        bytes[from..to]
            .iter()
            .map(|sign| if *sign == b' ' { b',' } else { *sign }),
    );
    to
}

/// Put a member's name and the colon behind it.
pub fn name(word: &str, made: &mut Made) {
    if word.starts_with('"') {
        made.extend_from_slice(word.as_bytes());
    } else {
        string(word, made);
    }
    made.push(b':');
}

fn string(text: &str, made: &mut Made) {
    made.push(b'"');
    made.extend_from_slice(text.as_bytes());
    made.push(b'"');
}

/// Put a word, or what else stands on one line.
pub fn literal(word: &str, made: &mut Made) -> Result<(), Stop> {
    let bytes = word.as_bytes();
    let as_it_is = match bytes.first() {
        None => return Err(Stop::Refused),
        Some(b'[') => return array(word, made),
        Some(b'{') => return structure(word, made),
        Some(b'"') => true,
        Some(b'-') if word == ABSENT => return Err(Stop::Refused),
        Some(b'-' | b'0'..=b'9') => {
            matches!(number_end(bytes, 0), Some((end, _)) if end == bytes.len())
        }
        Some(b't' | b'f' | b'n') => matches!(word, "true" | "false" | "null"),
        _ => false,
    };
    if as_it_is {
        made.extend_from_slice(bytes);
    } else {
        string(word, made);
    }
    Ok(())
}

/// Put an array of words, or what else stands in brackets.
fn array(text: &str, made: &mut Made) -> Result<(), Stop> {
    let mut inner = text[1..].chars();
    inner.next_back();
    let inner = inner.as_str();
    let words: Vec<&str> = if inner.is_empty() {
        Vec::new()
    } else if !nests(inner) {
        inner.split(' ').collect()
    } else if let Some(words) = spaced(inner, word_end, 4) {
        words
    } else {
        return structure(text, made);
    };
    made.push(b'[');
    for (place, word) in words.into_iter().enumerate() {
        if place > 0 {
            made.push(b',');
        }
        literal(word, made)?;
    }
    made.push(b']');
    Ok(())
}

fn structure(text: &str, made: &mut Made) -> Result<(), Stop> {
    match line(text, made)? {
        None => Ok(()),
        Some(_) => Err(Stop::Refused), // a table within a line
    }
}

/// Where a word or an array of words ends.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = bare_end(bytes, at);
    match bytes.get(at) {
        _ if end > at => Some(end),
        Some(b'"') => quoted_end(bytes, at),
        Some(b'[') => flat_end(bytes, at),
        _ => None,
    }
}

/// Where an array of words ends, if no head of a table does there.
fn flat_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        let end = word_end(bytes, at)?;
        match bytes.get(end)? {
            b' ' => at = end + 1,
            b']' if !matches!(bytes.get(end + 1), Some(b'[' | b'{')) => return Some(end + 1),
            _ => return None,
        }
    }
}

/// Whether the head of a table begins: `[2]{` or `[2][`.
fn begins_table(bytes: &[u8]) -> bool {
    let digits = bytes
        .iter()
        .skip(1)
        .take_while(|digit| digit.is_ascii_digit())
        .count();
    (1..=9).contains(&digits)
        && bytes[0] == b'['
        && matches!(bytes[digits + 1..], [b']', b'[' | b'{', ..])
}

fn nests(text: &str) -> bool {
    text.bytes().any(|sign| matches!(sign, b'"' | b'[' | b'{'))
}

/// The parts that end so, if a space stands between each and the next and nothing else.
fn spaced(
    text: &str,
    end: impl Fn(&[u8], usize) -> Option<usize>,
    size: usize,
) -> Option<Vec<&str>> {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(size);
    let mut at = 0;
    loop {
        let to = end(bytes, at)?;
        found.push(&text[at..to]);
        match bytes.get(to) {
            None => return Some(found),
            Some(b' ') => at = to + 1,
            Some(_) => return None,
        }
    }
}

/// The cells of a row, about so many.
pub fn cells(row: &str, size: usize) -> Vec<&str> {
    spaced(row, value_end, size).unwrap_or_else(|| parted(row, b' '))
}

/// The rows in a cell: `[1 a,2 b]`.
pub fn rows_of(cell: &str) -> Result<Vec<&str>, Stop> {
    if cell == "[]" {
        return Ok(Vec::new());
    }
    let inner = cell
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'));
    Ok(parted(inner.ok_or(Stop::Refused)?, b','))
}

/// The parts between signs that stand in no string or bracket.
fn parted(text: &str, sign: u8) -> Vec<&str> {
    if !nests(text) {
        return text.split(char::from(sign)).collect();
    }
    let mut parts = Vec::new();
    let (mut depth, mut begun, mut at) = (0, 0, 0);
    while let Some((here, end)) = next_sign(text.as_bytes(), at) {
        at = end;
        match here {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ if here == sign && depth == 0 => {
                parts.push(&text[begun..end - 1]);
                begun = end;
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    parts
}

/// The place behind the bracket that closes the one at a place; the end where none does.
pub fn behind(text: &str, mut at: usize) -> usize {
    let mut depth = 0;
    while let Some((here, end)) = next_sign(text.as_bytes(), at) {
        at = end;
        depth += i64::from(matches!(here, b'[' | b'{')) - i64::from(matches!(here, b']' | b'}'));
        if depth == 0 {
            return end;
        }
    }
    text.len()
}

/// The next string, bracket, space or comma, and where it ends.
fn next_sign(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        let here = *bytes.get(at)?;
        match here {
            b'[' | b']' | b'{' | b'}' | b' ' | b',' => return Some((here, at + 1)),
            b'"' => match quoted_end(bytes, at) {
                Some(end) => return Some((here, end)),
                None => at += 1,
            },
            _ => at += 1,
        }
    }
}
