//! What characters are to Python's `re`. Of rarer ones it is not known here whether they are
//! words': then whoever asks leaves the text to Python.

use crate::border::Unfit;
use crate::log_signs::{is_letter, is_sign, is_space};

const TOGETHER: usize = 32; // bytes

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

/// Letters that `re` takes for i, s and k where case does not count: U+0130, U+0131, U+017F and
/// U+212A.
pub fn has_other_cases(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        let at = find(rest, |byte| matches!(byte, 0xc4 | 0xc5 | 0xe2));
        match &rest[at..] {
            [] => return false,
            [0xc4, 0xb0 | 0xb1, ..] | [0xc5, 0xbf, ..] | [0xe2, 0x84, 0xaa, ..] => return true,
            more => rest = &more[1..],
        }
    }
}

/// Where the first such byte stands, or how many bytes there are. Many are looked at together.
pub fn find(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    for part in bytes.chunks(TOGETHER) {
        if part.iter().fold(false, |found, byte| found | is(*byte)) {
            return at + part.iter().position(|byte| is(*byte)).unwrap_or(0);
        }
        at += part.len();
    }
    at
}

/// Where a sign of ASCII stands.
pub fn places(text: &str, sign: u8) -> impl Iterator<Item = usize> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let found = at + find(&text.as_bytes()[at..], |byte| byte == sign);
        at = (found + 1).min(text.len());
        (found < text.len()).then_some(found)
    })
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

/// Behind a word in whatever case.
pub fn behind<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    says(rest.as_bytes(), word.as_bytes()).then(|| &rest[word.len()..])
}

/// Starts of words, told by two hashes of their first four letters in whatever case; few other
/// words have the same.
pub struct Starts {
    one: [bool; HASHES],
    other: [bool; HASHES],
    mask: u32, // of the letters that count
}

const HASHES: usize = 1 << 13;
const STEP: usize = 4; // places that are looked at together
const EIGHT: usize = 8; // bytes
const CASES: u64 = 0x2020_2020_2020_2020; // what makes capitals small letters
const FACTORS: (u32, u32) = (0x9e37_79b1, 0x85eb_ca77);

impl Starts {
    /// Of so many letters each, four at most.
    pub const fn new(words: &[[u8; 4]], letters: u32) -> Self {
        let mut found = Starts {
            one: [false; HASHES],
            other: [false; HASHES],
            mask: u32::MAX >> (32 - 8 * letters),
        };
        let mut number = 0;
        while number < words.len() {
            let word = (u32::from_le_bytes(words[number]) | CASES as u32) & found.mask;
            found.one[hash(word, FACTORS.0)] = true;
            found.other[hash(word, FACTORS.1)] = true;
            number += 1;
        }
        found
    }

    /// The first place from `from` on where one may stand; none where less than four bytes do.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while let Some(near) = text.get(at..at + EIGHT) {
            let mut bytes = [0; EIGHT];
            bytes.copy_from_slice(near);
            if let Some(step) = self.first(bytes) {
                return Some(at + step);
            }
            at += STEP;
        }
        let last = text.get(at..).unwrap_or(&[]);
        let mut bytes = [0; EIGHT];
        bytes[..last.len()].copy_from_slice(last);
        let fits = |step: &usize| step + STEP <= last.len();
        self.first(bytes).filter(fits).map(|step| at + step)
    }

    /// At which of the first places one may stand.
    fn first(&self, bytes: [u8; EIGHT]) -> Option<usize> {
        let letters = u64::from_le_bytes(bytes) | CASES;
        let word = |step: usize| (letters >> (step * 8)) as u32 & self.mask;
        let may = |step: usize| self.one[hash(word(step), FACTORS.0)];
        if may(0) | may(1) | may(2) | may(3) {
            let is = |step: &usize| may(*step) && self.other[hash(word(*step), FACTORS.1)];
            return (0..STEP).find(is);
        }
        None
    }
}

const fn hash(letters: u32, factor: u32) -> usize {
    (letters.wrapping_mul(factor) >> 19) as usize
}
