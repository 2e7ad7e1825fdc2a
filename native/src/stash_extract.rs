//! The extract of a long text that stays in a message: the twin of
//! `policies/compress/stash_extract.py`.

use std::collections::HashSet;

use crate::border::{run, Made, Text, Unfit};
use crate::json_hash::seed;
use crate::log_stamps::head;
use crate::stash_index::{index, Gap};
use crate::stash_told::tells;
use crate::stash_words::{is_space, known};

const WIDE: usize = 320; // characters of a line from which on it is cut into parts
const PART: usize = 160;
const CHUNK: usize = 32; // bytes that are first looked at together
const STOPS: [char; 4] = [',', ' ', '}', ']'];

/// See `stash_extract.extract`, of `length` characters: how many parts, and of how many, a NUL,
/// and the extract.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_extract(
    start: *const u8,
    size: usize,
    length: usize,
    names: bool,
    out: *mut Text,
) -> i32 {
    unsafe { run(start, size, out, |text| extract(text, length, names)) }
}

fn extract(text: &str, length: usize, names: bool) -> Made {
    if !known(text) {
        return Err(Unfit);
    }
    let borders = borders(text);
    let parts: Vec<&str> = borders
        .windows(2)
        .map(|ends| &text[ends[0]..ends[1]])
        .collect();
    let kept = kept(&parts, length / 2);
    let gaps = gaps(&kept);
    let places: Vec<Gap> = gaps
        .iter()
        .map(|gap| (borders[gap.0], borders[gap.1]))
        .collect();
    let named = if names {
        index(text, &places)
    } else {
        vec![String::new(); gaps.len()]
    };
    let shown = kept.iter().filter(|kept| **kept).count();
    let mut made = format!("{} {}\0", shown, parts.len());
    let mut at = 0;
    for ((gap, place), names) in gaps.iter().zip(places).zip(named) {
        let before = &text[at..place.0];
        made.push_str(before);
        if !before.is_empty() && !before.ends_with('\n') {
            made.push('\n');
        }
        note(gap.1 - gap.0, &names, &mut made);
        at = place.1;
    }
    made.push_str(&text[at..]);
    Ok(Some(made))
}

/// Where the lines and the pieces of lines end, from 0 on.
fn borders(text: &str) -> Vec<usize> {
    let mut borders = vec![0];
    let bytes = text.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let size = match feed(rest) {
            None => rest.len(),
            Some(at) if rest[at..].starts_with(b"\r\n") => at + 2,
            Some(at) => at + 1,
        };
        cut(&text[start..start + size], start, &mut borders);
        start += size;
        borders.push(start);
    }
    borders
}

/// Where the first line ends.
fn feed(bytes: &[u8]) -> Option<usize> {
    let clear = |chunk: &&[u8]| chunk.iter().fold(true, |all, byte| all & (*byte >= b' '));
    let begin = CHUNK * bytes.chunks_exact(CHUNK).take_while(clear).count();
    let is_feed = |byte: &u8| matches!(byte, 10..=13 | 28..=30);
    let place = bytes[begin..].iter().position(is_feed);
    place.map(|at| begin + at)
}

/// The borders of the pieces of a line that begins at `start`, but for its end.
fn cut(line: &str, start: usize, borders: &mut Vec<usize>) {
    let mut rest = line;
    let mut left = if line.len() > WIDE {
        line.chars().count()
    } else {
        0
    };
    while left > WIDE {
        let most = head(rest, PART);
        let least = head(most, PART / 4).len();
        let stop = most[least..].rfind(STOPS);
        let (piece, after) = rest.split_at(stop.map_or(most.len(), |at| least + at + 1));
        left -= piece.chars().count();
        rest = after;
        borders.push(start + line.len() - rest.len());
    }
}

/// Which parts stay: those that tell of a failure or a result, once where they are equal, and as
/// many from the beginning and from the end as there is `room` for, in characters.
fn kept<'a>(parts: &[&'a str], room: usize) -> Vec<bool> {
    let mut seen = HashSet::with_hasher(seed());
    let is_told = |part: &&'a str| tells(part) && seen.insert(part.trim_matches(is_space));
    let mut kept: Vec<bool> = parts.iter().map(is_told).collect();
    let sizes = || parts.iter().map(|part| part.chars().count());
    let first = fitting(sizes(), room);
    let last = fitting(sizes().rev(), room);
    kept[..first].fill(true);
    kept[parts.len() - last..].fill(true);
    kept
}

/// How many of the sizes there is room for together.
fn fitting(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let mut taken = 0;
    let fits = |size: &usize| {
        taken += size;
        taken <= room
    };
    sizes.take_while(fits).count()
}

/// From which part to which nothing is kept.
fn gaps(kept: &[bool]) -> Vec<(usize, usize)> {
    let mut gaps = Vec::new();
    let mut last = 0;
    for (at, _) in kept
        .iter()
        .chain([&true])
        .enumerate()
        .filter(|(_, kept)| **kept)
    {
        if at > last {
            gaps.push((last, at));
        }
        last = at + 1;
    }
    gaps
}

fn note(parts: usize, names: &str, made: &mut String) {
    made.push_str("[... ");
    let digits = parts.to_string();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            made.push(',');
        }
        made.push(digit);
    }
    made.push_str(" left out");
    if !names.is_empty() {
        made.push_str(", with ");
        made.push_str(names);
    }
    made.push_str(" ...]\n");
}
