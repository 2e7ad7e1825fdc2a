//! Texts that recur, named once at the top: the twin of `json_legend.py`, without `expand`.

use std::cmp::Reverse;

use crate::border::{counted, Counter, Unfit};
use crate::json_exact::Stop;
use crate::json_find::{find, places, replaced};
use crate::json_recurring::recurring;
use crate::json_words::quoted_end;
use crate::json_writer::{length, Objects};

pub const NAMES: &str = "123456789abcdefghijklmnopqrstuvwxyz";
const MARKS: &str = "$^%";
const DENSE: usize = 8;
const SHORTEST: usize = 8;
pub const FINALISTS: usize = 16;
const ENTRY: usize = 3;
const USE: usize = 2;
const COVERED: &str = "\"\0\"";

/// The text with the legend that spares most tokens; as it came where none does.
pub fn add(text: String, objects: &Objects, count: Counter) -> Result<String, Stop> {
    let mark = match MARKS.chars().find(|mark| !used(&text, *mark)) {
        Some(mark) => mark,
        None => return Ok(text),
    };
    let mut legend = Legend {
        text,
        mark,
        count,
        named: 0,
    };
    let often = objects.iter().filter(|(_, seen)| **seen > 1);
    let mut whole: Vec<(usize, &str)> = often.map(|(text, _)| (length(text), &**text)).collect();
    whole.sort_unstable_by_key(|found| Reverse(*found));
    legend.name(
        whole
            .iter()
            .take(FINALISTS)
            .map(|(_, text)| (*text).to_owned())
            .collect(),
    )?;
    let (covered, strings) = match covered(&legend.text) {
        Some(found) => found,
        None => {
            legend.name(recurring(&legend.text))?;
            return Ok(legend.text);
        }
    };
    legend.text = covered;
    legend.name(recurring(&legend.text))?;
    uncovered(&legend.text, &strings).ok_or(Stop::Refused)
}

fn used(text: &str, mark: char) -> bool {
    let mut parts = text.split(mark);
    parts.next();
    parts.any(|part| matches!(part.as_bytes().first(), Some(b'0'..=b'9' | b'a'..=b'z')))
}

/// The text without its strings of several lines, and those in order.
fn covered(text: &str) -> Option<(String, Vec<String>)> {
    find(text, "\\n", 0)?;
    let bytes = text.as_bytes();
    let (mut made, mut strings) = (String::with_capacity(text.len()), Vec::new());
    let (mut kept, mut at) = (0, 0);
    while let Some(place) = bytes[at..].iter().position(|byte| *byte == b'"') {
        let from = at + place;
        at = from + 1;
        if let Some(end) = quoted_end(bytes, from) {
            at = end;
            if find(&text[from..end], "\\n", 0).is_some() {
                made.push_str(&text[kept..from]);
                made.push_str(COVERED);
                strings.push(text[from..end].to_owned());
                kept = end;
            }
        }
    }
    made.push_str(&text[kept..]);
    Some((made, strings)).filter(|(_, strings)| !strings.is_empty())
}

/// The inverse of `covered`, whatever was done between the strings.
fn uncovered(text: &str, strings: &[String]) -> Option<String> {
    let mut made = String::with_capacity(text.len());
    let mut parts = text.split(COVERED);
    made.push_str(parts.next()?);
    for string in strings {
        made.push_str(string);
        made.push_str(parts.next()?);
    }
    match parts.next() {
        None => Some(made),
        Some(_) => None,
    }
}

/// A text whose legend grows at the top, each entry in terms of those above it.
struct Legend {
    text: String,
    mark: char,
    count: Counter,
    named: usize,
}

impl Legend {
    /// Name those that spare tokens, in the order given.
    fn name(&mut self, candidates: Vec<String>) -> Result<(), Unfit> {
        let mut known: Vec<(String, String)> = Vec::new();
        for mut named in candidates {
            for (text, key) in &known {
                let within = places(&named, text);
                if !within.is_empty() {
                    named = replaced(&named, &within, text, key);
                }
            }
            let size = length(&named);
            if size < SHORTEST {
                continue;
            }
            let uses = places(&self.text, &named);
            if uses.len() < 2 {
                continue;
            }
            let (spared, spent) = (uses.len() - 1, uses.len() * USE + ENTRY);
            let clear = spared * size > spent * DENSE;
            if !clear && spared * counted(self.count, &named)? <= spent {
                continue;
            }
            let key = match NAMES.chars().nth(self.named) {
                Some(name) => format!("{}{}", self.mark, name),
                None => return Ok(()),
            };
            self.named += 1;
            let text = replaced(&self.text, &uses, &named, &key);
            self.text = format!("{}={}\n{}", key, named, text);
            known.push((named, key));
        }
        Ok(())
    }
}
