//! How strings, names and numbers stand in the compact notation: the twin of `json_words.py`.
//!
//! Strings come as they stand in JSON text with the fewest escapes, quotes included.

use std::borrow::Cow;

pub const ABSENT: &str = "-";

const PLAIN: u8 = 1;
const WITHIN: u8 = 2;
const KEY: u8 = 4;
const DOUBT: u8 = 8; // the first byte of characters of which some are unseen
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut found = [0; 256];
    let mut byte = 0x21;
    while byte < 256 {
        found[byte] = match byte as u8 {
            b'"' | b'\\' | b'{' | b'}' | b'[' | b']' | 0x7f => 0,
            b',' => WITHIN,
            b':' | b'=' | b'~' | b'<' | b'>' | b'*' => PLAIN | WITHIN,
            0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef => DOUBT,
            _ => PLAIN | WITHIN | KEY,
        };
        byte += 1;
    }
    found
}

/// Whether the character shows as nothing: `_UNSEEN` beyond ASCII.
fn unseen(rest: &[u8]) -> bool {
    matches!(
        rest,
        [0xc2, 0x80..=0xa0 | 0xad, ..]
            | [0xe1, 0x9a, 0x80, ..]
            | [0xe2, 0x80, 0x80..=0x8f | 0xa8..=0xaf, ..]
            | [0xe2, 0x81, 0x9f..=0xa4, ..]
            | [0xe3, 0x80, 0x80, ..]
            | [0xef, 0xbb, 0xbf, ..]
    )
}

fn run(bytes: &[u8], mut at: usize, class: u8) -> usize {
    loop {
        let rest = &bytes[at..];
        let of_it = rest
            .iter()
            .take_while(|byte| CLASSES[usize::from(**byte)] & class != 0);
        let rest = &rest[of_it.count()..];
        at = bytes.len() - rest.len();
        match rest.first() {
            Some(byte) if CLASSES[usize::from(*byte)] == DOUBT && !unseen(rest) => at += 1,
            _ => return at,
        }
    }
}

/// Where a bare word that begins here ends; here, where none does.
pub fn bare_end(bytes: &[u8], at: usize) -> usize {
    let mut end = run(bytes, at, PLAIN);
    while end > at && bytes.get(end) == Some(&b'{') {
        let within = run(bytes, end + 1, WITHIN);
        if bytes.get(within) != Some(&b'}') {
            break;
        }
        end = run(bytes, within + 1, PLAIN);
    }
    end
}

/// The same for a bare name.
pub fn key_end(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, KEY)
}

/// Where the string that begins here ends.
pub fn quoted_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut end = at + 1;
    loop {
        match *bytes.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' if *bytes.get(end + 1)? != b'\n' => end += 2,
            b'\\' | 0..=0x1f => return None,
            _ => end += 1,
        }
    }
}

/// Where a bare word or a string ends.
pub fn word_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = bare_end(bytes, at);
    if end > at {
        Some(end)
    } else {
        quoted_end(bytes, at)
    }
}

fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b'0'..=b'9')) {
        at += 1;
    }
    at
}

/// Where the JSON number that begins here ends, and whether it has a fraction or an exponent.
pub fn number_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let whole = digits_end(bytes, first);
    if whole == first || (bytes[first] == b'0' && whole > first + 1) {
        return None;
    }
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(bytes, whole + 1);
        if end == whole + 1 {
            return None;
        }
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let power = digits_end(bytes, end + 1 + sign);
        if power == end + 1 + sign {
            return None;
        }
        end = power;
    }
    Some((end, end > whole))
}

/// Whether a reader could take the text for a number: `_NUMERIC`.
fn numeric(bytes: &[u8]) -> bool {
    let first = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits_end(bytes, first);
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(bytes, end + 1);
        if whole == first && end == whole + 1 {
            return false;
        }
    } else if whole == first {
        return false;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let power = digits_end(bytes, end + 1 + sign);
        if power > end + 1 + sign {
            end = power;
        }
    }
    end == bytes.len()
}

fn bare(text: &str) -> bool {
    !text.is_empty() && bare_end(text.as_bytes(), 0) == text.len()
}

/// What stands between the quotes.
pub fn inside(string: &str) -> &str {
    &string[1..string.len() - 1]
}

/// The word of a string.
pub fn word(string: &str) -> &str {
    let text = inside(string);
    let special = match text.as_bytes().first() {
        Some(b't' | b'f' | b'n') => matches!(text, "true" | "false" | "null"),
        Some(b'-' | b'+' | b'.' | b'0'..=b'9') => text == ABSENT || numeric(text.as_bytes()),
        _ => false,
    };
    if !special && bare(text) {
        text
    } else {
        string
    }
}

/// The word of a member's name.
pub fn key(string: &str) -> &str {
    let text = inside(string);
    if !text.is_empty() && key_end(text.as_bytes(), 0) == text.len() {
        text
    } else {
        string
    }
}

/// The word of a part of a text.
pub fn piece(text: Cow<str>) -> Cow<str> {
    if bare(&text) && text != "null" && text != ABSENT {
        text
    } else {
        Cow::Owned(quoted(&text))
    }
}

/// Whether the text needs an escape in JSON.
pub fn escapes(text: &str) -> bool {
    text.bytes()
        .any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
}

/// The text as a JSON string with the fewest escapes.
pub fn quoted(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 2);
    made.push('"');
    for sign in text.chars() {
        match sign {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            '\u{8}' => made.push_str("\\b"),
            '\u{c}' => made.push_str("\\f"),
            '\0'..='\x1f' => made.push_str(&format!("\\u{:04x}", u32::from(sign))),
            _ => made.push(sign),
        }
    }
    made.push('"');
    made
}

/// The text of a string, the inverse of `quoted`.
pub fn unquoted(string: &str) -> Cow<'_, str> {
    let text = inside(string);
    if !text.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut made = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign != '\\' {
            made.push(sign);
            continue;
        }
        made.push(match signs.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let code = signs
                    .by_ref()
                    .take(4)
                    .filter_map(|digit| digit.to_digit(16));
                char::from_u32(code.fold(0, |all, digit| all * 16 + digit)).unwrap_or('\0')
            }
            other => other.unwrap_or('\\'),
        });
    }
    Cow::Owned(made)
}
