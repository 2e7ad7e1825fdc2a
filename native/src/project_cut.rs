//! JSON text with places cut out: the twin of `project_cut.py`.

use crate::border::{run, Made, Text, Unfit};
use crate::json_document::{Document, Value};
use crate::json_exact::{parse, Stop};
use crate::project_places::Reader;
use std::iter::once;

const KEPT: u8 = 1;
const KEPT_BELOW: u8 = 2; // each of these is the double of what stands below
const DROPPED: u8 = 4;
const DROPPED_BELOW: u8 = 8;

/// The text with only what an expression of the one rule names, and without what one of the
/// other does, and the number of its leaves that are gone, with NUL between all of them.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_project(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe { run(start, size, out, projected) }
}

fn projected(given: &str) -> Made {
    let mut parts = given.splitn(3, '\0');
    let mut part = || parts.next().ok_or(Unfit);
    let (keep, drop, text) = (part()?, part()?, part()?);
    let mut parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(Stop::Refused) => return Ok(None),
        Err(Stop::Unfit) => return Err(Unfit),
    };
    if parsed.repeats {
        return Ok(None);
    }
    let whole = parsed.document.list(once(parsed.root));
    let whole = parsed.document.places(whole).start;
    let reader = Reader::new(&parsed.document)?;
    let mut cut = Cut {
        document: &parsed.document,
        marks: vec![0; whole + 1],
        text: String::with_capacity(text.len()),
        gone: 0,
        whole: true,
    };
    for (expressions, mark) in [(keep, KEPT), (drop, DROPPED)] {
        for place in reader.places(expressions, whole)? {
            cut.marks[place] |= mark;
        }
    }
    Ok(cut.made(whole, keep.is_empty()))
}

struct Cut<'a> {
    document: &'a Document<'a>,
    marks: Vec<u8>, // of places
    text: String,
    gone: usize, // leaves
    whole: bool,
}

impl Cut<'_> {
    /// The text and what is gone; `None` where that is nothing, or all.
    fn made(mut self, whole: usize, all: bool) -> Option<String> {
        let root = self.document.at(whole);
        let marks = self.marks[whole] | self.below(root);
        if !stays(marks, all) {
            return None;
        }
        self.write(root, all || marks & KEPT > 0);
        self.text.push_str(&format!("\0{}", self.gone));
        Some(self.text).filter(|_| !self.whole)
    }

    /// Tell each place of what stands below it, and tell that of the value.
    fn below(&mut self, value: Value) -> u8 {
        let nests = matches!(value, Value::Object(_) | Value::List(_));
        self.gone += usize::from(!nests);
        let mut found = 0;
        for place in self.document.places(value) {
            self.marks[place] |= self.below(self.document.at(place));
            let marks = self.marks[place];
            found |= (marks & (KEPT | DROPPED)) << 1 | marks & (KEPT_BELOW | DROPPED_BELOW);
        }
        found
    }

    fn write(&mut self, value: Value, all: bool) {
        let (open, close) = match value {
            Value::Object(_) => ('{', '}'),
            Value::List(_) => ('[', ']'),
            Value::Text(leaf)
            | Value::Integer(leaf)
            | Value::Fraction(leaf)
            | Value::Truth(leaf) => return self.leaf(leaf),
            _ => return self.leaf("null"),
        };
        self.text.push(open);
        let mut first = true;
        for place in self.document.places(value) {
            let marks = self.marks[place];
            if !stays(marks, all) {
                self.whole = false;
                continue;
            }
            if !first {
                self.text.push(',');
            }
            first = false;
            if let Some(name) = self.document.name(place) {
                self.text.push_str(name.string);
                self.text.push(':');
            }
            self.write(self.document.at(place), all || marks & KEPT > 0);
        }
        self.text.push(close);
    }

    fn leaf(&mut self, text: &str) {
        self.gone -= 1;
        self.text.push_str(text);
    }
}

fn stays(marks: u8, all: bool) -> bool {
    marks & DROPPED == 0 && (all || marks & (KEPT | KEPT_BELOW) > 0)
}
