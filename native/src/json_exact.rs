//! JSON text taken apart: the twin of `json_exact.py`.

use crate::border::Unfit;
use crate::json_document::{Document, Member, Name, Value};
use crate::json_hash::{map, Map};
use crate::json_spelling::{Signs, Spelling};
use crate::json_words::{key, number_end};

const DEEPEST: usize = 64; // deeper texts are left to Python
const DIGITS: usize = 640; // integers of more digits are, since Python may refuse them

/// Why a text goes no further.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is not what it should be: what Python raises `ValueError` or `TooDeep` for.
    Refused,
    Unfit,
}

impl From<Unfit> for Stop {
    fn from(_: Unfit) -> Self {
        Stop::Unfit
    }
}

pub struct Parsed<'a> {
    pub document: Document<'a>,
    pub root: Value<'a>,
    /// The exact form; `None` where the text is it.
    pub short: Option<String>,
    /// Whether an object has one spelling of a name twice.
    pub repeats: bool,
    /// `None` where nothing common makes the exact form of the value.
    pub spelling: Option<Spelling>,
}

/// A JSON text taken apart. Refused where it is none.
pub fn parse(text: &str) -> Result<Parsed<'_>, Stop> {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        kept: 0,
        short: String::new(),
        signs: Signs::default(),
        known: map(16),
        seen: Vec::with_capacity(16),
        objects: 0,
        repeats: false,
        document: Document::new(text.len() / 32),
        members: Vec::with_capacity(16),
        items: Vec::with_capacity(16),
    };
    parser.gap();
    let root = parser.value(DEEPEST)?;
    parser.gap();
    if parser.at < text.len() {
        return Err(Stop::Refused);
    }
    let short = if parser.kept > 0 {
        parser.short.push_str(&text[parser.kept..]);
        Some(parser.short)
    } else {
        None
    };
    Ok(Parsed {
        document: parser.document,
        root,
        short,
        repeats: parser.repeats,
        spelling: parser.signs.spelling().filter(|_| !parser.repeats),
    })
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    kept: usize, // from where on text has to go to `short`
    short: String,
    signs: Signs,
    known: Map<&'a str, usize>, // names, by their string
    seen: Vec<usize>,           // of each name: the object that had it last, by its number
    objects: usize,
    repeats: bool,
    document: Document<'a>,
    members: Vec<Member<'a>>, // of objects that are open
    items: Vec<Value<'a>>,
}

impl<'a> Parser<'a> {
    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Pass over white space.
    fn gap(&mut self) {
        let from = self.at;
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.next() {
            self.at += 1;
        }
        if self.at > from {
            if self.kept == 0 {
                self.short.reserve(self.text.len());
            }
            self.short.push_str(&self.text[self.kept..from]);
            self.kept = self.at;
        }
    }

    fn value(&mut self, room: usize) -> Result<Value<'a>, Stop> {
        match self.next() {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'{') => self.object(room.checked_sub(1).ok_or(Stop::Unfit)?),
            Some(b'[') => self.list(room.checked_sub(1).ok_or(Stop::Unfit)?),
            Some(b't') => Ok(Value::Truth(self.literal("true")?)),
            Some(b'f') => Ok(Value::Truth(self.literal("false")?)),
            Some(b'n') => self.literal("null").map(|_| Value::Null),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<&'static str, Stop> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(Stop::Refused);
        }
        self.at += word.len();
        Ok(word)
    }

    fn number(&mut self) -> Result<Value<'a>, Stop> {
        let (end, broken) = number_end(self.bytes, self.at).ok_or(Stop::Refused)?;
        let text = &self.text[self.at..end];
        self.at = end;
        if broken {
            return Ok(Value::Fraction(text));
        }
        if text.len() > DIGITS {
            return Err(Stop::Unfit);
        }
        self.signs.integer(text);
        Ok(Value::Integer(text))
    }

    fn string(&mut self) -> Result<&'a str, Stop> {
        let from = self.at;
        self.at = self.signs.string(self.bytes, from).ok_or(Stop::Refused)?;
        Ok(&self.text[from..self.at])
    }

    /// Pass over the sign between two values: whether another one follows.
    fn more(&mut self, close: u8) -> Result<bool, Stop> {
        self.gap();
        match self.next() {
            Some(b',') => {
                self.at += 1;
                self.gap();
                Ok(true)
            }
            Some(sign) if sign == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Stop::Refused),
        }
    }

    /// The same behind the sign that opens.
    fn any(&mut self, close: u8) -> bool {
        self.at += 1;
        self.gap();
        let any = self.next() != Some(close);
        self.at += usize::from(!any);
        any
    }

    fn object(&mut self, room: usize) -> Result<Value<'a>, Stop> {
        let from = self.members.len();
        let mut more = self.any(b'}');
        while more {
            if self.next() != Some(b'"') {
                return Err(Stop::Refused);
            }
            let string = self.string()?;
            let name = self.name(string);
            self.gap();
            if self.next() != Some(b':') {
                return Err(Stop::Refused);
            }
            self.at += 1;
            self.gap();
            let value = self.value(room)?;
            self.members.push(Member { name, value });
            more = self.more(b'}')?;
        }
        self.objects += 1;
        for member in &self.members[from..] {
            let last = std::mem::replace(&mut self.seen[member.name], self.objects);
            self.repeats |= last == self.objects;
        }
        Ok(self.document.object(self.members.drain(from..)))
    }

    fn list(&mut self, room: usize) -> Result<Value<'a>, Stop> {
        let from = self.items.len();
        let mut more = self.any(b']');
        while more {
            let item = self.value(room)?;
            self.items.push(item);
            more = self.more(b']')?;
        }
        Ok(self.document.list(self.items.drain(from..)))
    }

    fn name(&mut self, string: &'a str) -> usize {
        let names = &mut self.document.names;
        let seen = &mut self.seen;
        *self.known.entry(string).or_insert_with(|| {
            names.push(Name {
                string,
                word: key(string),
            });
            seen.push(0);
            names.len() - 1
        })
    }
}
