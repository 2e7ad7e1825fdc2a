//! What a question names: the twin of the pattern of `names` in
//! `policies/compress/select_pins.py`.

use crate::border::{asked, Asker, Unfit};
use crate::select_question::NAMES;
use crate::select_signs::{begins, ends, says};

const APART: &str = "\"'`()<>[]{},;|"; // what stands between names, and blanks
const EDGES: &str = ".,:;!?*/#$"; // what is no part of a name, at its ends

/// The names of a question, by the bytes that they begin with in either case.
pub struct Names {
    listed: Vec<Vec<String>>, // none where there are no names
    plain: bool,              // whether all are ASCII
}

impl Names {
    /// As Python tells them, which is asked unless all words are plain.
    pub fn of(question: &str, ask: Asker) -> Result<Self, Unfit> {
        let apart = |sign: char| sign.is_ascii_whitespace() || APART.contains(sign);
        let told = if question.split(apart).all(is_plain) {
            String::new()
        } else {
            asked(ask, NAMES, question)?
        };
        Ok(Names::new(told.split('\n').filter(|name| !name.is_empty())))
    }

    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut listed = Vec::new();
        let mut plain = true;
        for name in names {
            let first = name.as_bytes()[0];
            listed.resize(256, Vec::new());
            plain &= name.is_ascii();
            listed[usize::from(first.to_ascii_lowercase())].push(name.to_owned());
            if first.is_ascii_alphabetic() {
                listed[usize::from(first.to_ascii_uppercase())].push(name.to_owned());
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

/// Whether it is a word that names nothing, as nearly all are.
fn is_plain(part: &str) -> bool {
    let word = part.trim_matches(|sign| EDGES.contains(sign)).as_bytes();
    let letters = word.iter().take(1).all(u8::is_ascii_alphabetic);
    word.len() < 2 || (letters && word[1..].iter().all(u8::is_ascii_lowercase))
}
