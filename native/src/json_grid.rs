//! Reading a table of the compact notation: the twin of `json_grid.py`.

use crate::json_columns::{Column, Items, Nested, Patterned};
use crate::json_exact::Stop;
use crate::json_inline::{behind, literal, Made};
use crate::json_words::{key_end, quoted_end, word_end};

const DEEPEST: usize = 64;

/// Put a table as JSON text. `head`: as far as its line goes, `[2]{id name}`.
pub fn table<'a>(
    head: &'a str,
    lines: &mut impl Iterator<Item = &'a str>,
    made: &mut Made,
) -> Result<(), Stop> {
    let (number, columns) = head[1..].split_once(']').ok_or(Stop::Refused)?;
    let size: usize = number.parse().map_err(|_| Stop::Refused)?;
    let (items, end) = items(columns, 0, DEEPEST)?;
    if end < columns.len() || size == 0 {
        return Err(Stop::Refused);
    }
    for place in 0..size {
        made.push(if place > 0 { b',' } else { b'[' });
        items.put(lines.next().ok_or(Stop::Refused)?, made)?;
    }
    made.push(b']');
    Ok(())
}

/// What the items of an array are, by the head that stands at a place; where that ends.
fn items(text: &str, at: usize, room: usize) -> Result<(Items, usize), Stop> {
    let room = room.checked_sub(1).ok_or(Stop::Refused)?;
    match text.as_bytes().get(at) {
        Some(b'{') => {
            let (nested, end) = members(text, at + 1, room)?;
            Ok((Items::Nested(nested), end))
        }
        Some(b'[') => {
            let (item, end) = items(text, at + 1, room)?;
            if text.as_bytes().get(end) != Some(&b']') {
                return Err(Stop::Refused);
            }
            Ok((Items::Listed(Box::new(item)), end + 1))
        }
        _ => Err(Stop::Refused),
    }
}

fn members(text: &str, mut at: usize, room: usize) -> Result<(Nested, usize), Stop> {
    let bytes = text.as_bytes();
    let mut members: Vec<(&str, Column)> = Vec::new();
    loop {
        let end = name_end(bytes, at).ok_or(Stop::Refused)?;
        let word = &text[at..end];
        let (column, end) = member(text, end, room, &members)?;
        members.push((word, column));
        match bytes.get(end) {
            Some(b'}') => return Ok((Nested::new(members)?, end + 1)),
            Some(b' ') => at = end + 1,
            _ => return Err(Stop::Refused),
        }
    }
}

fn name_end(bytes: &[u8], at: usize) -> Option<usize> {
    match key_end(bytes, at) {
        end if end > at => Some(end),
        _ => quoted_end(bytes, at),
    }
}

fn member(
    text: &str,
    at: usize,
    room: usize,
    earlier: &[(&str, Column)],
) -> Result<(Column, usize), Stop> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(b'=') => {
            let end = match word_end(bytes, at + 1) {
                Some(end) if matches!(bytes.get(end), Some(b' ' | b'}')) => end,
                _ => behind(text, at + 1),
            };
            let mut constant = Made::new();
            literal(&text[at + 1..end], &mut constant)?;
            Ok((Column::Constant(constant), end))
        }
        Some(b'~') => {
            let end = word_end(bytes, at + 1).ok_or(Stop::Refused)?;
            Ok((
                Column::Patterned(Patterned::new(&text[at + 1..end], earlier)?),
                end,
            ))
        }
        Some(b'{' | b'[') => {
            let (found, end) = items(text, at, room)?;
            Ok((Column::of(found)?, end))
        }
        _ => Ok((Column::Words, at)),
    }
}
