//! Negations and a few words around them: the twin of `_negated` in
//! `policies/compress/stash_index.py`.

use crate::log_signs::is_alnum;
use crate::stash_words::run;
use crate::text_code::{is_digit, is_word};

const SIGNS: [&str; 14] = [
    "n't",
    "n\u{2019}t",
    "no",
    "No",
    "NO",
    "never",
    "Never",
    "NEVER",
    "neither",
    "Neither",
    "cannot",
    "Cannot",
    "without",
    "Without",
];
const WHOLE: [&str; 20] = [
    "no", "not", "nor", "none", "never", "neither", "No", "Not", "Nor", "None", "Never", "Neither",
    "NO", "NOT", "NONE", "NEVER", "cannot", "Cannot", "without", "Without",
];
const LONGEST: usize = 8; // characters of a word, of which one is more than any of them has
const SHORT: [&str; 2] = ["n't", "n\u{2019}t"];
const BEFORE: usize = 16; // letters of the word before
const AFTER: usize = 24; // and of each of those after
const WORDS: usize = 3; // after it
const BITS: u32 = 5; // of a letter, the same in both cases
const PAIRS: usize = 1 << (2 * BITS);

/// Whether a sign may begin with two bytes.
static BEGINS: [bool; PAIRS] = begins();

const fn begins() -> [bool; PAIRS] {
    let mut found = [false; PAIRS];
    let mut number = 0;
    while number < SIGNS.len() {
        let sign = SIGNS[number].as_bytes();
        found[pair(pair(0, sign[0]), sign[1])] = true;
        number += 1;
    }
    found
}

/// What the last two bytes are, when one follows.
const fn pair(last: usize, byte: u8) -> usize {
    (last << BITS | (byte & 31) as usize) & (PAIRS - 1)
}

/// Where negations begin, or longer words.
pub fn begun(text: &str) -> Vec<usize> {
    let (mut found, mut last, mut bytes) = (Vec::new(), 0, text.bytes());
    let mut may_begin = |byte| {
        last = pair(last, byte);
        BEGINS[last]
    };
    while bytes.position(&mut may_begin).is_some() {
        let at = text.len() - bytes.len() - 2;
        if is_begun(text, at) {
            found.push(at);
        }
    }
    found
}

fn is_begun(text: &str, at: usize) -> bool {
    let rest = &text.as_bytes()[at..];
    SIGNS.iter().any(|sign| rest.starts_with(sign.as_bytes()))
}

/// The negation that begins there, if one does and ends by `end`, in quotes with the words of
/// letters around it.
pub fn negated(text: &str, at: usize, end: usize) -> Option<String> {
    let rest = &text[at..end];
    let size = match SHORT.iter().find(|sign| rest.starts_with(**sign)) {
        Some(sign) => Some(sign.len()).filter(|size| !rest[*size..].starts_with(is_word)),
        None => Some(run(rest, LONGEST, is_word))
            .filter(|size| !text[..at].ends_with(is_alnum) && WHOLE.contains(&&rest[..*size])),
    }?;
    let told = &text[at - before(&text[..at])..at + size + after(&text[at + size..])];
    Some(format!("\"{}\"", told.replace('\t', " ")))
}

/// The size of the word of letters that the text ends with, and of a blank behind it:
/// `(?<![^\W\d])[^\W\d]{1,16}[ \t]?\Z`
fn before(text: &str) -> usize {
    let word = text.strip_suffix([' ', '\t']).unwrap_or(text);
    let signs = word.chars().rev().take(BEFORE + 1);
    let (mut size, mut letters) = (0, 0);
    for sign in signs.take_while(|&sign| is_letter(sign)) {
        size += sign.len_utf8();
        letters += 1;
    }
    if (1..=BEFORE).contains(&letters) {
        text.len() - word.len() + size
    } else {
        0
    }
}

/// The size of the words of letters that follow: `(?:[ \t][^\W\d]{1,24}){0,3}`
fn after(text: &str) -> usize {
    let mut rest = text;
    for _ in 0..WORDS {
        let word = rest.strip_prefix([' ', '\t']).unwrap_or("");
        match run(word, AFTER, is_letter) {
            0 => break,
            size => rest = &word[size..],
        }
    }
    text.len() - rest.len()
}

/// `[^\W\d]`
fn is_letter(sign: char) -> bool {
    is_word(sign) && !is_digit(sign)
}
