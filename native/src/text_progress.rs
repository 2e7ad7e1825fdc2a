//! Telling progress from lines that end in carriage returns: the twin of
//! `policies/compress/text_progress.py`.

use crate::border::Unfit;
use crate::log_signs::{is_alnum, is_blank, is_space};

const SPINNER: usize = 2; // characters that say nothing
const WIDEST: usize = 400; // characters of a piece that is progress
const DIGITS: usize = 12; // of a share

/// Whether pieces of a row, each written over the one before, all but the last tell how far.
pub fn is_progress(pieces: &[&str]) -> Result<bool, Unfit> {
    let pieces: Vec<&str> = pieces
        .iter()
        .copied()
        .filter(|piece| !piece.is_empty())
        .collect();
    let pairs: Vec<&[&str]> = pieces.windows(2).filter(|pair| !is_erased(pair)).collect();
    let over: Vec<&str> = match pairs.len() {
        0 => return Ok(true),
        1 => pairs[0].to_vec(), // written over once: only by what goes on with the same words
        _ => pairs.iter().map(|pair| pair[0]).collect(),
    };
    if over.iter().any(|piece| size(piece) > WIDEST) {
        return Ok(false);
    }
    if is_still(&over) {
        return Ok(true);
    }
    let said = words(over[0]);
    if over[1..].iter().any(|piece| words(piece) != said) {
        return Ok(false);
    }
    let mut last = reached(over[0])?.unwrap_or(0); // it may begin before there is anything to tell
    for piece in &over[1..] {
        match reached(piece)? {
            Some(share) if share >= last => last = share,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn size(piece: &str) -> usize {
    piece.chars().count()
}

/// Whether there is nothing, or what follows are the blanks that take it away.
fn is_erased(pair: &[&str]) -> bool {
    is_blank(pair[0]) || (is_blank(pair[1]) && size(pair[1]) >= size(pair[0]))
}

/// Whether signs change, and nothing else: a wheel that turns, dots that become more.
fn is_still(over: &[&str]) -> bool {
    let said = |piece| -> Vec<&str> {
        let runs = str::split(piece, |sign| !is_alnum(sign));
        runs.filter(|run| !run.is_empty()).collect()
    };
    let first = said(over[0]);
    if over.iter().all(|piece| *piece == over[0]) {
        return false;
    }
    if first.is_empty() && over.iter().any(|piece| size(piece) > SPINNER) {
        return false;
    }
    over[1..].iter().all(|piece| said(piece) == first)
}

/// The runs of letters and digits that are left between amounts with their units.
fn words(piece: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(sign) = piece[at..].chars().next() {
        let end = amount(&piece[at..]).map(|size| at + size);
        if end.is_some() || !is_alnum(sign) {
            found.push(&piece[start..at]);
            start = end.unwrap_or(at + sign.len_utf8());
            at = start;
        } else {
            at += sign.len_utf8();
        }
    }
    found.push(&piece[start..]);
    found.retain(|word| !word.is_empty());
    found
}

/// The size of `(?:\?|[0-9][0-9.,:]*\s?)[A-Za-z]{0,3}(?:/s\b)?`
fn amount(text: &str) -> Option<usize> {
    let rest = if let Some(rest) = text.strip_prefix('?') {
        rest
    } else if text.starts_with(|sign: char| sign.is_ascii_digit()) {
        let number = |sign: char| sign.is_ascii_digit() || matches!(sign, '.' | ',' | ':');
        let rest = text.trim_start_matches(number);
        rest.strip_prefix(is_space).unwrap_or(rest)
    } else {
        return None;
    };
    let unit = rest
        .bytes()
        .take(3)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let rest = &rest[unit..];
    let rest = rest
        .strip_prefix("/s")
        .filter(|rest| !rest.starts_with(is_word))
        .unwrap_or(rest);
    Some(text.len() - rest.len())
}

fn is_word(sign: char) -> bool {
    is_alnum(sign) || sign == '_'
}

/// How far it says that it has come, if it does.
fn reached(piece: &str) -> Result<Option<u64>, Unfit> {
    let bytes = piece.as_bytes();
    let digits = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit());
    if let Some(share) = digits
        .clone()
        .find_map(|at| percent(bytes, at).or_else(|| part(bytes, at)))
    {
        return share.parse().map(Some).map_err(|_| Unfit);
    }
    let first = match digits.clone().next() {
        Some(first) if has_meter(piece) => first,
        _ => return Ok(None),
    };
    number(bytes, first, bytes.len())
        .parse()
        .map(Some)
        .map_err(|_| Unfit)
}

/// Up to so many digits from here on.
fn number(bytes: &[u8], at: usize, most: usize) -> &str {
    let digits = bytes[at..]
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    std::str::from_utf8(&bytes[at..at + digits]).unwrap_or("")
}

/// `([0-9]{1,12})(?:\.[0-9]{1,12})?\s?%`
fn percent(bytes: &[u8], at: usize) -> Option<&str> {
    let share = number(bytes, at, DIGITS);
    let mut end = at + share.len();
    if bytes.get(end) == Some(&b'.') {
        let fraction = number(bytes, end + 1, DIGITS);
        end += if fraction.is_empty() {
            0
        } else {
            1 + fraction.len()
        };
    }
    end += usize::from(
        bytes
            .get(end)
            .map_or(false, |byte| is_space(char::from(*byte))),
    );
    (bytes.get(end) == Some(&b'%')).then_some(share)
}

/// `(?<![0-9/.])([0-9]{1,12})[0-9.]{0,12}/[0-9.]{1,12}(?![0-9/.])`
fn part(bytes: &[u8], at: usize) -> Option<&str> {
    let of_number = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    if at > 0 && (of_number(&&bytes[at - 1]) || bytes[at - 1] == b'/') {
        return None;
    }
    let share = number(bytes, at, DIGITS);
    let run = |from: usize| bytes[from..].iter().take_while(of_number).count();
    let slash = at + share.len() + run(at + share.len());
    if slash - at - share.len() > DIGITS || bytes.get(slash) != Some(&b'/') {
        return None;
    }
    let whole = run(slash + 1);
    let ends = bytes.get(slash + 1 + whole) != Some(&b'/');
    ((1..=DIGITS).contains(&whole) && ends).then_some(share)
}

/// `-:--|:[0-9]{2} +[0-9]:[0-9]{2}:|[A-Za-z]/s\b|\b(?:ETA|eta)\b`
fn has_meter(piece: &str) -> bool {
    let bytes = piece.as_bytes();
    let two = |at: usize| number(bytes, at.min(bytes.len()), 3).len() == 2;
    let clock = |at: usize| {
        let gap = bytes[at..]
            .iter()
            .skip(3)
            .take_while(|byte| **byte == b' ')
            .count();
        let hour = at + 3 + gap;
        two(at + 1)
            && gap > 0
            && bytes.get(hour).map_or(false, u8::is_ascii_digit)
            && bytes.get(hour + 1) == Some(&b':')
            && two(hour + 2)
            && bytes.get(hour + 4) == Some(&b':')
    };
    let free = |at: usize, size: usize| {
        !piece[..at].ends_with(is_word) && !piece[at + size..].starts_with(is_word)
    };
    (0..bytes.len()).any(|at| match bytes[at] {
        b'-' => bytes[at..].starts_with(b"-:--"),
        b':' => clock(at),
        b'/' => {
            at > 0
                && bytes[at - 1].is_ascii_alphabetic()
                && piece[at + 1..]
                    .strip_prefix('s')
                    .map_or(false, |rest| !rest.starts_with(is_word))
        }
        b'E' | b'e' => {
            let found = bytes[at..].starts_with(b"ETA") || bytes[at..].starts_with(b"eta");
            found && free(at, 3)
        }
        _ => false,
    })
}
