//! Arrays of objects with the same members, as tables: the twin of `json_tables.py`.

use std::borrow::Cow;

use crate::border::Unfit;
use crate::json_document::{kinds, Name, Value, ABSENT, INTEGER, LIST, NULL, OBJECT, TEXT};
use crate::json_exact::Stop;
use crate::json_names::names;
use crate::json_patterns::{pattern, remember, shared, Earlier};
use crate::json_words::{escapes, piece, unquoted, word};
use crate::json_writer::{leaf, Writer};

/// What stands at the top, and each column's words.
pub struct Shape<'a> {
    head: String,
    columns: Vec<Vec<Cow<'a, str>>>,
}

impl<'a> Writer<'a> {
    /// The array as a table; `None` when its items are not alike. Ends with a line end.
    pub fn table(&mut self, values: &[Value<'a>]) -> Result<Option<String>, Stop> {
        let shape = match self.alike(values)? {
            Some(shape) if !shape.columns.is_empty() => shape,
            _ => return Ok(None),
        };
        let mut made = format!("[{}]{}\n", values.len(), shape.head);
        for row in 0..values.len() {
            shape.row(row, &mut made);
            made.push('\n');
        }
        Ok(Some(made))
    }

    fn alike(&mut self, values: &[Value<'a>]) -> Result<Option<Shape<'a>>, Stop> {
        match kinds(values) {
            OBJECT => self.members(values),
            LIST => self.lists(values),
            _ => Ok(None),
        }
    }

    /// Objects as columns.
    fn members(&mut self, rows: &[Value<'a>]) -> Result<Option<Shape<'a>>, Stop> {
        let document = self.document;
        let names = match names(document, rows) {
            Some(names) => names,
            None => return Ok(None),
        };
        let mut values = vec![Value::Absent; rows.len() * names.len()]; // column by column
        for (place, row) in rows.iter().enumerate() {
            if let Value::Object(span) = row {
                let mut own = document.members(*span).iter().peekable();
                for (column, name) in names.iter().enumerate() {
                    if let Some(member) = own.next_if(|member| member.name == *name) {
                        values[column * rows.len() + place] = member.value;
                    }
                }
            }
        }
        let mut shape = Shape {
            head: "{".to_owned(),
            columns: Vec::new(),
        };
        let mut earlier = Earlier::default();
        for (name, column) in names.iter().zip(values.chunks(rows.len())) {
            if shape.head.len() > 1 {
                shape.head.push(' ');
            }
            shape.head.push_str(document.names[*name].word);
            self.column(*name, column, &mut earlier, &mut shape)?;
        }
        shape.head.push('}');
        Ok(Some(shape))
    }

    /// Arrays as one column, whose cells hold the items of each.
    fn lists(&mut self, lists: &[Value<'a>]) -> Result<Option<Shape<'a>>, Stop> {
        let document = self.document;
        let inner = lists.iter().map(|list| match list {
            Value::List(span) => document.items(*span),
            _ => &[],
        });
        let items: Vec<Value> = inner.clone().flatten().copied().collect();
        if items.len() < 2 || kinds(&items) != OBJECT {
            return Ok(None);
        }
        let shape = match self.members(&items)? {
            Some(shape) if !shape.columns.is_empty() => shape,
            _ => return Ok(None),
        };
        let mut row = 0;
        let mut cells = Vec::with_capacity(lists.len());
        for items in inner {
            let mut cell = "[".to_owned();
            for place in 0..items.len() {
                if place > 0 {
                    cell.push(',');
                }
                shape.row(row, &mut cell);
                row += 1;
            }
            cell.push(']');
            cells.push(Cow::Owned(cell));
        }
        Ok(Some(Shape {
            head: format!("[{}]", shape.head),
            columns: vec![cells],
        }))
    }

    fn column(
        &mut self,
        name: usize,
        values: &[Value<'a>],
        earlier: &mut Earlier<'a>,
        shape: &mut Shape<'a>,
    ) -> Result<(), Stop> {
        let kinds = kinds(values);
        if kinds == TEXT {
            return Ok(shape.strings(strings(values), self.document.names[name], earlier)?);
        }
        if let Some(found) = self.alike(values)? {
            shape.head.push_str(&found.head);
            shape.columns.extend(found.columns);
            return Ok(());
        }
        if kinds == TEXT | NULL && shape.some_strings(values)? {
            return Ok(());
        }
        let mut cells: Vec<Cow<str>> = Vec::with_capacity(values.len());
        for value in values {
            cells.push(match leaf(*value) {
                Some(word) => Cow::Borrowed(word),
                None => Cow::Owned(self.inline(*value)?),
            });
        }
        if kinds == INTEGER {
            remember(earlier, self.document.names[name], || cells.clone());
        }
        if kinds & ABSENT == 0 && cells.iter().all(|cell| *cell == cells[0]) {
            shape.head.push('=');
            shape.head.push_str(&cells[0]);
        } else {
            shape.columns.push(cells);
        }
        Ok(())
    }
}

fn strings<'a>(values: &[Value<'a>]) -> Vec<&'a str> {
    let texts = values.iter().filter_map(|value| match value {
        Value::Text(text) => Some(*text),
        _ => None,
    });
    texts.collect()
}

impl<'a> Shape<'a> {
    fn row(&self, row: usize, made: &mut String) {
        for (place, cells) in self.columns.iter().enumerate() {
            if place > 0 {
                made.push(' ');
            }
            made.push_str(&cells[row]);
        }
    }

    fn strings(
        &mut self,
        strings: Vec<&'a str>,
        name: Name<'a>,
        earlier: &mut Earlier<'a>,
    ) -> Result<(), Unfit> {
        let first = strings[0];
        if strings.iter().all(|string| *string == first) {
            self.head.push('=');
            self.head.push_str(word(first));
            return Ok(());
        }
        let texts: Vec<Cow<str>> = strings.iter().map(|string| unquoted(string)).collect();
        let found = pattern(&texts, earlier)?;
        remember(earlier, name, || texts);
        match found {
            None => self.columns.push(
                strings
                    .iter()
                    .map(|string| Cow::Borrowed(word(string)))
                    .collect(),
            ),
            Some(found) => {
                self.head.push('~');
                self.head.push_str(&piece(Cow::Owned(found.text)));
                if let Some(pieces) = found.pieces {
                    self.columns.push(pieces.into_iter().map(piece).collect());
                }
            }
        }
        Ok(())
    }

    /// Strings and null, by a pattern: whether there is one.
    fn some_strings(&mut self, values: &[Value<'a>]) -> Result<bool, Unfit> {
        let texts: Vec<Cow<str>> = strings(values).into_iter().map(unquoted).collect();
        let found = match shared(&texts)? {
            Some(found) if !escapes(&found.text) => found,
            _ => return Ok(false),
        };
        let mut pieces = match found.pieces {
            Some(pieces) => pieces.into_iter().map(piece),
            None => return Ok(false),
        };
        self.head.push('~');
        self.head.push_str(&piece(Cow::Owned(found.text)));
        let cells = values.iter().map(|value| match value {
            Value::Text(_) => pieces.next().unwrap_or_default(),
            _ => Cow::Borrowed("null"),
        });
        self.columns.push(cells.collect());
        Ok(true)
    }
}
