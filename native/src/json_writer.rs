//! The writer of the compact notation: the twin of `json_writer.py`.

use crate::border::{counted, Counter};
use crate::json_document::{kinds, Document, Span, Value, LIST, OBJECT};
use crate::json_exact::Stop;
use crate::json_hash::{map, Map};
use crate::json_words::{word, ABSENT};

const DEEPEST: usize = 32;
const REPEATED: usize = 32;
const LONGEST: usize = 16_384;
const CLEAR: usize = 2;

/// The texts of objects, with how often they were seen.
pub type Objects = Map<Box<str>, usize>;

pub struct Writer<'a> {
    pub document: &'a Document<'a>,
    pub objects: Objects,
    count: Counter,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Level {
    /// How many levels may follow.
    room: usize,
    /// Whether lines may be ended.
    tables: bool,
}

impl Level {
    fn inner(self) -> Result<Level, Stop> {
        let room = self.room.checked_sub(1).ok_or(Stop::Refused)?;
        Ok(Level { room, ..self })
    }
}

/// The word of what is no object or array.
pub fn leaf<'a>(value: Value<'a>) -> Option<&'a str> {
    match value {
        Value::Text(text) => Some(word(text)),
        Value::Integer(text) | Value::Fraction(text) | Value::Truth(text) => Some(text),
        Value::Null => Some("null"),
        Value::Absent => Some(ABSENT),
        Value::Object(_) | Value::List(_) => None,
    }
}

/// Characters.
pub fn length(text: &str) -> usize {
    text.chars().count()
}

impl<'a> Writer<'a> {
    pub fn new(document: &'a Document<'a>, count: Counter) -> Self {
        Writer {
            document,
            objects: map(8),
            count,
        }
    }

    /// The compact form, behind what is made already.
    pub fn write(&mut self, value: Value<'a>, mut made: String) -> Result<String, Stop> {
        self.value(
            value,
            Level {
                room: DEEPEST,
                tables: true,
            },
            &mut made,
        )?;
        made.truncate(made.trim_end_matches('\n').len());
        Ok(made)
    }

    /// The same on one line.
    pub fn inline(&mut self, value: Value<'a>) -> Result<String, Stop> {
        let mut made = String::new();
        self.value(
            value,
            Level {
                room: DEEPEST,
                tables: false,
            },
            &mut made,
        )?;
        Ok(made)
    }

    fn value(&mut self, value: Value<'a>, level: Level, made: &mut String) -> Result<(), Stop> {
        match value {
            Value::Object(span) => self.object(span, level.inner()?, made)?,
            Value::List(span) => self.array(span, level.inner()?, made)?,
            _ => made.push_str(leaf(value).unwrap_or_default()),
        }
        Ok(())
    }

    fn object(&mut self, span: Span, level: Level, made: &mut String) -> Result<(), Stop> {
        let from = made.len();
        let document = self.document;
        made.push('{');
        for (place, member) in document.members(span).iter().enumerate() {
            if place > 0 {
                made.push(' ');
            }
            made.push_str(document.names[member.name].word);
            made.push(':');
            self.value(member.value, level, made)?;
        }
        made.push('}');
        self.note(&made[from..]);
        Ok(())
    }

    fn note(&mut self, text: &str) {
        if text.len() < REPEATED || text.len() > LONGEST * 4 || text.as_bytes().contains(&b'\n') {
            return;
        }
        let clear = (REPEATED * 4..=LONGEST).contains(&text.len());
        if clear || (REPEATED..=LONGEST).contains(&length(text)) {
            match self.objects.get_mut(text) {
                Some(seen) => *seen += 1,
                None => {
                    self.objects.insert(text.into(), 1);
                }
            }
        }
    }

    fn array(&mut self, span: Span, level: Level, made: &mut String) -> Result<(), Stop> {
        let items = self.document.items(span);
        let mut table = None;
        if level.tables && items.len() > 1 && items[0].kind() & (OBJECT | LIST) != 0 {
            table = self.table(items)?;
        }
        if let Some(table) = &table {
            if self.names(items) >= CLEAR {
                made.push_str(table);
                return Ok(());
            }
        }
        let from = made.len();
        self.plain(items, level, made)?;
        if let Some(table) = table {
            if counted(self.count, &table)? < counted(self.count, &made[from..])? {
                made.truncate(from);
                made.push_str(&table);
            }
        }
        Ok(())
    }

    fn plain(&mut self, items: &[Value<'a>], level: Level, made: &mut String) -> Result<(), Stop> {
        let nesting = kinds(items) & (OBJECT | LIST) != 0;
        made.push('[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                made.push(' ');
            }
            match item {
                // It would be read as a member.
                Value::Text(text) if nesting && text.contains(':') => made.push_str(text),
                _ => self.value(*item, level, made)?,
            }
        }
        made.push(']');
        Ok(())
    }

    /// How often a table of such items spares a name, at least.
    fn names(&self, items: &[Value<'a>]) -> usize {
        match items.first() {
            Some(Value::Object(span)) => self.document.members(*span).len() * (items.len() - 1),
            Some(Value::List(span)) => self.names(self.document.items(*span)),
            _ => 0,
        }
    }
}
