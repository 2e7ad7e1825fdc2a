//! Which parts of a text tell of a failure or a result: the twin of `_TOLD` in
//! `policies/compress/stash_extract.py`.

use std::borrow::Cow;

use crate::stash_words::{is_space, run};
use crate::text_code::{is_digit, is_word};

#[derive(Clone, Copy)]
enum Kind {
    Failure, // unless the value that follows says that there is none
    Result,
    Exit,
    Code, // of a return
    File,
    Go,
    Ruby,
}
use Kind::{Code, Exit, Failure, File, Go, Result, Ruby};

/// What all but a frame begins with; those with the same first letters side by side.
const SIGNS: [(&str, Kind); 64] = [
    ("--- fail", Failure),
    (".go:", Go),
    (":in ", Ruby),
    ("aborted", Failure),
    ("aborting", Failure),
    ("already in use", Failure),
    ("bad gateway", Failure),
    ("broken pipe", Failure),
    ("cannot", Failure),
    ("core dumped", Failure),
    ("could not", Failure),
    ("crashloop", Failure),
    ("critical", Failure),
    ("deadline exceeded", Failure),
    ("denied", Failure),
    ("does not exist", Failure),
    ("error", Failure),
    ("err!", Failure),
    ("exception", Failure),
    ("exit", Exit),
    ("failed", Failure),
    ("failure", Failure),
    ("fail\t", Failure),
    ("fatal", Failure),
    ("file \"", File),
    ("forbidden", Failure),
    ("goroutine ", Failure),
    ("invalid argument", Failure),
    ("killed", Failure),
    ("no such file", Failure),
    ("no route", Failure),
    ("no space left", Failure),
    ("non-zero", Result),
    ("nonzero", Result),
    ("not found", Failure),
    ("not ok", Failure),
    ("not permitted", Failure),
    ("out of memory", Failure),
    ("panic", Failure),
    ("rc ", Code),
    ("rc:", Code),
    ("rc=", Code),
    ("refused", Failure),
    ("return code", Result),
    ("return_code", Result),
    ("returncode", Result),
    ("segfault", Failure),
    ("segmentation fault", Failure),
    ("service unavailable", Failure),
    ("status code", Result),
    ("status_code", Result),
    ("stack smashing", Failure),
    ("terminate called", Failure),
    ("time out", Failure),
    ("timed out", Failure),
    ("timedout", Failure),
    ("timeout", Failure),
    ("too many open", Failure),
    ("traceback", Failure),
    ("unable to", Failure),
    ("undefined reference", Failure),
    ("undefined symbol", Failure),
    ("unhandled", Failure),
    ("unreachable", Failure),
];
const NONE: [&str; 7] = ["null", "none", "false", "\"\"", "''", "[]", "{}"];
const BITS: u32 = 5; // of a letter, the same in both cases
const LETTERS: usize = 3;
const LEADS: usize = 1 << (3 * BITS);
const FREE: u8 = u8::MAX;

/// The first of the signs that begin with three letters.
static FIRST: [u8; LEADS] = firsts();

const fn firsts() -> [u8; LEADS] {
    let mut found = [FREE; LEADS];
    let mut number = SIGNS.len();
    while number > 0 {
        number -= 1;
        let sign = SIGNS[number].0.as_bytes();
        found[led(led(led(0, sign[0]), sign[1]), sign[2])] = number as u8;
    }
    found
}

/// What the last three letters are, when one follows.
const fn led(lead: usize, byte: u8) -> usize {
    (lead << BITS | (byte & 31) as usize) & (LEADS - 1)
}

/// Whether a part tells of one. Precondition: its characters are known.
pub fn tells(part: &str) -> bool {
    let part = &*folded(part);
    let (mut lead, mut bytes) = (0, part.bytes());
    let mut first = |byte| {
        lead = led(lead, byte);
        Some(FIRST[lead]).filter(|first| *first != FREE)
    };
    while let Some(first) = bytes.find_map(&mut first) {
        if tells_at(part, part.len() - bytes.len() - LETTERS, usize::from(first)) {
            return true;
        }
    }
    is_frame(part)
}

/// Without letters beyond ASCII that are to Python's `re` others in another case.
fn folded(part: &str) -> Cow<'_, str> {
    if part.is_ascii() || !part.contains(['\u{130}', '\u{131}', '\u{17f}']) {
        return Cow::Borrowed(part);
    }
    let plain = part.replace(['\u{130}', '\u{131}'], "i");
    Cow::Owned(plain.replace('\u{17f}', "s"))
}

/// Whether one of the signs from this one on, which begin alike, stands there and tells.
fn tells_at(part: &str, at: usize, first: usize) -> bool {
    let lead = &SIGNS[first].0[..3];
    let signs = SIGNS[first..].iter();
    let mut alike = signs.take_while(|(sign, _)| sign.starts_with(lead));
    alike.any(|(sign, kind)| {
        behind(part.get(at..).unwrap_or(""), sign).map_or(false, |rest| match kind {
            Failure => !is_none(rest),
            Result => true,
            Exit => is_status(rest),
            Code => !part[..at].ends_with(is_word) && is_code(&part[at + 2..]),
            Go => behind(past(rest, 9, is_digit), " +0x")
                .map_or(false, |_| rest.starts_with(is_digit)),
            Ruby => part[..at].ends_with(is_digit) && rest.starts_with(['`', '\'']),
            File => !part[..at].ends_with(is_word) && is_line(rest),
        })
    })
}

/// `\w{0,12}["']?\s{0,3}[:=]\s{0,3}(?:null|none|false|0(?![\d.])|""|''|\[\]|\{\})`
fn is_none(text: &str) -> bool {
    let sign = past(past(past(text, 12, is_word), 1, is_quote), 3, is_space);
    sign.strip_prefix([':', '=']).map_or(false, |rest| {
        let value = past(rest, 3, is_space);
        let number = value.strip_prefix('0');
        NONE.iter().any(|none| behind(value, none).is_some())
            || number.map_or(false, |rest| {
                !rest.starts_with(|sign| is_digit(sign) || sign == '.')
            })
    })
}

/// `(?:ed)?(?: with)?[ _]?(?:code|status|value)?["']?\s{0,3}[:=]?\s{0,3}-?\d`
fn is_status(text: &str) -> bool {
    let text = past_any(past_any(text, &["ed"]), &[" with"]);
    let text = past(text, 1, |sign| matches!(sign, ' ' | '_'));
    let text = past(past_any(text, &["code", "status", "value"]), 1, is_quote);
    let text = past(past(text, 3, is_space), 1, |sign| matches!(sign, ':' | '='));
    past_any(past(text, 3, is_space), &["-"]).starts_with(is_digit)
}

/// ` ?[:=] ?-?\d`
fn is_code(text: &str) -> bool {
    let sign = past_any(text, &[" "]).strip_prefix([':', '=']);
    sign.map_or(false, |rest| {
        past_any(past_any(rest, &[" "]), &["-"]).starts_with(is_digit)
    })
}

/// `^[ \t]{1,40}at \S` or `^[ \t]{0,40}#\d{1,9} +[/{]`
fn is_frame(part: &str) -> bool {
    let rest = part.trim_start_matches([' ', '\t']);
    let called = behind(rest, "at ").unwrap_or("");
    let number = rest.strip_prefix('#').unwrap_or("");
    let behind = past(number, 9, is_digit);
    let place = behind.trim_start_matches(' ');
    let numbered = number.len() > behind.len() && behind.len() > place.len();
    let blanks = part.len() - rest.len();
    (blanks <= 40 && numbered && place.starts_with(['/', '{']))
        || ((1..=40).contains(&blanks) && called.starts_with(|sign| !is_space(sign)))
}

/// `[^"\n]{1,200}", line \d`
fn is_line(text: &str) -> bool {
    let rest = text.trim_start_matches(|sign| !matches!(sign, '"' | '\n'));
    let size = text[..text.len() - rest.len()].chars().count();
    let line = behind(rest, "\", line ").unwrap_or("");
    (1..=200).contains(&size) && line.starts_with(is_digit)
}

fn is_quote(sign: char) -> bool {
    matches!(sign, '"' | '\'')
}

/// What follows a word, which may have other cases.
fn behind<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let begin = text.get(..word.len())?;
    begin
        .eq_ignore_ascii_case(word)
        .then(|| &text[word.len()..])
}

/// What follows one of the words, if there is one.
fn past_any<'a>(text: &'a str, words: &[&str]) -> &'a str {
    words
        .iter()
        .find_map(|word| behind(text, word))
        .unwrap_or(text)
}

/// What follows such characters, the first so many at most.
fn past(text: &str, most: usize, is: fn(char) -> bool) -> &str {
    &text[run(text, most, is)..]
}
