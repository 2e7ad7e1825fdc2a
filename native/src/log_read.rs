//! The way back from the written form: the twin of `read` in `policies/compress/log_notation.py`.
//!
//! What is no such form, or only Python's own formatting may know what it means, is `Unfit`.

use crate::border::Unfit;
use crate::log_hash::Index;
use crate::log_notation::{DITTO, END};

const MOST: usize = 6; // digits of the number of a gap

enum Piece<'a> {
    Text(&'a str),
    Gap(usize),
    Time,
}

/// A template's text in pieces, which of its values there are, and how many.
#[derive(Default)]
struct Form<'a> {
    pieces: Vec<Piece<'a>>,
    seen: Vec<bool>,
    width: usize,
}

/// The templates by their names.
struct Forms<'a> {
    index: Index,
    names: Vec<&'a str>,
    forms: Vec<Form<'a>>,
}

/// The lines that were written.
pub fn read(text: &str) -> Result<String, Unfit> {
    let mut lines = text.split('\n');
    let mut forms = Forms::of(&mut lines)?;
    let mut last: Vec<Option<Vec<&str>>> = forms.names.iter().map(|_| None).collect();
    let mut out = String::with_capacity(text.len() * 2);
    let mut now = String::new();
    for line in lines {
        match line.as_bytes().first() {
            None | Some(b' ') => out.push_str(line.get(1..).unwrap_or("")),
            Some(b'@') => {
                now = String::from(&line[1..]);
                continue;
            }
            _ => {
                let (tail, name, rest) = entry(line)?;
                let number = forms.number(name).ok_or(Unfit)?;
                let form = &forms.forms[number];
                let before = last[number].take();
                let values = values(rest, form.width, before)?;
                change(&mut now, tail)?;
                form.fill(&values, &now, &mut out);
                last[number] = Some(values);
            }
        }
        out.push('\n');
    }
    out.pop();
    Ok(out)
}

/// The time's new end, the template's name, and the values of an entry.
fn entry(line: &str) -> Result<(&str, &str, Option<&str>), Unfit> {
    let tail = line
        .bytes()
        .take_while(|byte| b"0123456789:.,".contains(byte))
        .count();
    let name = line[tail..]
        .bytes()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let rest = match line.as_bytes().get(tail + name) {
        None => None,
        Some(b' ') => Some(&line[tail + name + 1..]),
        Some(_) => return Err(Unfit),
    };
    Ok((&line[..tail], &line[tail..tail + name], rest))
}

fn values<'a>(
    rest: Option<&'a str>,
    width: usize,
    before: Option<Vec<&'a str>>,
) -> Result<Vec<&'a str>, Unfit> {
    let mut values: Vec<&str> = match rest {
        Some(rest) if width > 0 => rest.splitn(width, ' ').collect(),
        Some(_) => return Err(Unfit),
        None => Vec::new(),
    };
    if values.len() != width {
        return Err(Unfit);
    }
    for (place, value) in values.iter_mut().enumerate() {
        if *value == DITTO {
            *value = before.as_ref().ok_or(Unfit)?[place];
        }
    }
    Ok(values)
}

fn change(now: &mut String, tail: &str) -> Result<(), Unfit> {
    let kept = now.len().checked_sub(tail.len()).ok_or(Unfit)?;
    if !now.is_ascii() {
        return Err(Unfit);
    }
    now.truncate(kept);
    now.push_str(tail);
    Ok(())
}

impl<'a> Forms<'a> {
    fn of(lines: &mut impl Iterator<Item = &'a str>) -> Result<Self, Unfit> {
        let mut forms = Forms {
            index: Index::new(),
            names: Vec::new(),
            forms: Vec::new(),
        };
        let mut current: Option<usize> = None;
        for line in lines {
            if line == END {
                return Ok(forms);
            }
            let (number, text) = match (current, line.strip_prefix(' ')) {
                (Some(number), Some(text)) => {
                    forms.forms[number].pieces.push(Piece::Text("\n"));
                    (number, text)
                }
                _ => {
                    let (name, text) = line.split_once('=').ok_or(Unfit)?;
                    (forms.new_number(name)?, text)
                }
            };
            forms.forms[number].parse(text)?;
            current = Some(number);
        }
        Err(Unfit)
    }

    fn number(&mut self, name: &str) -> Option<usize> {
        let names = &self.names;
        self.index.find(name, |known| names[known] == name)
    }

    /// The number of a name for a new template, which takes the place of one with that name.
    fn new_number(&mut self, name: &'a str) -> Result<usize, Unfit> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Unfit);
        }
        let names = &self.names;
        let number = self.index.number(name, |known| names[known] == name);
        if number == self.names.len() {
            self.names.push(name);
            self.forms.push(Form::default());
        } else {
            self.forms[number] = Form::default();
        }
        Ok(number)
    }
}

impl<'a> Form<'a> {
    /// Go on with a line of the template, after which no gap may be left out.
    fn parse(&mut self, line: &'a str) -> Result<(), Unfit> {
        let mut rest = line;
        while let Some(at) = rest.find(['{', '}']) {
            let brace = &rest[at..at + 1];
            if rest[at + 1..].starts_with(brace) {
                self.pieces.push(Piece::Text(&rest[..at + 1]));
                rest = &rest[at + 2..];
                continue;
            }
            let (gap, after) = rest[at + 1..].split_once('}').ok_or(Unfit)?;
            if brace == "}" {
                return Err(Unfit);
            }
            self.pieces.push(Piece::Text(&rest[..at]));
            let piece = if gap == "t" {
                Piece::Time
            } else {
                Piece::Gap(self.slot(gap)?)
            };
            self.pieces.push(piece);
            rest = after;
        }
        self.pieces.push(Piece::Text(rest));
        if self.width < self.seen.len() {
            Err(Unfit)
        } else {
            Ok(())
        }
    }

    fn slot(&mut self, gap: &str) -> Result<usize, Unfit> {
        let plain = gap.len() <= MOST && gap.bytes().all(|byte| byte.is_ascii_digit());
        let slot: usize = if plain {
            gap.parse().map_err(|_| Unfit)?
        } else {
            return Err(Unfit);
        };
        if slot >= self.seen.len() {
            self.seen.resize(slot + 1, false);
        }
        self.width += usize::from(!std::mem::replace(&mut self.seen[slot], true));
        Ok(slot)
    }

    fn fill(&self, values: &[&str], now: &str, out: &mut String) {
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Gap(slot) => values[*slot],
                Piece::Time => now,
            });
        }
    }
}
