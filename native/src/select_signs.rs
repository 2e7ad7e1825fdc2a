//! What characters are to Python's `re`. Of rarer ones it is not known here whether they are
//! words': then whoever asks leaves the text to Python.

use crate::border::Unfit;
use crate::log_signs::{is_letter, is_sign, is_space};

/// Whether a word may begin behind this text.
pub fn begins(before: &str) -> Result<bool, Unfit> {
    before.chars().next_back().map_or(Ok(true), is_other)
}

/// Whether a word may end before this text.
pub fn ends(rest: &str) -> Result<bool, Unfit> {
    rest.chars().next().map_or(Ok(true), is_other)
}

/// `\W`
pub fn is_other(sign: char) -> Result<bool, Unfit> {
    if sign.is_ascii() {
        return Ok(!sign.is_ascii_alphanumeric() && sign != '_');
    }
    let other = is_sign(sign) || is_white(sign) || is_accent(sign);
    if other || is_letter(sign) {
        Ok(other)
    } else {
        Err(Unfit)
    }
}

/// `\s`
pub fn is_white(sign: char) -> bool {
    is_space(sign) || (!sign.is_ascii() && sign.is_whitespace())
}

/// Accents that are signs of their own.
pub fn is_accent(sign: char) -> bool {
    matches!(sign, '\u{300}'..='\u{36f}')
}

/// Letters that `re` takes for i, s and k where case does not count.
pub fn has_other_cases(text: &str) -> bool {
    let others = ['\u{130}', '\u{131}', '\u{17f}', '\u{212a}'];
    !text.is_ascii() && others.iter().any(|sign| text.contains(*sign))
}

/// Whether these letters stand here, in whatever case.
pub fn says(rest: &[u8], letters: &[u8]) -> bool {
    rest.len() >= letters.len()
        && rest[0] | 0x20 == letters[0] | 0x20
        && rest[..letters.len()].eq_ignore_ascii_case(letters)
}

/// Behind a word, if the text starts with it; mostly told by its first letter.
pub fn after<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    if rest.as_bytes().first() == word.as_bytes().first() {
        rest.strip_prefix(word)
    } else {
        None
    }
}

/// Starts of words, told by two hashes of their first four letters in whatever case; few other
/// words have the same.
pub struct Starts {
    one: [bool; HASHES],
    other: [bool; HASHES],
    mask: u64, // of the letters that count
}

const HASHES: usize = 1 << 12;
const STEP: usize = 4; // places that are looked at together
const CASES: u64 = 0x2020_2020_2020_2020; // what makes capitals small letters
const FACTORS: (u32, u32) = (0x9e37_79b1, 0x85eb_ca77);

impl Starts {
    /// Of so many letters each, four at most.
    pub const fn new(words: &[[u8; 4]], letters: u32) -> Self {
        let mut found = Starts {
            one: [false; HASHES],
            other: [false; HASHES],
            mask: u32::MAX as u64 >> (32 - 8 * letters),
        };
        let mut number = 0;
        while number < words.len() {
            let word = (u32::from_le_bytes(words[number]) as u64 | CASES) & found.mask;
            found.one[hash(word, FACTORS.0)] = true;
            found.other[hash(word, FACTORS.1)] = true;
            number += 1;
        }
        found
    }

    /// The first place from `from` on where one may stand; none where less than four bytes do.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while at + STEP <= text.len() {
            let mut bytes = [0; 8];
            let near = &text[at..text.len().min(at + bytes.len())];
            match near {
                [a, b, c, d, e, f, g, h] => bytes = [*a, *b, *c, *d, *e, *f, *g, *h],
                _ => bytes[..near.len()].copy_from_slice(near),
            }
            let letters = u64::from_le_bytes(bytes) | CASES;
            let may = |step: u32| self.one[hash(letters >> (step * 8) & self.mask, FACTORS.0)];
            if may(0) | may(1) | may(2) | may(3) {
                let found = (0..STEP).find(|step| self.has(letters >> (step * 8) & self.mask));
                if let Some(step) = found {
                    return Some(at + step);
                }
            }
            at += STEP;
        }
        None
    }

    fn has(&self, word: u64) -> bool {
        self.one[hash(word, FACTORS.0)] && self.other[hash(word, FACTORS.1)]
    }
}

const fn hash(letters: u64, factor: u32) -> usize {
    ((letters as u32).wrapping_mul(factor) >> 20) as usize
}
