//! What may recur in a text of the compact notation: the twin of `_recurring` in
//! `json_legend.py`.

use std::cmp::Reverse;

use crate::json_find::find;
use crate::json_hash::Map;
use crate::json_legend::FINALISTS;
use crate::json_writer::length;

const LONG: usize = 12;
const WORTH: usize = 24;
const MOST: usize = 256;
const TIMES: usize = 64;

/// Beginnings of addresses, and long values: those first that spare most.
pub fn recurring(text: &str) -> Vec<String> {
    let mut words: Map<&str, usize> = Map::default();
    let mut all = 0;
    long_words(text, |word| {
        *words.entry(word).or_insert(0) += 1;
        all += 1;
    });
    if words.len() == all && find(text, "://", 0).is_none() {
        return Vec::new();
    }
    let mut seen: Map<&str, usize> = Map::default();
    let mut distinct: Map<&str, usize> = Map::default();
    for (word, times) in words {
        if times < 2 && !word.contains("://") {
            continue;
        }
        let value = valued(word);
        if length(value) >= LONG {
            *seen.entry(value).or_insert(0) += times.min(TIMES);
            *distinct.entry(value).or_insert(0) += 1;
        }
    }
    while !distinct.is_empty() {
        distinct = beginnings(&distinct);
        for (part, times) in &distinct {
            *seen.entry(part).or_insert(0) += times;
        }
    }
    let often = seen.into_iter().filter(|(_, times)| *times > 1);
    let gains = often.map(|(part, times)| ((times - 1) * length(part), part));
    let mut spared: Vec<(usize, &str)> = gains.filter(|(gain, _)| *gain >= WORTH).collect();
    spared.sort_unstable_by_key(|found| Reverse(*found));
    spared
        .into_iter()
        .take(FINALISTS)
        .map(|(_, part)| part.to_owned())
        .collect()
}

/// What stands between white space, quotes and opening brackets.
fn long_words<'a>(text: &'a str, mut take: impl FnMut(&'a str)) {
    let parts = |sign: char| matches!(sign, '{' | '[' | '"') || space(sign);
    for word in text.split(parts) {
        if word.len() >= LONG && length(word) >= LONG {
            take(word);
        }
    }
}

/// What Python's `str.isspace` says.
fn space(sign: char) -> bool {
    matches!(
        sign,
        '\t'..='\r' | '\x1c'..=' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}'
            | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
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
    value[..end].trim_end_matches(|sign| matches!(sign, '}' | ']' | ','))
}

/// What stands before the last slash of each, unless that belongs to `://`, with how often.
fn beginnings<'a>(values: &Map<&'a str, usize>) -> Map<&'a str, usize> {
    let mut found = Map::default();
    for (value, times) in values {
        if let Some(at) = value.rfind('/') {
            let part = &value[..at];
            if !part.ends_with('/') && part.chars().nth(1).is_some() {
                *found.entry(part).or_insert(0) += times;
            }
        }
    }
    found
}
