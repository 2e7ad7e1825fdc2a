//! The written form of a log's entries: the twin of `write` in `policies/compress/log_notation.py`.

use std::cmp::Reverse;

use crate::border::Unfit;
use crate::log_entries::{Entries, Lines, RAW};
use crate::log_groups::GAP;
use crate::log_stamps::{change, cuts, MARK};
use crate::log_templates::Template;

/// What ends the list of templates.
pub const END: &str = "---";
/// The value of the last line of the same template.
pub const DITTO: &str = "^";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The list of templates that are used, and the entries.
pub fn write(log: &Entries<'_>, lines: &Lines<'_>, out: &mut String) -> Result<(), Unfit> {
    let uses = log.uses();
    let mut seen = vec![false; uses.len()];
    let mut used: Vec<usize> = log.entries.iter().map(|entry| entry.template).collect();
    used.retain(|number| *number != RAW && !std::mem::replace(&mut seen[*number], true));
    used.sort_by_key(|number| Reverse(uses[*number])); // stable, as it must be
    let mut names = vec![String::new(); uses.len()];
    for (order, number) in used.into_iter().enumerate() {
        names[number] = name(order)?;
        out.push_str(&names[number]);
        out.push('=');
        show(&log.templates[number], out);
        out.push('\n');
    }
    out.push_str(END);
    body(log, lines, &names, out);
    Ok(())
}

/// The names in their order: A to z, AA to zz, AAA to zzz.
fn name(order: usize) -> Result<String, Unfit> {
    let base = LETTERS.len();
    let (mut left, mut size) = (order, 1);
    while left >= base.pow(size) {
        left -= base.pow(size);
        size += 1;
    }
    if size > 3 {
        return Err(Unfit);
    }
    let letter = |place| char::from(LETTERS[left / base.pow(place) % base]);
    Ok((0..size).rev().map(letter).collect())
}

fn show(template: &Template, out: &mut String) {
    let mut slots = template.slots.iter();
    for sign in template.text.chars() {
        match sign {
            '{' => out.push_str("{{"),
            '}' => out.push_str("}}"),
            '\n' => out.push_str("\n "),
            MARK => out.push_str("{t}"),
            GAP => slots.by_ref().take(1).for_each(|slot| {
                out.push('{');
                out.push_str(&slot.to_string());
                out.push('}');
            }),
            _ => out.push(sign),
        }
    }
}

fn body(log: &Entries<'_>, lines: &Lines<'_>, names: &[String], out: &mut String) {
    let mut now = "";
    let mut places = Vec::new();
    let mut last: Vec<Option<&[&str]>> = vec![None; names.len()];
    for entry in &log.entries {
        out.push('\n');
        if entry.template == RAW {
            let line = lines.whole[entry.line];
            if !line.is_empty() {
                out.push(' ');
                out.push_str(line);
            }
            continue;
        }
        if !entry.stamp.is_empty() && entry.stamp != now {
            if entry.stamp.len() != now.len() {
                places = cuts(entry.stamp);
            }
            match change(now, entry.stamp, &places) {
                Some(tail) => out.push_str(tail),
                None => {
                    out.push('@');
                    out.push_str(entry.stamp);
                    out.push('\n');
                }
            }
            now = entry.stamp;
        }
        out.push_str(&names[entry.template]);
        let values = log.of_entry(entry);
        let before = last[entry.template].replace(values);
        for (place, value) in values.iter().enumerate() {
            let same = !value.is_empty() && before.map_or(false, |before| before[place] == *value);
            out.push(' ');
            out.push_str(if same { DITTO } else { value });
        }
    }
}
