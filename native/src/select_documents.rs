//! Retrieved documents in a text: the twin of `policies/base/documents.py`.

use crate::border::Unfit;
use crate::select_signs::{after, behind, ends, is_white, places};

const NAMES: [&str; 6] = [
    "document",
    "doc",
    "passage",
    "source",
    "context",
    "search_result",
];
const LABEL: &str = "Document [";
const DIGITS: usize = 6; // of a number
/// What stands before the number of a document, and behind it.
const FORMS: [(&str, char); 7] = [
    ("Document ", ':'),
    ("Passage ", ':'),
    ("Source ", ':'),
    ("[Document ", ']'),
    ("[Passage ", ']'),
    ("[Source ", ']'),
    ("[doc", ']'),
];

/// All of it; and its text without tags or label.
pub struct Document {
    pub start: usize,
    pub end: usize,
    pub opens: usize,
    pub closes: usize,
}

/// The documents of the one block in the text; none where there are several, or it is unclear.
pub fn documents(text: &str) -> Result<Vec<Document>, Unfit> {
    if let Some(found) = outermost(tagged(text)?) {
        return Ok(found);
    }
    Ok(outermost(numbered(text)?).unwrap_or_default())
}

/// The block that has all others within it; none where there is another behind it.
fn outermost(mut blocks: Vec<Vec<Document>>) -> Option<Vec<Document>> {
    let start = |block: &Vec<Document>| block.first().map(|document| document.start);
    blocks.retain(|block| !block.is_empty());
    blocks.sort_by_key(start);
    let end = blocks.first()?.last().map(|document| document.end);
    let several = blocks[1..].iter().any(|block| start(block) >= end);
    Some(if several {
        Vec::new()
    } else {
        blocks.swap_remove(0)
    })
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

/// The elements of each name; of one alone only where its name leaves no doubt.
fn tagged(text: &str) -> Result<Vec<Vec<Document>>, Unfit> {
    let mut marks = NAMES.map(|_| Vec::new());
    for at in places(text, b'<') {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        for (marks, name) in marks.iter_mut().zip(NAMES) {
            if behind(rest, name).is_some() {
                marks.push(at);
            }
        }
    }
    let mut found = Vec::new();
    for (marks, name) in marks.iter().zip(NAMES) {
        let elements = elements(text, name, marks)?.unwrap_or_default();
        if elements.len() > 1 || name == NAMES[0] {
            found.push(adjacent(text, elements));
        }
    }
    Ok(found)
}

/// Elements of one name, which begin and end at some of these marks; none where one is within
/// another, or is not closed.
fn elements(text: &str, name: &str, marks: &[usize]) -> Result<Option<Vec<Document>>, Unfit> {
    let mut found = Vec::new();
    let mut marks = marks.iter().copied();
    while let Some(start) = marks.next() {
        let rest = &text[start + 1..];
        let at = start + 1 + name.len();
        if rest.starts_with('/') || !text[at..].starts_with(|sign| sign == '>' || is_white(sign)) {
            continue;
        }
        let opens = match text[at..].find(['<', '>']) {
            Some(size) if text[at + size..].starts_with('>') => at + size + 1,
            _ => return Ok(None),
        };
        let closes = match closing(text, name, &mut marks)? {
            Some(closes) => closes,
            None => return Ok(None),
        };
        found.push(Document {
            start,
            end: closes + name.len() + "</>".len(),
            opens,
            closes,
        });
    }
    Ok(Some(found))
}

/// The next of these marks where an element begins or ends, if it ends there.
fn closing(
    text: &str,
    name: &str,
    marks: &mut impl Iterator<Item = usize>,
) -> Result<Option<usize>, Unfit> {
    for at in marks {
        let rest = &text[at + 1..];
        let closes = rest.starts_with('/');
        let behind = &rest[usize::from(closes) + name.len()..];
        if ends(behind)? {
            return Ok(Some(at).filter(|_| closes && behind.starts_with('>')));
        }
    }
    Ok(None)
}

fn numbered(text: &str) -> Result<Vec<Vec<Document>>, Unfit> {
    let feeds = places(text, b'\n').map(|at| at + 1);
    let lines: Vec<usize> = std::iter::once(0).chain(feeds).collect();
    let may_begin =
        |at: &&usize| matches!(text.as_bytes().get(**at), Some(b'D' | b'P' | b'S' | b'['));
    let starts: Vec<&str> = lines
        .iter()
        .filter(may_begin)
        .map(|at| &text[*at..])
        .collect();
    let mut found = Vec::new();
    if starts
        .iter()
        .any(|line| !matches!(bracketed(line), Ok(None)))
    {
        let next = |this: &str, next: &str| this.starts_with(LABEL) && next.starts_with(LABEL);
        found.push(listed(text, &lines, bracketed, next)?);
    }
    for form in FORMS {
        if starts.iter().any(|line| label(line, form).is_some()) {
            let next = |_: &str, next: &str| label(next, form).is_some();
            found.push(listed(text, &lines, |line| Ok(label(line, form)), next)?);
        }
    }
    Ok(found)
}

/// Documents at some of these lines, with labels by number. `label`: a number, and where what
/// follows it begins; `next`: whether another one begins behind this one.
///
/// Each ends before a blank line, or the next.
fn listed(
    text: &str,
    lines: &[usize],
    label: impl Fn(&str) -> Result<Option<(usize, usize)>, Unfit>,
    next: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Document>, Unfit> {
    let mut found = Vec::new();
    let mut lines = lines.iter().copied().peekable();
    while let Some(start) = lines.next() {
        let this = &text[start..];
        let (number, opens) = match label(this)? {
            Some((number, size)) => (number, start + size),
            None => continue,
        };
        let ends =
            |line: &str| line.starts_with('\n') || line.starts_with("\r\n") || next(this, line);
        while lines.next_if(|line| !ends(&text[*line..])).is_some() {}
        let at = lines.peek().map_or(text.len(), |line| line - 1);
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
    Ok(if found.len() < 2 {
        Vec::new()
    } else {
        adjacent(text, found)
    })
}

/// A number in brackets.
fn bracketed(line: &str) -> Result<Option<(usize, usize)>, Unfit> {
    let rest = line.strip_prefix(LABEL).or_else(|| line.strip_prefix('['));
    let rest = match rest {
        Some(rest) => rest,
        None => return Ok(None),
    };
    let size = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[size..].chars().next() {
        Some(']') if size > 0 => {
            let number = rest[..size.min(DIGITS)].parse();
            let opens = line.len() - rest.len() + size + 1;
            Ok(Some((number.map_err(|_| Unfit)?, opens)))
        }
        Some(sign) if !sign.is_ascii() && sign.is_numeric() => Err(Unfit),
        _ => Ok(None),
    }
}

/// A number in this form.
fn label(line: &str, (before, sign): (&str, char)) -> Option<(usize, usize)> {
    let rest = after(line, before).filter(|rest| !rest.starts_with('0'))?;
    let size = rest.bytes().take_while(u8::is_ascii_digit).count();
    let closed = size <= DIGITS && rest[size..].starts_with(sign);
    let number = rest[..size].parse().ok().filter(|_| closed)?;
    Some((number, before.len() + size + 1))
}
