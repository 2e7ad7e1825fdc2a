//! What a question names: the twin of the pattern of `names` in
//! `policies/compress/select_pins.py`.

use crate::border::Unfit;
use crate::select_signs::{begins, ends, says};

/// The names of a question, by the bytes that they begin with in either case.
pub struct Names<'a> {
    listed: Vec<Vec<&'a str>>, // none where there are no names
    plain: bool,               // whether all are ASCII
}

impl<'a> Names<'a> {
    pub fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let mut listed = Vec::new();
        let mut plain = true;
        for name in names {
            let first = name.as_bytes()[0];
            listed.resize(256, Vec::new());
            plain &= name.is_ascii();
            listed[usize::from(first.to_ascii_lowercase())].push(name);
            if first.is_ascii_alphabetic() {
                listed[usize::from(first.to_ascii_uppercase())].push(name);
            }
        }
        Names { listed, plain }
    }

    /// Whether any of them stands in a text, whole.
    pub fn stand(&self, text: &str) -> Result<bool, Unfit> {
        if self.listed.is_empty() {
            return Ok(false);
        }
        if !self.plain {
            return Err(Unfit);
        }
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            for name in &self.listed[usize::from(*byte)] {
                let end = at + name.len();
                let stands = says(&bytes[at..], name.as_bytes()) && !text[..at].ends_with('.');
                if stands && ends(&text[end..])? && begins(&text[..at])? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
