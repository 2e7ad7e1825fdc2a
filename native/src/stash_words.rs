//! The words of a text, apart: the twin of `policies/compress/stash_words.py`, for those that may
//! hold values.

use std::borrow::Cow;

use crate::log_signs;

pub const LOWER: u8 = 1;
pub const UPPER: u8 = 2;
pub const DIGIT: u8 = 4;
const JOINT: u8 = 8;
pub const PATH: u8 = 16;
const OTHER: u8 = 32;
const WIDE: u8 = 64; // not of ASCII
const BORDER: u8 = 128;
const BLANKS: &str = "      ";
const STOPS: &[u8] = b"\"'`<>()[]{},;| \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f";

/// Whether it is known of all characters of the text what they are, white space or other.
pub fn known(text: &str) -> bool {
    log_signs::known(text) || log_signs::known(&text.replace(is_wide, " "))
}

/// `str.isspace`. Precondition: the character is known.
pub fn is_space(sign: char) -> bool {
    log_signs::is_space(sign) || is_wide(sign)
}

/// White space beyond ASCII that ends no lines.
fn is_wide(sign: char) -> bool {
    matches!(
        sign,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// What a byte is to words.
static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut found = [WIDE; 256];
    let mut byte = 0;
    while byte < 128 {
        found[byte] = match byte as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'_' => JOINT,
            b'/' | b'@' => PATH,
            _ => OTHER,
        };
        byte += 1;
    }
    let mut place = 0;
    while place < STOPS.len() {
        found[STOPS[place] as usize] = BORDER;
        place += 1;
    }
    found
}

/// Whether it parts words. Precondition: it is known.
pub fn is_border(sign: char) -> bool {
    KINDS.get(sign as usize) == Some(&BORDER) || is_wide(sign)
}

/// Calls for each word that may hold a value, with the kinds of its bytes.
pub fn each_word<'a>(text: &'a str, mut call: impl FnMut(&'a str, u8)) {
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let (mut end, mut kinds) = (start, 0);
        while end < bytes.len() && KINDS[usize::from(bytes[end])] != BORDER {
            kinds |= KINDS[usize::from(bytes[end])];
            end += 1;
        }
        let humps = kinds & (LOWER | UPPER) == LOWER | UPPER;
        let word = &text[start..end];
        if !humps && kinds & (DIGIT | JOINT | PATH) == 0 {
            // there is no value in it
        } else if kinds & WIDE == 0 {
            call(word, kinds);
        } else {
            word.split(is_wide).for_each(|word| call(word, kinds));
        }
        start = end + 1;
    }
}

/// The text with blanks, as many bytes, for escapes of JSON. Precondition: it is known.
pub fn unescaped(text: &str) -> Cow<'_, str> {
    let begin = text.trim_start_matches(is_space);
    if !begin.starts_with(['{', '[']) || !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut found = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let code = &rest[at + 1..];
        let size = match code.chars().next() {
            None | Some('/') => 0,
            Some('u') if is_long(code.as_bytes()) => 6,
            Some(sign) => 1 + sign.len_utf8(),
        };
        found.push_str(&rest[..at]);
        found.push_str(if size > 0 { &BLANKS[..size] } else { "\\" });
        rest = &rest[at + size.max(1)..];
    }
    found.push_str(rest);
    Cow::Owned(found)
}

/// `u[0-9a-fA-F]{4}`
fn is_long(code: &[u8]) -> bool {
    code.get(1..5)
        .map_or(false, |digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The size of what the text begins with of such characters, of the first so many at most.
pub fn run(text: &str, most: usize, is: fn(char) -> bool) -> usize {
    let signs = text.chars().take(most).take_while(|&sign| is(sign));
    signs.map(char::len_utf8).sum()
}
