//! The reader of the compact notation: the twin of `json_reader.py`.

use crate::json_exact::Stop;
use crate::json_grid::table;
use crate::json_inline::{line, Made};

/// The JSON text with the fewest escapes. Refused where the notation is not kept.
pub fn read(text: &str) -> Result<Made, Stop> {
    let mut made = Made::with_capacity(text.len() * 2);
    let mut lines = text.split('\n');
    let mut next = lines.next();
    while let Some(text) = next {
        match line(text, &mut made)? {
            Some(head) => table(head, &mut lines, &mut made)?,
            None => break,
        }
        next = lines.next();
    }
    match lines.next() {
        None => Ok(made),
        Some(_) => Err(Stop::Refused), // there is more behind the value
    }
}
