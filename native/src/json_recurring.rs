//! What may recur in a text of the compact notation: the twin of `_recurring` in
//! `json_legend.py`.

use std::cmp::Reverse;

use crate::json_find::find;
use crate::json_hash::{map, Map};
use crate::json_legend::FINALISTS;
use crate::json_writer::length;

const LONG: usize = 12;
const WORTH: usize = 24;
const MOST: usize = 256;
const TIMES: usize = 64;

/// Beginnings of addresses, and long values: those first that spare most.
pub fn recurring(text: &str) -> Vec<String> {
    let mut words: Map<&str, usize> = map(text.len() / 32);
    let mut all = 0;
    long_words(text, |word| {
        *words.entry(word).or_insert(0) += 1;
        all += 1;
    });
    if words.len() == all && find(text, "://", 0).is_none() {
        return Vec::new();
    }
    let mut parts = Parts::new(words.len());
    for (word, times) in words {
        if times > 1 || find(word, "://", 0).is_some() {
            let value = valued(word);
            if length(value) >= LONG {
                let part = parts.part(value);
                parts.all[part].seen += times.min(TIMES);
                parts.all[part].coming += 1;
            }
        }
    }
    parts.rise();
    let often = parts.all.iter().filter(|part| part.seen > 1);
    let gains = often.map(|part| ((part.seen - 1) * length(part.text), part.text));
    let mut spared: Vec<(usize, &str)> = gains.filter(|(gain, _)| *gain >= WORTH).collect();
    spared.sort_unstable_by_key(|found| Reverse(*found));
    let finalists = spared.into_iter().take(FINALISTS);
    finalists.map(|(_, text)| text.to_owned()).collect()
}

struct Part<'a> {
    text: &'a str,
    seen: usize,
    coming: usize, // how many values of those that are looked at next begin so
    above: Option<Option<usize>>, // its beginning, as soon as that was asked for
}

/// Values, and their beginnings: what stands before a slash.
struct Parts<'a> {
    all: Vec<Part<'a>>,
    known: Map<&'a str, usize>,
}

impl<'a> Parts<'a> {
    fn new(size: usize) -> Self {
        Parts {
            all: Vec::with_capacity(size),
            known: map(size),
        }
    }

    fn part(&mut self, text: &'a str) -> usize {
        let all = &mut self.all;
        *self.known.entry(text).or_insert_with(|| {
            all.push(Part {
                text,
                seen: 0,
                coming: 0,
                above: None,
            });
            all.len() - 1
        })
    }

    /// What stands before the last slash of a part, unless that belongs to `://`.
    fn above(&mut self, part: usize) -> Option<usize> {
        if self.all[part].above.is_none() {
            let text = self.all[part].text;
            let cut = text.rfind('/').map(|at| &text[..at]);
            let cut = cut.filter(|cut| !cut.ends_with('/') && cut.chars().nth(1).is_some());
            self.all[part].above = Some(cut.map(|cut| self.part(cut)));
        }
        self.all[part].above.flatten()
    }

    /// Count beginnings, then beginnings of these.
    fn rise(&mut self) {
        let mut now: Vec<usize> = (0..self.all.len()).collect();
        while !now.is_empty() {
            let come = now
                .iter()
                .map(|part| std::mem::take(&mut self.all[*part].coming));
            let come: Vec<usize> = come.collect();
            let mut next = Vec::new();
            for (part, times) in now.into_iter().zip(come) {
                if let Some(above) = self.above(part) {
                    let above_it = &mut self.all[above];
                    if above_it.coming == 0 {
                        next.push(above);
                    }
                    above_it.coming += times;
                    above_it.seen += times;
                }
            }
            now = next;
        }
    }
}

const BREAK: u8 = 1;
const DOUBT: u8 = 2; // the first byte of characters of which some are white space
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut found = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        found[byte] = match byte as u8 {
            b'\t'..=b'\r' | 0x1c..=b' ' | b'{' | b'[' | b'"' => BREAK,
            0xc2 | 0xe1 | 0xe2 | 0xe3 => DOUBT,
            _ => 0,
        };
        byte += 1;
    }
    found
}

/// What stands between white space, quotes and opening brackets.
fn long_words<'a>(text: &'a str, mut take: impl FnMut(&'a str)) {
    let bytes = text.as_bytes();
    let (mut from, mut at) = (0, 0);
    while at <= bytes.len() {
        let size = match bytes.get(at).map(|byte| CLASSES[usize::from(*byte)]) {
            Some(0) => 0,
            Some(DOUBT) => space(&bytes[at..]),
            _ => 1,
        };
        if size > 0 {
            if at - from >= LONG && length(&text[from..at]) >= LONG {
                take(&text[from..at]);
            }
            from = at + size;
        }
        at += size.max(1);
    }
}

/// The bytes of what Python's `str.isspace` says is white space, beyond ASCII.
fn space(rest: &[u8]) -> usize {
    match rest {
        [0xc2, 0x85 | 0xa0, ..] => 2,
        [0xe1, 0x9a, 0x80, ..] | [0xe3, 0x80, 0x80, ..] | [0xe2, 0x81, 0x9f, ..] => 3,
        [0xe2, 0x80, 0x80..=0x8a | 0xa8 | 0xa9 | 0xaf, ..] => 3,
        _ => 0,
    }
}

/// The value of a member, or the word, as far as it is looked at.
fn valued(word: &str) -> &str {
    let value = match word.split_once(':') {
        Some((_, value)) if !value.is_empty() && !value.starts_with("//") => value,
        _ => word,
    };
    let end = value
        .char_indices()
        .nth(MOST)
        .map_or(value.len(), |(end, _)| end);
    value[..end].trim_end_matches(&['}', ']', ','][..])
}
