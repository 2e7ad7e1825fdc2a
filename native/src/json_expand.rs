//! Names of a legend back to what they stand for: the twin of `expand` in `json_legend.py`.

use crate::json_exact::Stop;
use crate::json_legend::NAMES;

const LONGEST: usize = 1 << 28;

struct Entry<'a> {
    mark: char,
    name: char,
    text: &'a str,
    end: usize,
}

/// What names stand for. There are few.
type Named = Vec<(char, String)>;

/// The text without its legend; `None` where it has none.
pub fn expand(text: &str) -> Result<Option<String>, Stop> {
    let (mark, mut end) = match entry(text) {
        Some(found) => (found.mark, found.end),
        None => return Ok(None),
    };
    while let Some(found) = entry(&text[end..]).filter(|found| found.mark == mark) {
        end += found.end;
    }
    let mut legend = text[..end].to_owned();
    let mut entries = Vec::new();
    while let Some(found) = entry(&legend) {
        let one = vec![(found.name, found.text.to_owned())];
        legend = filled(&legend[found.end..], mark, &one)?;
        entries.extend(one);
    }
    let mut named = Named::new();
    for (name, entry) in entries.into_iter().rev() {
        let entry = filled(&entry, mark, &named)?;
        named.retain(|(known, _)| *known != name);
        named.push((name, entry));
    }
    filled(&text[end..], mark, &named).map(Some)
}

fn entry(text: &str) -> Option<Entry<'_>> {
    let mut signs = text.chars();
    let mark = signs.next().filter(|mark| "$^%".contains(*mark))?;
    let name = signs.next().filter(|name| NAMES.contains(*name))?;
    let rest = signs.as_str().strip_prefix('=')?;
    let size = rest.find('\n').filter(|size| *size > 0)?;
    Some(Entry {
        mark,
        name,
        text: &rest[..size],
        end: size + 4,
    })
}

/// The text with what is named in the place of names.
fn filled(text: &str, mark: char, named: &Named) -> Result<String, Stop> {
    let mut made = String::with_capacity(text.len() * 2);
    let mut parts = text.split(mark);
    made.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let name = part.chars().next();
        match named.iter().find(|(known, _)| Some(*known) == name) {
            Some((_, entry)) => {
                made.push_str(entry);
                made.push_str(&part[1..]);
            }
            None => {
                made.push(mark);
                made.push_str(part);
            }
        }
        if made.len() > LONGEST {
            return Err(Stop::Refused);
        }
    }
    Ok(made)
}
