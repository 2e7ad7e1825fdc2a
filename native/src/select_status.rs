//! Answers of servers that say of failure: the twin of what `_FORMS` says of them in
//! `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_signs::{after, begins, behind};

const REASONS: [&str; 8] = [
    "Not Found",
    "Internal Server",
    "Bad ",
    "Forbidden",
    "Unauthorized",
    "Service Unavailable",
    "Gateway Time",
    "Too Many",
];

/// `\b[45][0-9]{2} (?:Not Found|…)` before and behind the blank.
pub fn is_reason(before: &str, rest: &str) -> Result<bool, Unfit> {
    if !before.ends_with(' ') || !REASONS.iter().any(|reason| after(rest, reason).is_some()) {
        return Ok(false);
    }
    let bytes = before.as_bytes();
    let at = match bytes.len().checked_sub(4) {
        Some(at) if is_status(&bytes[at..]) => at,
        _ => return Ok(false),
    };
    begins(&before[..at])
}

/// `[45][0-9]{2}`
fn is_status(rest: &[u8]) -> bool {
    rest.len() > 2 && matches!(rest[0], b'4' | b'5') && rest[1..3].iter().all(u8::is_ascii_digit)
}

/// Behind `(?i:status["']?[ :=] ?[45][0-9]{2})|HTTP(?:/[0-9.]{1,3})? [45][0-9]{2}`
pub fn served(rest: &str) -> Option<&str> {
    let status = if let Some(rest) = behind(rest, "status") {
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        let rest = rest.strip_prefix([' ', ':', '='])?;
        rest.strip_prefix(' ').unwrap_or(rest)
    } else {
        let rest = rest.strip_prefix("HTTP")?;
        let version = rest.strip_prefix('/').map(|version| {
            let end = version.trim_start_matches(|sign: char| sign.is_ascii_digit() || sign == '.');
            (version.len() - end.len(), end)
        });
        match version {
            Some((1..=3, end)) => end.strip_prefix(' ')?,
            Some(_) => return None,
            None => rest.strip_prefix(' ')?,
        }
    };
    is_status(status.as_bytes()).then(|| &status[3..])
}
