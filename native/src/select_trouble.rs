//! Errors and exit codes: the twin of `troubled` in `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_frames::has_frame;
use crate::select_levels::{is_facility, is_level, is_said};
use crate::select_phrases::is_phrase;
use crate::select_signs::{after, begins, behind, ends, Starts};
use crate::select_status::{is_reason, served};

#[rustfmt::skip]
static STARTS: Starts = Starts::new(&[
    *b"perm", *b"acce", *b"conn", *b"no s", *b"comm", *b"segm", *b"core", *b"out ", *b"time",
    *b"synt", *b"asse", *b"unha", *b"stac",
    *b"erro", *b"fata", *b"crit", *b"seve", *b"pani", *b"fail", *b"aler", *b"emer", *b"exce",
    *b"faul", *b"warn", *b"exit", *b"retu", *b"stat", *b"with", *b"err!", *b"errn", *b"err_",
    *b"enoe", *b"eacc", *b"eper", *b"econ", *b"etim", *b"leve", *b"http", *b"not ", *b"inte",
    *b"bad ", *b"forb", *b"unau", *b"serv", *b"gate", *b"too ", *b"back", *b"oomk", *b"unde",
    *b"curl", *b"*** ", *b"ora-", *b"sqls", *b"erri",
    *b"err ", *b"err]", *b"err:", *b"err|", *b"err>", *b".err", *b".cri", *b".ale", *b".eme",
    *b"rc =", *b"rc :",
    *b"rc= ", *b"rc=-", *b"rc=0", *b"rc=1", *b"rc=2", *b"rc=3", *b"rc=4", *b"rc=5", *b"rc=6",
    *b"rc=7", *b"rc=8", *b"rc=9", *b": er", *b"pbac", *b"lbac", *b"cann", *b"unab", *b"inva",
    *b"oper", *b"brok", *b"addr", *b"no r", *b"unre", *b"dead",
    *b"rc: ", *b"rc:-", *b"rc:0", *b"rc:1", *b"rc:2", *b"rc:3", *b"rc:4", *b"rc:5", *b"rc:6",
    *b"rc:7", *b"rc:8", *b"rc:9",
], 4);
const LOUD: [&str; 10] = [
    "ERROR", "FATAL", "CRITICAL", "SEVERE", "PANIC", "FAIL", "FAILED", "FAILURE", "ALERT", "EMERG",
];
const NAMED: [&str; 5] = ["Error", "Exception", "Failure", "Fault", "Warning"];
const SPOKEN: [&str; 6] = ["error", "fatal", "exception", "failure", "panic", "warning"];
const CODED: [&str; 6] = ["returned", "return", "error", "status", "exit", "with"];
#[rustfmt::skip]
const WHOLE: [&str; 9] = [
    "ENOENT", "EACCES", "EPERM", "ETIMEDOUT", "OOMKilled", "OOMKilling", "OOMKill", "SQLSTATE",
    "ErrImagePull",
];
const MARKS: [&str; 3] = ["undefined reference", "undefined symbol", "curl: ("];

/// Whether a passage has an error, an exit code or a stack frame in it.
pub fn troubled(text: &str) -> Result<bool, Unfit> {
    if has_frame(text)? {
        return Ok(true);
    }
    let mut from = 0;
    while let Some(at) = STARTS.find(text.as_bytes(), from) {
        if text.is_char_boundary(at) && is_trouble(text, at)? {
            return Ok(true);
        }
        from = at + 1;
    }
    Ok(false)
}

fn is_trouble(text: &str, at: usize) -> Result<bool, Unfit> {
    let (before, rest) = text.split_at(at);
    let bytes = rest.as_bytes();
    let first = bytes[0] | 0x20;
    let any = |letters: &[u8]| letters.contains(&first);
    let found = is_phrase(bytes)
        || (first == b'e' && is_quoted(before, rest))
        || (first == b'f' && is_counted(before, rest)?)
        || (first == b'*' && is_made(before, rest))
        || (first == b'.' && is_facility(before, rest)?)
        || (any(b"bfginstu") && is_reason(before, rest)?)
        || (any(b"efw") && is_named(before, rest)?);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if found || before.as_bytes().last().map_or(false, inner) {
        return Ok(found);
    }
    let word = (any(b"acefps") && (is_loud(rest)? || is_level(before, rest)))
        || (any(b"efpw") && is_spoken(rest))
        || (any(b"elrsw") && is_told(rest))
        || (any(b"bcehnopsu") && is_marked(rest)?);
    Ok(word && begins(before)?)
}

/// `(?:Error|…)\b ?:` and `[a-z](?:Error|Exception)\b`
fn is_named(before: &str, rest: &str) -> Result<bool, Unfit> {
    for name in NAMED {
        if let Some(end) = after(rest, name) {
            let inner = before.ends_with(|sign: char| sign.is_ascii_lowercase());
            let short = matches!(name, "Error" | "Exception");
            return Ok(is_colon(end) || (inner && short && ends(end)?));
        }
    }
    Ok(false)
}

/// `["']errors?["'] ?:`
fn is_quoted(before: &str, rest: &str) -> bool {
    let quote = ['"', '\''];
    let end = rest
        .strip_prefix("error")
        .filter(|_| before.ends_with(quote));
    let end = end.map(|end| end.strip_prefix('s').unwrap_or(end));
    end.and_then(|end| end.strip_prefix(quote))
        .map_or(false, is_colon)
}

/// `[0-9] failed\b`
fn is_counted(before: &str, rest: &str) -> Result<bool, Unfit> {
    let number = before.strip_suffix(' ').unwrap_or("");
    if !number.ends_with(|sign: char| sign.is_ascii_digit()) {
        return Ok(false);
    }
    after(rest, "failed").map_or(Ok(false), ends)
}

/// `(?:make|\]): \*{3} `, the start of which is before.
fn is_made(before: &str, rest: &str) -> bool {
    let made = before.ends_with("make: ") || before.ends_with("]: ");
    made && after(rest, "*** ").is_some()
}

fn is_loud(rest: &str) -> Result<bool, Unfit> {
    for word in LOUD {
        if let Some(end) = after(rest, word) {
            if ends(end)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// `(?i:(?:error|…)s? ?:)`
fn is_spoken(rest: &str) -> bool {
    SPOKEN.iter().any(|word| {
        behind(rest, word).map_or(false, |end| {
            is_colon(end) || is_colon(end.strip_prefix(['s', 'S']).unwrap_or(end))
        })
    })
}

fn is_colon(rest: &str) -> bool {
    rest.strip_prefix(' ').unwrap_or(rest).starts_with(':')
}

/// A number behind `exit`, `code`, `rc` or `errno`, or a level.
fn is_told(rest: &str) -> bool {
    is_exit(rest)
        || CODED
            .iter()
            .any(|word| behind(rest, word).map_or(false, is_code))
        || behind(rest, "rc").map_or(false, |end| {
            let sign = end.strip_prefix(' ').unwrap_or(end);
            sign.starts_with([':', '=']) && is_amount(sign)
        })
        || behind(rest, "err!").is_some()
        || behind(rest, "errno ").map_or(false, is_number)
        || behind(rest, "level").map_or(false, is_said)
        || behind(rest, "returned ").map_or(false, is_result)
}

/// `exit(?:ed)?(?: with)?(?: (?:code|status))?` and an amount.
fn is_exit(rest: &str) -> bool {
    let mut rest = match behind(rest, "exit") {
        Some(rest) => behind(rest, "ed").unwrap_or(rest),
        None => return false,
    };
    rest = behind(rest, " with").unwrap_or(rest);
    rest = behind(rest, " code")
        .or_else(|| behind(rest, " status"))
        .unwrap_or(rest);
    is_amount(rest)
}

/// `[ _]?code["']?` and an amount.
fn is_code(rest: &str) -> bool {
    let rest = behind(rest.strip_prefix([' ', '_']).unwrap_or(rest), "code");
    rest.map_or(false, |rest| {
        is_amount(rest.strip_prefix(['"', '\'']).unwrap_or(rest))
    })
}

/// ` ?[:=]? ?-?[0-9]`
fn is_amount(rest: &str) -> bool {
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let rest = rest.strip_prefix([':', '=']).unwrap_or(rest);
    is_number(rest.strip_prefix(' ').unwrap_or(rest))
}

/// `-?[0-9]`
fn is_number(rest: &str) -> bool {
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    rest.starts_with(|sign: char| sign.is_ascii_digit())
}

/// `(?:-?[0-9]{1,3}$|(?:a )?non-?zero)`
fn is_result(rest: &str) -> bool {
    let number = rest.strip_prefix('-').unwrap_or(rest);
    let end = number.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let digits = number.len() - end.len();
    let word = behind(behind(rest, "a ").unwrap_or(rest), "non");
    let zero = |rest: &str| behind(rest.strip_prefix('-').unwrap_or(rest), "zero").is_some();
    ((1..=3).contains(&digits) && (end.is_empty() || end.starts_with('\n')))
        || word.map_or(false, zero)
}

/// What is trouble in a certain case only, and where words end behind it.
fn is_marked(rest: &str) -> Result<bool, Unfit> {
    if MARKS.iter().any(|mark| after(rest, mark).is_some()) {
        return Ok(true);
    }
    let end = WHOLE.iter().find_map(|name| after(rest, name));
    let end = end
        .or_else(|| behind(rest, "backtrace"))
        .or_else(|| behind(rest, "panicked at"))
        .or_else(|| lettered(rest.strip_prefix("ECONN")?))
        .or_else(|| served(rest))
        .or_else(|| numbered(rest.strip_prefix("error ")?))
        .or_else(|| five(rest.strip_prefix("ORA-")?));
    if let Some(end) = end {
        return ends(end);
    }
    let next = |start: &str, is: fn(&char) -> bool| {
        let end = rest.strip_prefix(start);
        end.and_then(|end| end.chars().next())
            .map_or(false, |sign| is(&sign))
    };
    Ok(rest.starts_with("error[")
        || next("ERR_", char::is_ascii_uppercase)
        || next("not ok ", char::is_ascii_digit))
}

/// Behind `[A-Z]+`
fn lettered(rest: &str) -> Option<&str> {
    let end = rest.trim_start_matches(|sign: char| sign.is_ascii_uppercase());
    (end.len() < rest.len()).then_some(end)
}

/// Behind `[A-Z]{1,4}[0-9]{2,5}`, where all are taken.
fn numbered(rest: &str) -> Option<&str> {
    let digits = lettered(rest)?;
    let end = digits.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let sizes = (rest.len() - digits.len(), digits.len() - end.len());
    ((1..=4).contains(&sizes.0) && (2..=5).contains(&sizes.1)).then_some(end)
}

/// Behind `[0-9]{5}`
fn five(rest: &str) -> Option<&str> {
    let size = rest.bytes().take(5).filter(u8::is_ascii_digit).count();
    rest.get(size..).filter(|_| size == 5)
}
