//! Lines and blocks of lines that repeat at once: the twin of `noted` in
//! `policies/compress/text_repeats.py`.

use crate::border::{run, Made, Text};
use crate::log_hash::Index;

const PERIOD: usize = 64; // lines of a block
const SHORTEST: usize = 60; // characters of repetition that a note must save
const LOOKS: &str = "[the last ";

/// See `text_repeats.noted`.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_repeats(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe { run(start, size, out, noted) }
}

fn noted(text: &str) -> Made {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut index = Index::new();
    let mut first: Vec<&str> = Vec::new();
    let mut numbers = Vec::with_capacity(lines.len());
    for line in &lines {
        let number = index.number(line, |known| first[known] == *line);
        if number == first.len() {
            first.push(line);
        }
        numbers.push(number);
    }
    if first.len() == lines.len() {
        return Ok(None);
    }
    let encoded = written(&lines, &numbers, first.len());
    let shorter = encoded.chars().count() < text.chars().count();
    Ok(if shorter { Some(encoded) } else { None })
}

/// Each line, as a note if it and those after it are those before it again.
fn written(lines: &[&str], numbers: &[usize], distinct: usize) -> String {
    let mut out = String::new();
    let mut seen: Vec<Option<usize>> = vec![None; distinct];
    let mut place = 0;
    while place < lines.len() {
        if place > 0 {
            out.push('\n');
        }
        let before = seen[numbers[place]].filter(|before| place - before <= PERIOD);
        if let Some(before) = before {
            let period = place - before;
            let times = times(numbers, place, period);
            let block = &lines[before..place];
            let size: usize = block.iter().map(|line| line.chars().count() + 1).sum();
            if times > 0 && times * size >= SHORTEST {
                out.push_str(&note(period, times));
                place += times * period;
                continue;
            }
        }
        seen[numbers[place]] = Some(place);
        if looks(lines[place]) {
            out.push('\\');
        }
        out.push_str(lines[place]);
        place += 1;
    }
    out
}

/// How often the `period` lines before `place` follow again.
fn times(numbers: &[usize], place: usize, period: usize) -> usize {
    let block = &numbers[place - period..place];
    numbers[place..]
        .chunks_exact(period)
        .take_while(|again| *again == block)
        .count()
}

fn note(period: usize, times: usize) -> String {
    let what = if period == 1 {
        String::from("line repeats")
    } else {
        format!("{period} lines repeat")
    };
    let plural = if times > 1 { "s" } else { "" };
    format!("[the last {what} {times} more time{plural}]")
}

/// `\\*\[the last [^\n]*\]\r?`
fn looks(line: &str) -> bool {
    let note = line.trim_start_matches('\\');
    let end = note.strip_suffix('\r').unwrap_or(note);
    note.starts_with(LOOKS) && end.len() > LOOKS.len() && end.ends_with(']')
}
