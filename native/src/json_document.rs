//! The value of a JSON text, whose strings and numbers are parts of the text.

use std::ops::Range;

#[derive(Clone, Copy)]
pub struct Span {
    at: usize,
    size: usize,
}

/// Texts as they stand in the document, those of strings with their quotes.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    Integer(&'a str),
    Fraction(&'a str),
    Truth(&'a str),
    Null,
    Object(Span),
    List(Span),
    /// What a row without the member has in a column.
    Absent,
}

pub const TEXT: u8 = 1;
pub const INTEGER: u8 = 2;
pub const NULL: u8 = 16;
pub const OBJECT: u8 = 32;
pub const LIST: u8 = 64;
pub const ABSENT: u8 = 128;

impl Value<'_> {
    /// A bit that tells its type.
    pub fn kind(&self) -> u8 {
        match self {
            Value::Text(_) => TEXT,
            Value::Integer(_) => INTEGER,
            Value::Fraction(_) => 4,
            Value::Truth(_) => 8,
            Value::Null => NULL,
            Value::Object(_) => OBJECT,
            Value::List(_) => LIST,
            Value::Absent => ABSENT,
        }
    }
}

/// The types of values, as bits.
pub fn kinds(values: &[Value]) -> u8 {
    values.iter().fold(0, |kinds, value| kinds | value.kind())
}

#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// Its place in `Document::names`.
    pub name: usize,
    pub value: Value<'a>,
}

#[derive(Clone, Copy)]
pub struct Name<'a> {
    pub string: &'a str,
    /// How it stands in the compact notation.
    pub word: &'a str,
}

pub struct Document<'a> {
    pub names: Vec<Name<'a>>,
    members: Vec<Member<'a>>,
    items: Vec<Value<'a>>,
}

impl<'a> Document<'a> {
    /// For about so many members.
    pub fn new(size: usize) -> Self {
        Document {
            names: Vec::with_capacity(16),
            members: Vec::with_capacity(size),
            items: Vec::with_capacity(size / 4),
        }
    }

    /// Keep an object that is complete.
    pub fn object(&mut self, members: impl Iterator<Item = Member<'a>>) -> Value<'a> {
        let at = self.members.len();
        self.members.extend(members);
        Value::Object(Span {
            at,
            size: self.members.len() - at,
        })
    }

    /// The same for an array.
    pub fn list(&mut self, items: impl Iterator<Item = Value<'a>>) -> Value<'a> {
        let at = self.items.len();
        self.items.extend(items);
        Value::List(Span {
            at,
            size: self.items.len() - at,
        })
    }

    /// The places of what an object or array holds, as numbers; of others none.
    pub fn places(&self, of: Value) -> Range<usize> {
        match of {
            Value::Object(span) => span.at..span.at + span.size,
            Value::List(span) => {
                let at = self.members.len() + span.at;
                at..at + span.size
            }
            _ => 0..0,
        }
    }

    /// What stands at a place.
    pub fn at(&self, place: usize) -> Value<'a> {
        match self.members.get(place) {
            Some(member) => member.value,
            None => self.items[place - self.members.len()],
        }
    }

    /// The name of what stands there, if it has one.
    pub fn name(&self, place: usize) -> Option<&Name<'a>> {
        self.members
            .get(place)
            .map(|member| &self.names[member.name])
    }

    pub fn members(&self, of: Span) -> &[Member<'a>] {
        &self.members[of.at..of.at + of.size]
    }

    pub fn items(&self, of: Span) -> &[Value<'a>] {
        &self.items[of.at..of.at + of.size]
    }
}
