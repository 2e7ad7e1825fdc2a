//! The columns that the head of a table names, and the JSON texts that their cells make: the
//! twin of `json_columns.py`, row by row.

use crate::json_exact::Stop;
use crate::json_inline::{cells, literal, name, rows_of, Made};
use crate::json_words::ABSENT;

/// The items of an array: objects, or arrays of items.
pub enum Items {
    Nested(Nested),
    Listed(Box<Items>),
}

pub enum Column {
    Words,
    Constant(Made),
    Patterned(Patterned),
    Items(Items),
}

/// Objects, as columns of their members.
pub struct Nested {
    members: Vec<(Made, Column)>,
    slots: usize,
    constant: bool,
    patterned: bool,
}

/// Strings that share a pattern.
pub struct Patterned {
    parts: Vec<Part>,
    slots: usize,
}

enum Part {
    Text(Vec<u8>),
    Cell,
    /// The member before it at that place.
    Peer(usize),
}

/// The cells of a row that are left, of which columns take theirs.
struct Cells<'r, 'a>(std::slice::Iter<'r, &'a str>);

impl<'a> Cells<'_, 'a> {
    fn take(&mut self) -> Result<&'a str, Stop> {
        self.0.next().copied().ok_or(Stop::Refused)
    }
}

impl Items {
    fn slots(&self) -> usize {
        match self {
            Items::Nested(nested) => nested.slots,
            Items::Listed(_) => 1,
        }
    }

    /// Put the text of a row.
    pub fn put(&self, row: &str, made: &mut Made) -> Result<(), Stop> {
        let row = cells(row, self.slots());
        if row.len() != self.slots() {
            return Err(Stop::Refused);
        }
        self.take(&mut Cells(row.iter()), made)
    }

    fn take(&self, cells: &mut Cells, made: &mut Made) -> Result<(), Stop> {
        let item = match self {
            Items::Nested(nested) => return nested.take(cells, made),
            Items::Listed(item) => item,
        };
        made.push(b'[');
        for (place, row) in rows_of(cells.take()?)?.into_iter().enumerate() {
            if place > 0 {
                made.push(b',');
            }
            item.put(row, made)?;
        }
        made.push(b']');
        Ok(())
    }
}

impl Column {
    /// Of nested items: a constant, where all rows have the same.
    pub fn of(items: Items) -> Result<Self, Stop> {
        match items {
            Items::Nested(nested) if nested.constant => {
                let mut made = Made::new();
                nested.take(&mut Cells([].iter()), &mut made)?;
                Ok(Column::Constant(made))
            }
            items => Ok(Column::Items(items)),
        }
    }

    fn slots(&self) -> usize {
        match self {
            Column::Words => 1,
            Column::Constant(_) => 0,
            Column::Patterned(pattern) => pattern.slots,
            Column::Items(items) => items.slots(),
        }
    }
}

impl Nested {
    /// Refused where a name stands twice.
    pub fn new(members: Vec<(&str, Column)>) -> Result<Self, Stop> {
        let mut names: Vec<&str> = members.iter().map(|(word, _)| *word).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Stop::Refused);
        }
        let named = |(word, column): (&str, Column)| {
            let mut text = Made::new();
            name(word, &mut text);
            (text, column)
        };
        let members: Vec<_> = members.into_iter().map(named).collect();
        Ok(Nested {
            slots: members.iter().map(|(_, column)| column.slots()).sum(),
            constant: members
                .iter()
                .all(|(_, column)| matches!(column, Column::Constant(_))),
            patterned: members
                .iter()
                .any(|(_, column)| matches!(column, Column::Patterned(_))),
            members,
        })
    }

    fn take(&self, cells: &mut Cells, made: &mut Made) -> Result<(), Stop> {
        let mut texts = Vec::new(); // where each stands; empty: nowhere
        made.push(b'{');
        let begun = made.len();
        for (name, column) in &self.members {
            let before = made.len();
            if before > begun {
                made.push(b',');
            }
            made.extend_from_slice(name);
            let from = made.len();
            let there = match column {
                Column::Words => word(cells.take()?, made)?,
                Column::Constant(text) => {
                    made.extend_from_slice(text);
                    true
                }
                Column::Patterned(pattern) => pattern.take(cells, &texts, made)?,
                Column::Items(items) => {
                    items.take(cells, made)?;
                    true
                }
            };
            if !there {
                made.truncate(before);
            }
            if !self.patterned {
                continue;
            }
            texts.push(if there {
                (from, made.len())
            } else {
                (before, before)
            });
        }
        made.push(b'}');
        Ok(())
    }
}

/// Put the text of a cell: whether the row has the member.
fn word(cell: &str, made: &mut Made) -> Result<bool, Stop> {
    if cell == ABSENT {
        return Ok(false);
    }
    literal(cell, made)?;
    Ok(true)
}

impl Patterned {
    /// `word`: the pattern as it stands in the head; `earlier`: the members before it.
    pub fn new(word: &str, earlier: &[(&str, Column)]) -> Result<Self, Stop> {
        let text = text_of(word.as_bytes());
        let mut found = Patterned {
            parts: Vec::new(),
            slots: 0,
        };
        let (mut begun, mut at) = (0, 0);
        let text = std::str::from_utf8(text).map_err(|_| Stop::Refused)?;
        while at < text.len() {
            let end = match text.as_bytes()[at] {
                b'*' => at + 1,
                b'<' => reference_end(text, at).unwrap_or(at),
                _ => at,
            };
            if end == at {
                at += 1;
                continue;
            }
            found.text(&text[begun..at])?;
            found.refer(&text[at..end], earlier)?;
            begun = end;
            at = end;
        }
        found.text(&text[begun..])?;
        Ok(found)
    }

    fn text(&mut self, part: &str) -> Result<(), Stop> {
        if part.starts_with('<') {
            return Err(Stop::Refused);
        }
        self.parts.push(Part::Text(part.as_bytes().to_vec()));
        Ok(())
    }

    fn refer(&mut self, part: &str, earlier: &[(&str, Column)]) -> Result<(), Stop> {
        if part == "*" {
            self.slots += 1;
            self.parts.push(Part::Cell);
            return Ok(());
        }
        let name = &part[1..part.len() - 1];
        let place = earlier
            .iter()
            .position(|(word, _)| *word == name)
            .ok_or(Stop::Refused)?;
        self.parts.push(match &earlier[place].1 {
            Column::Constant(text) => Part::Text(text_of(text).to_vec()),
            _ => Part::Peer(place),
        });
        Ok(())
    }

    /// Put the text of a row: whether it has the member.
    fn take(
        &self,
        cells: &mut Cells,
        peers: &[(usize, usize)],
        made: &mut Made,
    ) -> Result<bool, Stop> {
        let own = if self.slots > 0 { cells.take()? } else { "" };
        if self.slots > 0 && (own == ABSENT || own == "null") {
            return word(own, made);
        }
        made.push(b'"');
        for part in &self.parts {
            match part {
                Part::Text(text) => made.extend_from_slice(text),
                Part::Cell => made.extend_from_slice(text_of(own.as_bytes())),
                Part::Peer(place) => {
                    let (from, to) = peers[*place];
                    let text = text_of(&made[from..to]).to_vec();
                    made.extend_from_slice(&text);
                }
            }
        }
        made.push(b'"');
        Ok(true)
    }
}

/// Where a reference that begins here ends: `<name>`.
fn reference_end(text: &str, at: usize) -> Option<usize> {
    let name = &text[at + 1..];
    let size = name.find(&['<', '>', '*'][..])?;
    if size > 0 && name.as_bytes()[size] == b'>' {
        Some(at + size + 2)
    } else {
        None
    }
}

/// What a word or piece holds, as it stands between the quotes of JSON text.
fn text_of(word: &[u8]) -> &[u8] {
    match word {
        [b'"', text @ .., _] => text,
        [b'"'] => &[],
        _ => word,
    }
}
