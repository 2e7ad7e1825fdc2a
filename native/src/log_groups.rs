//! Lines of one form, found by their words: the twin of `policies/compress/log_groups.py`.

use crate::log_hash::Index;
use crate::log_signs::{is_alnum, is_blank};

/// A variable piece, in a word's shape.
pub const GAP: char = '\0';

const FEWEST: usize = 3; // lines of one form that make a template

/// Whether bytes are signs of ASCII that are of pieces.
static OF_PIECES: [bool; 256] = of_pieces();

/// The words of lines, each word and each shape of words by its number.
pub struct Words<'a> {
    texts: Vec<&'a str>,
    uses: Vec<usize>,
    flat: Vec<u32>,
    ends: Vec<usize>,
    /// The shape of each word: its own number where it has no piece.
    shapes: Vec<u32>,
    shaped: Vec<String>,
}

/// The shapes of the words of a form, and the numbers of its lines, ascending.
pub struct Group {
    pub form: Vec<u32>,
    pub lines: Vec<u32>,
}

impl<'a> Words<'a> {
    pub fn of(lines: &[&'a str]) -> Self {
        let mut words = Words {
            texts: Vec::new(),
            uses: Vec::new(),
            flat: Vec::new(),
            ends: Vec::with_capacity(lines.len()),
            shapes: Vec::new(),
            shaped: Vec::new(),
        };
        let mut index = Index::new();
        for line in lines {
            let mut left = Some(*line);
            while let Some(line) = left {
                let end = line.bytes().position(|byte| byte == b' '); // faster than `split`
                let word = &line[..end.unwrap_or(line.len())];
                left = end.map(|end| &line[end + 1..]);
                let texts = &words.texts;
                let number = index.number(word, |known| texts[known] == word);
                if number == words.texts.len() {
                    words.texts.push(word);
                    words.uses.push(0);
                }
                words.uses[number] += 1;
                words.flat.push(number as u32);
            }
            words.ends.push(words.flat.len());
        }
        words.shape();
        words
    }

    fn shape(&mut self) {
        let mut index = Index::new();
        let mut shape = String::new();
        for (number, word) in self.texts.iter().enumerate() {
            if !shaped(word, &mut shape) {
                self.shapes.push(number as u32);
                continue;
            }
            let known = &self.shaped;
            let found = index.number(&shape, |other| known[other] == shape);
            if found == self.shaped.len() {
                self.shaped.push(shape.clone());
            }
            self.shapes.push((self.texts.len() + found) as u32);
        }
    }

    /// The words of a line.
    pub fn line(&self, number: u32) -> &[u32] {
        let number = number as usize;
        let start = if number == 0 {
            0
        } else {
            self.ends[number - 1]
        };
        &self.flat[start..self.ends[number]]
    }

    /// The text of a word.
    pub fn text(&self, word: u32) -> &'a str {
        self.texts[word as usize]
    }

    /// The text of a shape.
    pub fn shape_text(&self, shape: u32) -> &str {
        let shape = shape as usize;
        match self.texts.get(shape) {
            Some(text) => text,
            None => &self.shaped[shape - self.texts.len()],
        }
    }

    /// The shapes of words of which only those are constant that are there `word` times or, with
    /// digits, `number` times.
    fn constant(&self, word: usize, number: usize) -> Vec<u32> {
        let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        let shape = |(at, uses): (usize, &usize)| {
            let often = *uses >= word && (*uses >= number || !has_digit(self.texts[at]));
            if often {
                at as u32
            } else {
                self.shapes[at]
            }
        };
        self.uses.iter().enumerate().map(shape).collect()
    }
}

/// See `groups` in Python.
pub fn groups(words: &Words<'_>) -> Vec<Group> {
    let size = words.ends.len();
    let mut rest: Vec<u32> = (0..size as u32).collect();
    let mut done = Vec::new();
    for (word, number) in [
        (3.max(size / 200), 8.max(size / 10)),
        (6.max(size / 20), 8.max(size / 4)),
    ] {
        rest = grouped(words, &words.constant(word, number), &rest, &mut done);
    }
    done
}

/// Group the lines by the shapes of their words; those that no group of some has are left over.
fn grouped(words: &Words<'_>, shapes: &[u32], lines: &[u32], done: &mut Vec<Group>) -> Vec<u32> {
    let shapes_of = |line: u32| words.line(line).iter().map(|word| shapes[*word as usize]);
    let mut index = Index::new();
    let mut forms: Vec<Vec<u32>> = Vec::new();
    let mut form = Vec::new();
    for line in lines {
        form.clear();
        form.extend(shapes_of(*line));
        let first = |known: usize| shapes_of(forms[known][0]);
        let number = index.number(&form, |known| first(known).eq(form.iter().copied()));
        match forms.get_mut(number) {
            Some(lines) => lines.push(*line),
            None => forms.push(vec![*line]),
        }
    }
    let mut left = Vec::new();
    for lines in forms {
        let says = |shape| !is_blank(words.shape_text(shape));
        if lines.len() >= FEWEST && shapes_of(lines[0]).any(says) {
            done.push(Group {
                form: shapes_of(lines[0]).collect(),
                lines,
            });
        } else {
            left.extend(lines);
        }
    }
    left.sort_unstable();
    left
}

/// Write the word with `GAP` for each of its pieces, and say whether there are any.
fn shaped(word: &str, shape: &mut String) -> bool {
    shape.clear();
    let mut at = 0;
    while let Some((start, end)) = piece(word, at) {
        shape.push_str(&word[at..start]);
        shape.push(GAP);
        at = end;
    }
    shape.push_str(&word[at..]);
    at > 0
}

/// Where the next piece of a word starts and ends:
/// `\d+(?=-[A-Za-z])|[\w.+~%@$*-]+`
pub fn piece(word: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = word.as_bytes();
    let mut start = at;
    let mut end = run(word, start);
    while end == start {
        start += word[start..].chars().next()?.len_utf8();
        end = run(word, start);
    }
    let digits = bytes[start..end]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let dash = start + digits;
    let cut = digits > 0
        && bytes.get(dash) == Some(&b'-')
        && bytes.get(dash + 1).map_or(false, u8::is_ascii_alphabetic);
    Some((start, if cut { dash } else { end }))
}

/// Where a run of signs that are of pieces ends.
fn run(word: &str, start: usize) -> usize {
    let bytes = word.as_bytes();
    let mut at = start;
    loop {
        let others = bytes[at..]
            .iter()
            .position(|byte| !OF_PIECES[usize::from(*byte)]);
        at = others.map_or(bytes.len(), |size| at + size);
        match bytes.get(at).and_then(|_| word[at..].chars().next()) {
            Some(sign) if !sign.is_ascii() && is_alnum(sign) => at += sign.len_utf8(),
            _ => return at,
        }
    }
}

const fn of_pieces() -> [bool; 256] {
    let mut found = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let sign = byte as u8;
        found[byte] = sign.is_ascii_alphanumeric()
            || matches!(
                sign,
                b'_' | b'.' | b'+' | b'~' | b'%' | b'@' | b'$' | b'*' | b'-'
            );
        byte += 1;
    }
    found
}
