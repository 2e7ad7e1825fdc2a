//! Paragraphs of a running text: the twin of `paragraphs` in
//! `policies/compress/select_passages.py`.

use std::ops::Range;

use crate::log_stamps::head;
use crate::select_signs::is_white;
use crate::select_split::Piece;

const LONG: usize = 1_600; // characters of a paragraph, from which on it is taken apart
const PIECE: usize = 800; // characters of such a part, at least
const HEAD: usize = 200; // characters of a heading that count
const INNER: usize = 100; // characters of a heading between its marks

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Blank,
    Text,
    Heading,
    Fence,
}

/// Neighbouring lines of one kind.
pub type Block = (Range<usize>, Kind);

/// All lines but blank ones.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut fence = "";
    let mut last = Kind::Blank;
    for line in lines(text) {
        let read = &text[line.clone()];
        let mark = mark(read);
        let kind = if !fence.is_empty() || !mark.is_empty() {
            if fence.is_empty() {
                fence = mark;
            } else if fence == mark {
                fence = "";
            }
            Kind::Fence
        } else {
            kind(read.trim_end_matches(is_white))
        };
        match found.last_mut() {
            _ if kind == Kind::Blank => {}
            Some((block, _)) if kind == last => block.end = line.end,
            _ => found.push((line, kind)),
        }
        last = kind;
    }
    found
}

/// The passages of these blocks.
pub fn pieces<'a>(text: &'a str, blocks: &[Block]) -> Vec<Piece<'a>> {
    let mut found = Vec::with_capacity(blocks.len());
    let mut title = "";
    for (block, kind) in blocks {
        let whole = &text[block.clone()];
        if *kind == Kind::Heading {
            let marks = |sign| matches!(sign, '#' | '=' | '*' | '-' | ' ' | '\t' | '\n');
            title = head(whole.trim_matches(marks), HEAD);
        }
        let fixed = *kind != Kind::Text;
        let mut start = block.start;
        for size in if fixed {
            vec![whole.len()]
        } else {
            parts(whole)
        } {
            found.push(Piece {
                start,
                end: start + size,
                head: title,
                fixed,
            });
            start += size;
        }
    }
    let last = found.len().saturating_sub(1);
    for place in [0, last] {
        if let Some(piece) = found.get_mut(place) {
            piece.fixed = true;
        }
    }
    found
}

/// `str.splitlines`
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let (mut at, mut feed, mut odd) = (0, 0, false);
    std::iter::from_fn(move || {
        if at == feed {
            let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
            feed = rest.find('\n').map_or(text.len(), |end| at + end + 1);
            odd = is_odd(&text.as_bytes()[at..feed]);
        }
        let start = at;
        at = match odd {
            true => start + line(&text.as_bytes()[start..feed]),
            false => feed,
        };
        Some(start..at)
    })
}

/// Whether there may be other ends of lines than the line feed at its end.
fn is_odd(line: &[u8]) -> bool {
    let odd = |byte: &&u8| **byte < 0x20 || **byte >= 0x80;
    line.iter().filter(odd).count() != usize::from(line[line.len() - 1] == b'\n')
}

/// The size of the first line, its end included; there is no line feed but at the end of all.
fn line(bytes: &[u8]) -> usize {
    let rare = bytes.iter().enumerate().find_map(|(at, byte)| {
        let next = |place: usize| bytes.get(at + place).copied().unwrap_or(0);
        match byte {
            b'\r' if next(1) == b'\n' => Some(at + 2),
            b'\r' | 0x0b | 0x0c | 0x1c..=0x1e => Some(at + 1),
            0xc2 if next(1) == 0x85 => Some(at + 2),
            0xe2 if next(1) == 0x80 && matches!(next(2), 0xa8 | 0xa9) => Some(at + 3),
            _ => None,
        }
    });
    rare.unwrap_or(bytes.len())
}

/// What opens or closes a fenced block: ` {0,3}(```|~~~)`.
fn mark(line: &str) -> &'static str {
    let rest = line.trim_start_matches(' ');
    let marks = ["```", "~~~"];
    let found = marks.iter().find(|mark| rest.starts_with(**mark));
    found
        .filter(|_| line.len() - rest.len() < 4)
        .copied()
        .unwrap_or("")
}

/// Of a line without blanks at its end.
fn kind(line: &str) -> Kind {
    let hashes = line.len() - line.trim_start_matches('#').len();
    let mut behind = line[hashes..].chars();
    if line.is_empty() {
        Kind::Blank
    } else if (1..=6).contains(&hashes)
        && behind.next() == Some(' ')
        && behind.next().map_or(false, |sign| !is_white(sign))
        || enclosed(line).is_some()
    {
        Kind::Heading
    } else {
        Kind::Text
    }
}

/// `(?:={2,6}|\*\*)[^*=\n]{1,100}(?:={2,6}|\*\*):?$`
fn enclosed(line: &str) -> Option<()> {
    let inner = marked(line, |line, sign| line.trim_start_matches(sign))?;
    let ended = inner.strip_suffix(':').unwrap_or(inner);
    let inner = marked(ended, |line, sign| line.trim_end_matches(sign))?;
    let plain = !inner.is_empty() && !inner.contains(['*', '=']);
    (plain && inner.chars().nth(INNER).is_none()).then_some(())
}

/// Without the mark at one end.
fn marked(line: &str, trim: for<'a> fn(&'a str, char) -> &'a str) -> Option<&str> {
    let inner = trim(trim(line, '='), '*');
    let size = line.len() - inner.len();
    let equal = line.len() - trim(line, '=').len();
    (equal == size && (2..=6).contains(&size) || equal == 0 && size == 2).then_some(inner)
}

/// The sizes of the parts of a paragraph, of some lines each where it is very long.
fn parts(whole: &str) -> Vec<usize> {
    let mut left = whole.len();
    if left > LONG && !whole.is_ascii() {
        left = whole.chars().count();
    }
    if left <= LONG || whole.starts_with('|') {
        return vec![whole.len()];
    }
    let mut found = Vec::new();
    let (mut size, mut signs) = (0, 0);
    for line in whole.split_inclusive('\n') {
        let width = line.chars().count();
        size += line.len();
        signs += width;
        left -= width;
        if signs >= PIECE && left >= PIECE / 2 {
            found.push(size);
            size = 0;
            signs = 0;
        }
    }
    found.push(size);
    found
}
