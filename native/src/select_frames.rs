//! Lines of stack frames and of failure: the twin of `_FRAME` in
//! `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_signs::{ends, is_other, is_white};

/// Whether any line begins so.
pub fn has_frame(text: &str) -> Result<bool, Unfit> {
    for line in text.split('\n') {
        if is_frame(line.trim_start_matches([' ', '\t', '>']))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_frame(line: &str) -> Result<bool, Unfit> {
    let any = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    match line.chars().next() {
        Some('T') => Ok(any(&["Traceback (most"])),
        Some('C') => Ok(any(&["Caused by:"])),
        Some('F') if any(&["File \""]) => Ok(true),
        Some('F') if any(&["Failed"]) => ends(&line[6..]),
        Some('E') if any(&["E: ", "E   "]) => Ok(true),
        Some('E' | 'F') => Ok(is_stamp(&line.as_bytes()[1..])),
        Some('K') => Ok(line == "Killed"),
        Some('A') => Ok(line == "Aborted"),
        Some('a') => line.strip_prefix("at ").map_or(Ok(false), is_called),
        Some('f') => line.strip_prefix("from ").map_or(Ok(false), is_ruby),
        Some('/') => Ok(is_go(&line[1..])),
        Some('.') => Ok(line.strip_prefix("... ").map_or(false, is_more)),
        Some('#') => Ok(is_numbered(&line.as_bytes()[1..])),
        Some('g') => Ok(line
            .strip_prefix("goroutine ")
            .map_or(false, starts_with_digit)),
        Some('\u{2715}'..='\u{2718}' | '\u{d7}' | '\u{274c}') => Ok(true),
        _ => Ok(false),
    }
}

fn starts_with_digit(rest: &str) -> bool {
    rest.starts_with(|sign: char| sign.is_ascii_digit())
}

/// `[0-9]{4} [0-9]{2}:`
fn is_stamp(rest: &[u8]) -> bool {
    let digits = |from: usize, to: usize| rest[from..to].iter().all(u8::is_ascii_digit);
    rest.len() > 7 && digits(0, 4) && rest[4] == b' ' && digits(5, 7) && rest[7] == b':'
}

/// `(?:(?:async|new) )?` and a call.
fn is_called(rest: &str) -> Result<bool, Unfit> {
    let made = rest
        .strip_prefix("async ")
        .or_else(|| rest.strip_prefix("new "));
    Ok(made.map_or(Ok(false), is_call)? || is_call(rest)?)
}

/// `[^\s:]+:[0-9]+:in\b`
fn is_ruby(rest: &str) -> Result<bool, Unfit> {
    let (file, line) = split(rest);
    let name = line.and_then(|line| numbers(line)?.strip_prefix(":in"));
    if file.is_empty() {
        return Ok(false);
    }
    name.map_or(Ok(false), ends)
}

/// `[^\s:]*\.go:[0-9]+ \+0x`
fn is_go(rest: &str) -> bool {
    let (file, line) = split(rest);
    let place = line.and_then(|line| numbers(line)?.strip_prefix(" +0x"));
    file.ends_with(".go") && place.is_some()
}

/// The name of a file, and what stands behind its colon.
fn split(rest: &str) -> (&str, Option<&str>) {
    let end = rest.find(|sign| sign == ':' || is_white(sign));
    let (file, rest) = rest.split_at(end.unwrap_or(rest.len()));
    (file, rest.strip_prefix(':'))
}

/// Behind `[0-9]+`
fn numbers(rest: &str) -> Option<&str> {
    let end = rest.trim_start_matches(|sign: char| sign.is_ascii_digit());
    (end.len() < rest.len()).then_some(end)
}

/// `[\w$.<>/]+ ?(?:[(:]|\[as )`
fn is_call(rest: &str) -> Result<bool, Unfit> {
    let mut size = 0;
    for sign in rest.chars() {
        if !matches!(sign, '$' | '.' | '<' | '>' | '/') && is_other(sign)? {
            break;
        }
        size += sign.len_utf8();
    }
    let end = &rest[size..];
    let end = end.strip_prefix(' ').unwrap_or(end);
    Ok(size > 0 && (end.starts_with(['(', ':']) || end.starts_with("[as ")))
}

/// `[0-9]+ (?:more$|common frames omitted)`
fn is_more(rest: &str) -> bool {
    let end = rest.trim_start_matches(|sign: char| sign.is_ascii_digit());
    end.len() < rest.len() && (end == " more" || end.starts_with(" common frames omitted"))
}

/// `[0-9]+ +[0-9a-z_/{]`
fn is_numbered(rest: &[u8]) -> bool {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let blanks = rest[digits..]
        .iter()
        .take_while(|byte| **byte == b' ')
        .count();
    let next = rest.get(digits + blanks);
    let names = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'/' | b'{');
    digits > 0 && blanks > 0 && next.map_or(false, names)
}
