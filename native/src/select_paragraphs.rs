//! Paragraphs of a running text: the twin of `paragraphs` in
//! `policies/compress/select_passages.py`.

use std::ops::Range;

use crate::log_stamps::head;
use crate::select_headings::{alone, is_marked, ruled, title, Form};
use crate::select_signs::is_white;
use crate::select_split::Piece;

const LONG: usize = 1_600; // characters of a paragraph, from which on it is taken apart
const PIECE: usize = 800; // characters of such a part, at least
const HEAD: usize = 200; // characters of a heading that count

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
    let lines: Vec<_> = lines(text).collect();
    let (mut fence, mut ruling) = ("", 0);
    let mut last = Kind::Blank;
    for (number, line) in lines.iter().enumerate() {
        let read = &text[line.clone()];
        let mark = mark(read);
        if last == Kind::Blank && mark.is_empty() {
            ruling = ruled(text, &lines[number..]);
        }
        let kind = if ruling > 0 {
            ruling -= 1;
            Kind::Heading
        } else if !fence.is_empty() || !mark.is_empty() {
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
            _ => found.push((line.clone(), kind)),
        }
        last = kind;
    }
    section(text, &mut found);
    found
}

/// Of a line without blanks at its end.
fn kind(line: &str) -> Kind {
    match line {
        "" => Kind::Blank,
        _ if is_marked(line) => Kind::Heading,
        _ => Kind::Text,
    }
}

/// Makes headings of lines that stand alone, in another form than their neighbours.
fn section(text: &str, blocks: &mut [Block]) {
    let form = |(block, kind): &Block| {
        let whole = &text[block.clone()];
        let one = || lines(whole).nth(1).is_none();
        alone(whole).filter(|_| *kind == Kind::Text && one())
    };
    let forms: Vec<Option<Form>> = blocks.iter().map(form).collect();
    let mut end = None;
    for place in 0..blocks.len() {
        let block = blocks[place].0.clone();
        let next = blocks.get(place + 1).map(|(next, _)| next.start);
        let before = place.checked_sub(1).and_then(|place| forms[place]);
        let after = forms.get(place + 1).copied().flatten();
        let apart = end != Some(block.start) && next != Some(block.end);
        let own = forms[place];
        if own.is_some() && apart && own != before && own != after {
            blocks[place].1 = Kind::Heading;
        }
        end = Some(block.end);
    }
}

/// The passages of these blocks.
pub fn pieces<'a>(text: &'a str, blocks: &[Block]) -> Vec<Piece<'a>> {
    let mut found = Vec::with_capacity(blocks.len());
    let mut said = "";
    for (block, kind) in blocks {
        let whole = &text[block.clone()];
        if *kind == Kind::Heading {
            said = head(title(whole), HEAD);
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
                head: said,
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
