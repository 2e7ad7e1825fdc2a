//! What an extract leaves out, by name: the twin of `policies/compress/stash_index.py`.

use std::collections::HashSet;

use crate::json_hash::{seed, Seed};
use crate::log_signs;
use crate::stash_negations::{begun, negated};
use crate::stash_words::{each_word, is_border, unescaped, DIGIT, LOWER, PATH, UPPER};
use crate::text_code::is_word;

const ENDS: [char; 4] = ['.', ':', '!', '?'];
const STRADDLING: usize = 200; // characters of a value that is cut by the border of a gap
const LONGEST: usize = 1000; // characters of a value; longer ones are no values

/// From which byte to which.
pub type Gap = (usize, usize);

/// What stands in each gap that stands neither outside of all, nor in an earlier one.
/// Precondition: the characters are known.
pub fn index(text: &str, gaps: &[Gap]) -> Vec<String> {
    let apart = unescaped(text);
    let mut index = Index {
        text,
        apart: &apart,
        begun: begun(text),
        values: HashSet::with_hasher(seed()),
        negations: HashSet::new(),
    };
    let mut at = 0;
    for (start, end) in gaps.iter().copied().chain([(text.len(), text.len())]) {
        index.named((at, start));
        at = end;
    }
    let whole = gaps.iter().map(|gap| whole(&apart, *gap));
    whole.map(|gap| index.named(gap)).collect()
}

struct Index<'a> {
    text: &'a str,
    apart: &'a str,
    begun: Vec<usize>,              // where negations may begin
    values: HashSet<&'a str, Seed>, // that are shown or named
    negations: HashSet<String>,
}

impl Index<'_> {
    /// What stands there that is new, and is not from now on.
    fn named(&mut self, (start, end): Gap) -> String {
        let mut found = String::new();
        let mut add = |name: &str| {
            found.push_str(if found.is_empty() { "" } else { " " });
            found.push_str(name);
        };
        let values = &mut self.values;
        each_word(&self.apart[start..end], |word, kinds| {
            each_value(word, kinds, |value| {
                if values.insert(value) {
                    add(value);
                }
            });
        });
        let first = self.begun.partition_point(|at| *at < start);
        for at in self.begun[first..].iter().take_while(|at| **at < end) {
            if let Some(told) = negated(self.text, *at, end) {
                if !self.negations.contains(&told) {
                    add(&told);
                    self.negations.insert(told);
                }
            }
        }
        found
    }
}

/// Calls for the values in a word of bytes of such kinds, and maybe fewer: `_values`.
fn each_value<'a>(word: &'a str, kinds: u8, mut call: impl FnMut(&'a str)) {
    if word.len() > LONGEST && word.chars().count() > LONGEST {
        return;
    }
    if kinds & !(LOWER | UPPER | DIGIT) == 0 {
        if kinds & DIGIT != 0 || has_hump(word) {
            call(word);
        }
        return;
    }
    let bare = word.trim_matches(ENDS);
    if is_alnum(bare) {
        if has_digit(bare) || has_hump(bare) {
            call(bare);
        }
    } else if kinds & PATH != 0 && is_place(word) {
        call(word.trim_end_matches(ENDS));
    } else {
        let mut rest = word;
        while let Some(at) = rest.find(is_word) {
            let (piece, after) = rest[at..].split_at(piece(&rest[at..]));
            if has_digit(piece) || has_hump(piece) || has_joint(piece) {
                call(piece);
            }
            rest = after;
        }
    }
}

/// The size of what it begins with of `\w+(?:[.:]\w+)*`
fn piece(text: &str) -> usize {
    let mut rest = text.trim_start_matches(is_word);
    loop {
        match rest.strip_prefix(['.', ':']) {
            Some(next) if next.starts_with(is_word) => rest = next.trim_start_matches(is_word),
            _ => return text.len() - rest.len(),
        }
    }
}

/// `/(?:\w|(?<=\w/))|@(?<=\w@)\w`
fn is_place(word: &str) -> bool {
    word.match_indices(['/', '@']).any(|(at, sign)| {
        let before = word[..at].ends_with(is_word);
        let after = word[at + 1..].starts_with(is_word);
        (before && after) || (sign == "/" && (before || after))
    })
}

/// `str.isalnum`
fn is_alnum(text: &str) -> bool {
    !text.is_empty() && text.chars().all(log_signs::is_alnum)
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// `[a-z][A-Z]`
fn has_hump(text: &str) -> bool {
    let mut pairs = text.as_bytes().windows(2);
    pairs.any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// `_(?<=\w_)\w`, of a piece
fn has_joint(piece: &str) -> bool {
    let apart = |byte: u8| matches!(byte, b'.' | b':');
    let mut threes = piece.as_bytes().windows(3);
    threes.any(|three| three[1] == b'_' && !apart(three[0]) && !apart(three[2]))
}

/// The gap with all of the words that its borders cut.
fn whole(apart: &str, (start, end): Gap) -> Gap {
    let size = |sign: char| {
        if is_border(sign) {
            None
        } else {
            Some(sign.len_utf8())
        }
    };
    let before = apart[..start]
        .chars()
        .rev()
        .take(STRADDLING)
        .map_while(size);
    let after = apart[end..].chars().take(STRADDLING).map_while(size);
    (start - before.sum::<usize>(), end + after.sum::<usize>())
}
