//! Numbers, addresses, paths, identifiers, negations and failures: the twin of `factual` in
//! `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_signs::{begins, ends, is_other, is_white, says, Starts};

#[rustfmt::skip]
static STARTS: Starts = Starts::new(&[
    *b"erro", *b"exce", *b"fail", *b"fata", *b"pani", *b"trac", *b"deni", *b"refu", *b"inva",
    *b"miss", *b"abor", *b"cras", *b"warn", *b"crit", *b"time",
], 4);
const FAILED: [&str; 16] = [
    "error",
    "exception",
    "fail",
    "fatal",
    "panic",
    "traceback",
    "denied",
    "refused",
    "invalid",
    "missing",
    "abort",
    "crash",
    "warn",
    "critical",
    "timeout",
    "timed out",
];
const DENIED: [&str; 19] = [
    "no",
    "not",
    "never",
    "none",
    "nor",
    "neither",
    "nothing",
    "nobody",
    "nowhere",
    "non",
    "cannot",
    "without",
    "unless",
    "except",
    "hardly",
    "unable",
    "unavailable",
    "unknown",
    "unsupported",
];

/// Whether a passage has any of them in it.
pub fn factual(text: &str) -> Result<bool, Unfit> {
    if text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Ok(true);
    }
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let found = match byte {
            b'A'..=b'Z' if at > 0 && bytes[at - 1].is_ascii_lowercase() => true,
            b':' | b'@' | b'/' | b'_' | b'\\' | b'(' | b'.' => is_fact(text, at)?,
            b'\'' => is_short(text, at, at + 1)?,
            0xe2 if text[at..].starts_with('\u{2019}') => is_short(text, at, at + 3)?,
            b'N' | b'C' | b'W' | b'U' | b'E' | b'H' | b'n' | b'c' | b'w' | b'u' | b'e' | b'h' => {
                is_denial(text, at)?
            }
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(has_failed(bytes))
}

fn has_failed(text: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = STARTS.find(text, from) {
        if FAILED.iter().any(|word| says(&text[at..], word.as_bytes())) {
            return true;
        }
        from = at + 1;
    }
    false
}

/// What the signs beside this one make of it.
fn is_fact(text: &str, at: usize) -> Result<bool, Unfit> {
    let (before, rest) = (&text[..at], &text[at + 1..]);
    let last = before.chars().next_back();
    let next = rest.chars().next();
    let word = |sign: Option<char>| sign.map_or(Ok(false), |sign| is_other(sign).map(|is| !is));
    let either = |sign: Option<char>, others: &[char]| match sign {
        Some(sign) if others.contains(&sign) => Ok(true),
        _ => word(sign),
    };
    Ok(match text.as_bytes()[at] {
        b'@' => either(last, &['-'])? && either(next, &['-'])?,
        b'/' => {
            let apart = last.map_or(true, |last| {
                is_white(last) || matches!(last, '"' | '\'' | '(')
            });
            (apart && word(next)?)
                || (either(last, &['.', '~', '-'])? && either(next, &['.', '~'])?)
        }
        b'\\' => word(last)? && word(next)?,
        b'_' => word(last)? && word(next)?,
        b'(' => next == Some(')') && word(last)?,
        b'.' => {
            let lower = |sign: Option<char>| sign.map_or(false, |sign| sign.is_ascii_lowercase());
            let web = before.strip_suffix("www");
            (lower(last) && lower(next)) || web.map_or(Ok(false), begins)?
        }
        _ => {
            let drive = next == Some('\\') && last.map_or(false, |sign| sign.is_ascii_alphabetic());
            let inner = rest.strip_prefix(':').and_then(|rest| rest.chars().next());
            rest.starts_with("//") || drive || (inner.is_some() && word(last)? && word(inner)?)
        }
    })
}

/// `n't`, at the apostrophe.
fn is_short(text: &str, at: usize, behind: usize) -> Result<bool, Unfit> {
    let denies = text[..at].ends_with(['n', 'N']) && text[behind..].starts_with(['t', 'T']);
    Ok(denies && ends(&text[behind + 1..])?)
}

/// A word that denies something.
fn is_denial(text: &str, at: usize) -> Result<bool, Unfit> {
    let bytes = &text.as_bytes()[at..];
    let inner = at > 0 && text.as_bytes()[at - 1].is_ascii_alphanumeric();
    if inner {
        return Ok(false);
    }
    for word in DENIED {
        if says(bytes, word.as_bytes()) && ends(&text[at + word.len()..])? {
            return begins(&text[..at]);
        }
    }
    Ok(false)
}
