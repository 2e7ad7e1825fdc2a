//! Words of texts in signs of a question's terms: the twin of `Question.read` in
//! `policies/compress/select_words.py`.
//!
//! Texts have blanks between words and NUL between one another. Before all of them, and a NUL,
//! stands what is asked for.

use crate::border::{run, Made, Text, Unfit};
use std::collections::{HashMap, HashSet};

const LEAD: usize = 3;
const BLANK: u8 = b' ';
const BORDER: u8 = 0;

/// The words whose first three letters these are, each once.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_words_led(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe { run(start, size, out, led) }
}

/// Of each text the signs of its words, by `word=sign`, or `word=` for none; a blank for others.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_words_marked(
    start: *const u8,
    size: usize,
    out: *mut Text,
) -> i32 {
    unsafe { run(start, size, out, marked) }
}

fn led(given: &str) -> Made {
    let (leads, texts) = asked(given)?;
    let leads: HashSet<&[u8]> = words(leads).collect();
    let mut firsts = [false; 256];
    for lead in &leads {
        firsts[usize::from(lead[0])] = true;
    }
    let mut found = HashSet::new();
    let mut listed = Vec::new();
    for word in words(texts) {
        if firsts[usize::from(word[0])] && leads.contains(lead(word)) && found.insert(word) {
            listed.extend_from_slice(word);
            listed.push(BLANK);
        }
    }
    made(listed)
}

fn marked(given: &str) -> Made {
    let (pairs, texts) = asked(given)?;
    let mut signs: HashMap<&[u8], Option<u8>> = HashMap::new();
    let mut sizes = [0_u64; 256]; // of the words that begin with a byte
    for pair in words(pairs) {
        let (word, sign) = pair.split_at(pair.iter().position(|&byte| byte == b'=').ok_or(Unfit)?);
        if word.is_empty() || sign.len() > 2 {
            return Err(Unfit);
        }
        signs.insert(word, sign.get(1).copied());
        sizes[usize::from(word[0])] |= size(word);
    }
    let mut listed = Vec::with_capacity(texts.len() / 4);
    for (place, text) in texts.split(|&byte| byte == BORDER).enumerate() {
        if place > 0 {
            listed.push(BORDER);
        }
        for word in words(text) {
            let may = sizes[usize::from(word[0])] & size(word) != 0;
            match if may { signs.get(word) } else { None } {
                Some(sign) => listed.extend(sign),
                None => listed.push(BLANK),
            }
        }
    }
    made(listed)
}

/// What is asked for, and the texts.
fn asked(given: &str) -> Result<(&[u8], &[u8]), Unfit> {
    let at = given.bytes().position(|byte| byte == BORDER).ok_or(Unfit)?;
    let (before, rest) = given.as_bytes().split_at(at);
    Ok((before, &rest[1..]))
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == BLANK || byte == BORDER)
        .filter(|word| !word.is_empty())
}

fn lead(word: &[u8]) -> &[u8] {
    let mut letters = word
        .iter()
        .enumerate()
        .filter(|(_, &byte)| byte & 0xc0 != 0x80);
    &word[..letters.nth(LEAD).map_or(word.len(), |(at, _)| at)]
}

/// One bit for each length, the last for all that are longer.
fn size(word: &[u8]) -> u64 {
    1 << word.len().min(63)
}

fn made(listed: Vec<u8>) -> Made {
    String::from_utf8(listed).map(Some).map_err(|_| Unfit)
}
