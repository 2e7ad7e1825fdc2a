//! Logs in fewer tokens: the twin of `policies/compress/log_codec.py`.

use crate::border::{run, Made, Text, Unfit};
use crate::log_blocks::join;
use crate::log_entries::{Entries, Entry, Lines, RAW};
use crate::log_groups::{groups, Words, GAP};
use crate::log_notation::write;
use crate::log_read::read;
use crate::log_signs::known;
use crate::log_stamps::{chosen, head, take, MARK};

const FEWEST: usize = 8; // lines
const PROBE: usize = 150; // lines of a long text on which the gain is tried first
const BLOCK: usize = 25; // lines, four times, by which it is seen first whether lines are alike
const ALIKE: f64 = 0.02; // of their characters are those of other lines, or they have times

const BEGINS: &str = "[log of ";
const COUNTS: &str = " lines";
const CRLF: &str = ", each ending in CRLF";
const SAYS: &str = ", rewritten without loss: A=… is a template, `A x y` a line of it with x for \
    {0} and y for {1}; digits before the letter replace the end of the time {t}, which else is \
    unchanged, as does @; ^ is the value of the last A line; after a space stands any other line]";

/// `log_codec.encode` for any text, without the comparison of counts.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_log_encode(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe { run(start, size, out, encode) }
}

/// See `log_codec.decode`.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_log_decode(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe { run(start, size, out, |text| decode(text).map(Some)) }
}

fn encode(text: &str) -> Made {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count();
    if lines < FEWEST || text.contains(MARK) || text.contains(GAP) {
        return Ok(None);
    }
    if !known(text) {
        return Err(Unfit);
    }
    let crlf = text
        .split_inclusive('\n')
        .take(lines)
        .all(|line| line.ends_with("\r\n"));
    let unix = if crlf {
        text.replace("\r\n", "\n")
    } else {
        String::new()
    };
    let whole = if crlf { unix.as_str() } else { text };
    let body = whole.strip_suffix('\n').unwrap_or(whole);
    if lines > 8 * BLOCK && !alike(body) {
        return Ok(None);
    }
    if lines > 12 * PROBE && !promising(body)? {
        return Ok(None);
    }
    let ends = if crlf { CRLF } else { "" };
    let mut encoded = format!("{BEGINS}{lines}{COUNTS}{ends}{SAYS}\n");
    rewrite(body, &mut encoded)?;
    encoded.push_str(&whole[body.len()..]);
    Ok(Some(encoded))
}

fn decode(encoded: &str) -> Result<String, Unfit> {
    let (head, rest) = encoded.split_once('\n').unwrap_or((encoded, ""));
    let counted = head.strip_prefix(BEGINS).ok_or(Unfit)?;
    let ends = counted.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let says = ends
        .strip_prefix(COUNTS)
        .filter(|_| ends.len() < counted.len())
        .ok_or(Unfit)?;
    let unix = says.strip_prefix(CRLF).unwrap_or(says);
    if unix != SAYS {
        return Err(Unfit);
    }
    let body = rest.strip_suffix('\n').unwrap_or(rest);
    let mut text = read(body)?;
    text.push_str(&rest[body.len()..]);
    Ok(if unix.len() < says.len() {
        text.replace('\n', "\r\n")
    } else {
        text
    })
}

/// Whether lines have a time or words in common, as those of prose do not.
fn alike(text: &str) -> bool {
    if chosen(head(text, BLOCK * 100)).is_some() {
        return true;
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let block = |quarter| {
        lines
            .iter()
            .copied()
            .skip(lines.len() * quarter / 4)
            .take(BLOCK)
    };
    let sample: Vec<&str> = (0..4).flat_map(block).collect();
    let words = Words::of(&sample);
    let constant = |shape: &u32| {
        words
            .shape_text(*shape)
            .chars()
            .filter(|sign| *sign != GAP)
            .count()
    };
    let same: usize = groups(&words)
        .iter()
        .map(|group| group.lines.len() * group.form.iter().map(constant).sum::<usize>())
        .sum();
    let all: usize = sample.iter().map(|line| line.chars().count()).sum();
    same as f64 >= ALIKE * all as f64
}

/// Whether the first lines of a long text are the shorter for it.
fn promising(text: &str) -> Result<bool, Unfit> {
    let end = text
        .match_indices('\n')
        .nth(PROBE - 1)
        .map_or(text.len(), |(end, _)| end);
    let part = &text[..end];
    let mut short = String::new();
    rewrite(part, &mut short)?;
    Ok(short.chars().count() * 10 < part.chars().count() * 9)
}

fn rewrite(body: &str, out: &mut String) -> Result<(), Unfit> {
    let whole: Vec<&str> = body.split('\n').collect();
    let taken = take(body, &whole);
    let (marked, stamps) = match &taken {
        Some((marked, stamps)) => (marked.split('\n').collect(), stamps.clone()),
        None => (whole.clone(), vec![""; whole.len()]),
    };
    let lines = Lines {
        whole,
        marked,
        stamps,
    };
    let mut log = Entries::of(&lines);
    join(&mut log);
    prune(&mut log, &lines);
    write(&log, &lines, out)
}

/// Away with the templates that cost more to list than they save.
fn prune<'a>(log: &mut Entries<'a>, lines: &Lines<'a>) {
    let uses = log.uses();
    let poor: Vec<bool> = (0..uses.len())
        .map(|number| is_poor(log, number, uses[number]))
        .collect();
    if poor.contains(&true) {
        let entries = std::mem::take(&mut log.entries);
        for entry in entries {
            if entry.template == RAW || !poor[entry.template] {
                log.entries.push(entry);
                continue;
            }
            for line in entry.line..entry.line + log.templates[entry.template].lines() {
                let single = Entry { line, ..entry };
                let loosened = log.loose(single, lines);
                log.entries.push(loosened);
            }
        }
    }
    let uses = log.uses();
    for entry in &mut log.entries {
        let number = entry.template;
        if number != RAW && uses[number] == 1 && log.templates[number].loose {
            *entry = Entry {
                template: RAW,
                stamp: "",
                ..*entry
            };
        }
    }
}

fn is_poor(log: &Entries<'_>, number: usize, uses: usize) -> bool {
    let template = &log.templates[number];
    if template.loose || uses == 0 {
        return false;
    }
    (uses - 1) * template.literal() < 3 * uses + 6 * template.slots.len()
}
