//! What a person sees of a program's output: the twin of `policies/compress/text_screen.py`.
//!
//! Movements of the cursor and backspaces are left to Python, as is what is erased by codes, but
//! where there is nothing to erase.

use std::borrow::Cow;

use crate::border::{run, Made, Text, Unfit};
use crate::log_signs::known;
use crate::text_progress::is_progress;

const ESCAPE: char = '\x1b';
const ERASE: [&str; 2] = ["\x1b[K", "\x1b[0K"]; // to the end of the row

/// See `text_screen.screen`.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_screen(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe {
        run(start, size, out, |text| {
            Ok(made(text, tidied(&shown(text)?)))
        })
    }
}

/// See `text_screen.shown`.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_shown(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe {
        run(start, size, out, |text| {
            Made::Ok(made(text, shown(text)?.into_owned()))
        })
    }
}

fn made(text: &str, seen: String) -> Option<String> {
    if seen == text {
        None
    } else {
        Some(seen)
    }
}

/// What the terminal shows, blanks untouched.
pub fn shown(text: &str) -> Result<Cow<'_, str>, Unfit> {
    if text.contains('\x08') {
        return Err(Unfit);
    }
    let plain = if text.contains(ESCAPE) {
        Cow::Owned(plain(text)?)
    } else {
        Cow::Borrowed(text)
    };
    let ends = |at: usize| plain.as_bytes().get(at + 1) == Some(&b'\n');
    let erases = plain.contains(ESCAPE);
    if !erases && plain.match_indices('\r').all(|(at, _)| ends(at)) {
        return Ok(plain);
    }
    if !known(&plain) {
        return Err(Unfit);
    }
    let mut out = String::with_capacity(plain.len());
    let mut rows = plain.split('\n').peekable();
    while let Some(row) = rows.next() {
        if rows.peek().is_none() {
            over_row(row, &mut out)?;
            break;
        }
        let bare = row.trim_end_matches('\r');
        if erases || row.strip_suffix('\r').unwrap_or(row).contains('\r') {
            over_row(bare, &mut out)?;
            out.push_str(if bare.len() < row.len() { "\r" } else { "" });
        } else {
            out.push_str(row);
        }
        out.push('\n');
    }
    Ok(Cow::Owned(out))
}

/// What a row shows in the end.
fn over_row(row: &str, out: &mut String) -> Result<(), Unfit> {
    if row.contains(ESCAPE) {
        let written = row.replace(ERASE[0], "").replace(ERASE[1], "");
        out.push_str(&written);
        return if written.contains(['\r', ESCAPE]) {
            Err(Unfit)
        } else {
            Ok(())
        };
    }
    if !row.contains('\r') {
        out.push_str(row);
        return Ok(());
    }
    let bare = row.trim_end_matches([' ', '\t', '\r']);
    if !is_progress(&bare.split('\r').collect::<Vec<_>>())? {
        out.push_str(bare);
        return Ok(());
    }
    let mut width = 0; // the last piece is seen whole, of those before it what stands out beyond
    for piece in row.trim_end_matches(['\t', '\r']).rsplit('\r') {
        let beyond = piece
            .char_indices()
            .nth(width)
            .map_or("", |(at, _)| &piece[at..]);
        out.push_str(beyond);
        width += beyond.chars().count();
    }
    Ok(())
}

/// Without colours, titles and the like.
fn plain(text: &str) -> Result<String, Unfit> {
    let untitled = without(text, |code| Ok(titled(code)))?;
    without(&untitled, coded)
}

/// Without what stands behind escapes, as far as `size` tells, and without those; an escape
/// that has none stays.
fn without(text: &str, size: fn(&str) -> Result<Option<usize>, Unfit>) -> Result<String, Unfit> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        out.push_str(&rest[..at]);
        let code = &rest[at + 1..];
        match size(code)? {
            Some(size) => rest = &code[size..],
            None => {
                out.push(ESCAPE);
                rest = code;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The size of a title, a link or another string: `[]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?`
fn titled(code: &str) -> Option<usize> {
    if !code.starts_with([']', 'P', 'X', '^', '_']) {
        return None;
    }
    let rest = code.trim_start_matches(|sign| !matches!(sign, '\x07' | ESCAPE | '\n'));
    let end = ["\x07", "\x1b\\"]
        .iter()
        .find_map(|end| rest.strip_prefix(end))
        .unwrap_or(rest);
    Some(code.len() - end.len())
}

/// The size of a code: `\[([0-9:;<=>?]*)[ -/]*([@-~])|[ -/]*[0-~]?`
fn coded(code: &str) -> Result<Option<usize>, Unfit> {
    let run = |text: &str, signs: std::ops::RangeInclusive<u8>| {
        text.bytes().take_while(|byte| signs.contains(byte)).count()
    };
    if let Some(rest) = code.strip_prefix('[') {
        let end = run(rest, b'0'..=b'?');
        let end = end + run(&rest[end..], b' '..=b'/');
        match rest.as_bytes().get(end) {
            Some(b'K') if matches!(&rest[..end], "" | "0") => return Ok(None),
            Some(b'A'..=b'G' | b'J' | b'K') => return Err(Unfit),
            Some(b'@'..=b'~') => return Ok(Some(end + 2)),
            _ => {}
        }
    }
    let end = run(code, b' '..=b'/');
    Ok(Some(
        end + usize::from(code[end..].starts_with(|sign| ('0'..='~').contains(&sign))),
    ))
}

/// Without blanks at line ends, and of blank lines in a row all but one.
fn tidied(text: &str) -> String {
    let blank = |sign| sign == ' ' || sign == '\t';
    let mut out = String::with_capacity(text.len());
    let mut ends = 0; // line ends in a row
    for row in text.split_inclusive('\n') {
        let line = row.strip_suffix('\n').unwrap_or(row);
        let bare = line.strip_suffix('\r').unwrap_or(line);
        let kept = bare.trim_end_matches(blank);
        ends = if kept.is_empty() { ends + 1 } else { 1 };
        if ends < 3 || line.len() == row.len() {
            out.push_str(kept);
            out.push_str(&row[bare.len()..]);
        }
    }
    out
}
