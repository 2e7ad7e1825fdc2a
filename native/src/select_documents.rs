//! Retrieved documents in a text: the twin of `policies/base/documents.py`.

use crate::border::Unfit;
use crate::select_signs::{ends, is_white, places};

const OPENS: &str = "<document";
const CLOSES: &str = "</document>";
const LABEL: &str = "Document [";
const DIGITS: usize = 6; // of a number

/// All of it; and its text without tags or label.
pub struct Document {
    pub start: usize,
    pub end: usize,
    pub opens: usize,
    pub closes: usize,
}

/// The documents of the one block in the text; none where there are several, or it is unclear.
pub fn documents(text: &str) -> Result<Vec<Document>, Unfit> {
    let found = adjacent(text, tagged(text)?);
    if found.is_empty() {
        return Ok(adjacent(text, numbered(text)?));
    }
    Ok(found)
}

/// They, if nothing but white space stands between them.
fn adjacent(text: &str, found: Vec<Document>) -> Vec<Document> {
    let blank = |pair: &[Document]| text[pair[0].end..pair[1].start].chars().all(is_white);
    if found.windows(2).all(blank) {
        found
    } else {
        Vec::new()
    }
}

fn tagged(text: &str) -> Result<Vec<Document>, Unfit> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = opening(text, at) {
        at = start + OPENS.len();
        let rest = &text[at..];
        if !rest.starts_with(|sign| sign == '>' || is_white(sign)) {
            continue;
        }
        let opens = match rest.find(['<', '>']) {
            Some(size) if rest[size..].starts_with('>') => at + size + 1,
            _ => return Ok(Vec::new()),
        };
        match closing(text, opens)? {
            Some(closes) if text[closes..].starts_with(CLOSES) => {
                at = closes + CLOSES.len();
                found.push(Document {
                    start,
                    end: at,
                    opens,
                    closes,
                });
            }
            _ => return Ok(Vec::new()), // one within another, or one that is not closed
        }
    }
    Ok(found)
}

/// Where what may be the next document begins.
fn opening(text: &str, from: usize) -> Option<usize> {
    places(text, from, b'<').find(|at| text[*at..].starts_with(OPENS))
}

/// Where the next document begins or ends.
fn closing(text: &str, from: usize) -> Result<Option<usize>, Unfit> {
    for at in places(text, from, b'<') {
        let rest = &text[at + 1..];
        let name = rest.strip_prefix('/').unwrap_or(rest);
        if let Some(rest) = name.strip_prefix("document") {
            if ends(rest)? {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}

fn numbered(text: &str) -> Result<Vec<Document>, Unfit> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = labelled(text, at) {
        let long = text[start..].starts_with(LABEL);
        let first = start + if long { LABEL.len() } else { 1 };
        at = first;
        let (number, size) = match number(&text[first..])? {
            Some(label) => label,
            None => continue,
        };
        let opens = first + size;
        at = body(text, opens, long);
        if at == opens {
            continue;
        }
        if number != found.len() + 1 {
            return Ok(Vec::new());
        }
        let end = text[..at].trim_end_matches(is_white).len();
        found.push(Document {
            start,
            end,
            opens,
            closes: end,
        });
    }
    Ok(if found.len() < 2 { Vec::new() } else { found })
}

/// The next line that begins with a bracket, or a label and a bracket.
fn labelled(text: &str, from: usize) -> Option<usize> {
    let begins = |at: usize| at == 0 || text.as_bytes()[at - 1] == b'\n';
    places(text, from, b'[').find_map(|at| {
        if begins(at) {
            return Some(at);
        }
        let start = text[..at + 1].strip_suffix(LABEL)?.len();
        begins(start).then_some(start)
    })
}

/// A number in brackets, and where what follows it begins.
fn number(rest: &str) -> Result<Option<(usize, usize)>, Unfit> {
    let size = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[size..].chars().next() {
        Some(']') if size > 0 => {
            let number = rest[..size.min(DIGITS)].parse();
            Ok(Some((number.map_err(|_| Unfit)?, size + 1)))
        }
        Some(sign) if !sign.is_ascii() && sign.is_numeric() => Err(Unfit),
        _ => Ok(None),
    }
}

/// Where a document ends whose text begins here.
fn body(text: &str, from: usize, long: bool) -> usize {
    let mut ends = places(text, from, b'\n').filter(|at| {
        let next = &text[at + 1..];
        next.starts_with('\n') || (long && next.starts_with(LABEL))
    });
    ends.next().unwrap_or(text.len())
}
