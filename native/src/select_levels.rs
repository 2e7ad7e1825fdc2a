//! Levels of logs that mean trouble: the twin of what `_FORMS` says of them in
//! `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_signs::{begins, behind};

const SAID: [&str; 6] = ["err", "fatal", "critical", "panic", "alert", "emerg"];
#[rustfmt::skip]
const LEVELS: [&str; 11] = [
    "err", "error", "fatal", "crit", "critical", "severe", "panic", "alert", "emerg", "fail",
    "failed",
];
#[rustfmt::skip]
const FACILITIES: [&str; 13] = [
    "kern", "daemon", "authpriv", "cron", "syslog",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
const FRACTION: usize = 9; // digits

/// `["']? ?[=:] ?["']?(?:err|…)`
pub fn is_said(rest: &str) -> bool {
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    rest.strip_prefix(['=', ':']).map_or(false, |rest| {
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        SAID.iter().any(|level| behind(rest, level).is_some())
    })
}

/// Whether it is a level in brackets, in a column, or behind a time.
pub fn is_level(before: &str, rest: &str) -> bool {
    let near = before.strip_suffix(' ').unwrap_or(before);
    if near.ends_with(|sign: char| sign.is_ascii_lowercase()) {
        return false; // as mostly in prose
    }
    if rest.starts_with("ERR") && rest[3..].starts_with([' ', ':', '|', ']']) && is_column(before) {
        return true;
    }
    let mut ends = LEVELS.iter().filter_map(|level| behind(rest, level));
    ends.any(|end| is_placed(before, end))
}

fn is_placed(before: &str, rest: &str) -> bool {
    (rest.starts_with([' ', ':', ']']) && is_timed(before))
        || (rest.starts_with('>') && is_tag(before))
        || (is_closed(rest) && is_bracketed(before))
}

/// `(?:[0-9A-Z] |[\[\]|:>] ?)`
fn is_column(before: &str) -> bool {
    let word = |sign: char| sign.is_ascii_digit() || sign.is_ascii_uppercase();
    let sign = ['[', ']', '|', ':', '>'];
    let column = before.strip_suffix(' ');
    column.map_or(false, |before| before.ends_with(word))
        || column.unwrap_or(before).ends_with(sign)
}

/// `(?:^|[ \t])<`
fn is_tag(before: &str) -> bool {
    let before = before.strip_suffix('<');
    before.map_or(false, |it| it.is_empty() || it.ends_with(['\n', ' ', '\t']))
}

/// `(?:^|[ \t\]|>:])\[(?:[a-z_]*:)?`
fn is_bracketed(before: &str) -> bool {
    let module = |sign: char| sign.is_ascii_lowercase() || sign == '_';
    let before = match before.strip_suffix(':') {
        Some(before) => before.trim_end_matches(module),
        None => before,
    };
    let before = before.strip_suffix('[');
    let start = ['\n', ' ', '\t', ']', '|', '>', ':'];
    before.map_or(false, |it| it.is_empty() || it.ends_with(start))
}

/// ` *\](?:[^(]|$)`
fn is_closed(rest: &str) -> bool {
    let end = rest.trim_start_matches(' ').strip_prefix(']');
    end.map_or(false, |end| !end.starts_with('('))
}

/// `:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?Z?\]? `
fn is_timed(before: &str) -> bool {
    let before = match before.strip_suffix(' ') {
        Some(before) => before.strip_suffix(']').unwrap_or(before),
        None => return false,
    };
    let time = before.strip_suffix('Z').unwrap_or(before).as_bytes();
    let digits = time.iter().rev().take(FRACTION + 1);
    let size = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let whole = &time[..time.len() - size];
    match whole.split_last() {
        Some((b'.' | b',', whole)) if (1..=FRACTION).contains(&size) => is_clock(whole),
        _ => is_clock(time),
    }
}

/// `:[0-9]{2}:[0-9]{2}` at the end.
fn is_clock(time: &[u8]) -> bool {
    match time {
        [.., b':', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// `\b(?:kern|…)\.(?:err|crit|alert|emerg) `, the start of which is before.
pub fn is_facility(before: &str, rest: &str) -> Result<bool, Unfit> {
    let level = [".err ", ".crit ", ".alert ", ".emerg "];
    if level.iter().any(|level| rest.starts_with(level)) {
        for name in FACILITIES {
            if let Some(before) = before.strip_suffix(name) {
                return begins(before);
            }
        }
    }
    Ok(false)
}
