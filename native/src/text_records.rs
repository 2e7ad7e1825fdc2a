//! Telling logs and other records from configuration and code: the twin of
//! `policies/compress/text_records.py`.

use crate::border::{run, Text, Unfit};
use crate::log_signs::{is_alnum, is_blank, is_space, known};
use crate::log_stamps::{head, is_stamp};
use crate::text_languages::{is_operation, is_sparse};

const SAMPLE: usize = 20_000; // characters, from the start and from the middle
const WIDEST: usize = 200; // characters of a line that are looked at
const NEAR: usize = 60; // characters of a line that may stand before its time or its level
const TIME_WIDEST: usize = 40; // characters of a time or a level, and what shows that it ends
const KEY_WIDEST: usize = 60;
const LEVELS: [&str; 11] = [
    "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "warning",
    "error",
];
const ENDS: [&str; 9] = [",", ";", "{", "}", "[", "(", "|", "\\", "&&"];

/// See `text_records.records`; a text is made, an empty one, if the lines are records.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_records(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe {
        run(
            start,
            size,
            out,
            |text| Ok(records(text)?.then(String::new)),
        )
    }
}

fn records(text: &str) -> Result<bool, Unfit> {
    if !known(text) {
        return Err(Unfit);
    }
    let lines = sample(text);
    let share = |is: fn(&str) -> bool| lines.iter().filter(|line| is(line)).count();
    if lines
        .iter()
        .filter(|line| is_marked(line))
        .take((lines.len() + 7) / 8)
        .count()
        * 8
        >= lines.len()
    {
        return Ok(true);
    }
    let built = share(|line| opens(line) || goes_on(line));
    if built * 7 >= lines.len() {
        return Ok(false);
    }
    Ok(built * 20 < lines.len() || share(is_indented) * 3 < lines.len())
}

/// Lines from the start and from the middle that are not blank, as much of them as is looked at.
fn sample(text: &str) -> Vec<&str> {
    let start = head(text, SAMPLE);
    let mut lines: Vec<&str> = start.split('\n').collect();
    if start.len() < text.len() {
        let size = if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
        let middle = head(&text[head(text, size / 2).len()..], SAMPLE);
        lines.extend(middle.split('\n').skip(1));
    }
    lines.retain(|line| !is_blank(line));
    lines.into_iter().map(|line| head(line, WIDEST)).collect()
}

/// Whether a line begins with a time or a level, or nearly so.
fn is_marked(line: &str) -> bool {
    let line = head(line, NEAR + TIME_WIDEST);
    let bytes = line.as_bytes();
    (0..head(line, NEAR + 1).len()).any(|at| match bytes[at] {
        b'T' | b'I' | b'W' | b'E' | b'C' | b'w' | b'e' => is_level(line, at),
        b'D' | b'N' | b'F' if is_level(line, at) => true,
        b'0'..=b'9' | b' ' => is_stamp(bytes, at),
        b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D' => is_stamp(bytes, at),
        _ => false,
    })
}

fn is_level(line: &str, at: usize) -> bool {
    let free = line[..at].ends_with(|sign| is_space(sign) || matches!(sign, '[' | '(' | '|'));
    let ends =
        |rest: &str| !rest.starts_with(|sign: char| sign.is_ascii_alphanumeric() || sign == '_');
    (at == 0 || free)
        && LEVELS
            .iter()
            .any(|level| line[at..].strip_prefix(level).map_or(false, ends))
}

/// Whether a line is of a file of configuration or code: `_OPENING`.
fn opens(line: &str) -> bool {
    let whole = line;
    let line = line.trim_start_matches(is_space);
    if is_sparse(line) || (line.len() < whole.len() && is_operation(line)) {
        return true;
    }
    let item = line
        .strip_prefix('-')
        .map(|rest| rest.trim_start_matches(' '));
    let is_item = item.map_or(false, |item| item.len() + 1 < line.len() && has_key(item));
    if is_item || has_key(line) {
        return true;
    }
    let section = |rest: &str| {
        let end = rest.find([']', ',', '"']);
        end.map_or(false, |end| {
            rest[end..].starts_with(']') && is_blank(&rest[end + 1..])
        })
    };
    let blank = |rest: &str| rest.starts_with(is_space);
    line.strip_prefix('[').map_or(false, section)
        || line.starts_with(['#', ';', '!', '%', '\\', '}', ']', ')'])
        || ["\"", "--", "-"]
            .iter()
            .any(|sign| line.strip_prefix(sign).map_or(false, blank))
}

/// `["']?[\w.$/-]{1,60}["']?\ {0,3}(?::(?:\s|$)|=)`
fn has_key(line: &str) -> bool {
    let quote = |sign| sign == '"' || sign == '\'';
    let start = line.strip_prefix(quote).unwrap_or(line);
    let rest = start
        .trim_start_matches(|sign| is_alnum(sign) || matches!(sign, '_' | '.' | '$' | '/' | '-'));
    let size = start[..start.len() - rest.len()].chars().count();
    if size == 0 || size > KEY_WIDEST {
        return false;
    }
    let rest = rest.strip_prefix(quote).unwrap_or(rest);
    let sign = rest.trim_start_matches(' ');
    if rest.len() - sign.len() > 3 {
        return false;
    }
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(is_space);
    sign.starts_with('=') || sign.strip_prefix(':').map_or(false, ends)
}

/// Whether a line ends as one does that others belong to; a line of JSON is whole.
fn goes_on(line: &str) -> bool {
    let end = line.trim_end_matches(is_space);
    ENDS.iter().any(|sign| end.ends_with(sign)) && !line.starts_with(['{', '['])
}

fn is_indented(line: &str) -> bool {
    let text = line.trim_start_matches(is_space);
    line.starts_with([' ', '\t']) && !text.starts_with(|sign: char| sign.is_ascii_digit())
}
