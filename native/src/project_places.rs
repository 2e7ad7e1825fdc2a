//! Which places of a JSON value an expression names: the twin of `project_places.py`, less its
//! conditions in brackets.

use crate::border::Unfit;
use crate::json_document::{Document, Value};
use crate::json_spelling::plain;
use crate::json_words::{inside, unquoted};
use std::borrow::Cow;
use std::collections::HashSet;
use std::rc::Rc;
use std::str::Lines;

const STEPS: usize = 100; // of an expression; it, and the lists that it makes, nest less deep
const SPARE: usize = 64; // places that may be met again

/// What a step leads to: a place by its number in the document, or a list that is made.
#[derive(Clone)]
enum Found {
    Nothing,
    Place(usize),
    Made(Rc<Vec<Found>>),
}

#[derive(Clone, Copy)]
enum Kind {
    Same,
    /// By its place in `Document::names`.
    Field(Option<usize>),
    Chain,
    Index(i64),
    Slice([Option<i64>; 3]),
    Projection,
    Values,
    Flatten,
    Several,
}

struct Step {
    kind: Kind,
    inner: Vec<Step>,
}

/// Reads expressions: a line for each step, the steps that it holds below it.
pub struct Reader<'a> {
    document: &'a Document<'a>,
    names: Vec<Cow<'a, str>>,
}

impl<'a> Reader<'a> {
    pub fn new(document: &'a Document<'a>) -> Result<Self, Unfit> {
        let names: Vec<_> = document
            .names
            .iter()
            .map(|name| text(name.string))
            .collect();
        let escaped = names.iter().any(|name| matches!(name, Cow::Owned(_)));
        if escaped && names.iter().collect::<HashSet<_>>().len() < names.len() {
            return Err(Unfit); // one name in two spellings: perhaps twice in one object
        }
        Ok(Reader { document, names })
    }

    /// The places that some expressions name, in no order, from that of the whole value on.
    pub fn places(&self, expressions: &str, whole: usize) -> Result<Vec<usize>, Unfit> {
        let mut lines = expressions.lines();
        let mut places = Vec::new();
        while let Some(line) = lines.next() {
            let mut room = STEPS;
            let step = self.step(line, &mut lines, &mut room)?;
            let mut search = Search {
                document: self.document,
                left: (STEPS - room) * (whole + SPARE),
            };
            let mut left = vec![search.found(&step, Found::Place(whole))?];
            while let Some(found) = left.pop() {
                match found {
                    Found::Nothing => {}
                    Found::Place(place) => places.push(place),
                    Found::Made(made) => {
                        search.spend(made.len())?;
                        left.extend(made.iter().cloned());
                    }
                }
            }
        }
        Ok(places)
    }

    fn step(&self, line: &str, lines: &mut Lines, room: &mut usize) -> Result<Step, Unfit> {
        *room = room.checked_sub(1).ok_or(Unfit)?;
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().ok_or(Unfit);
        let (kind, size, value) = (part()?, part()?, part()?);
        let kind = self.kind(kind, value)?;
        let mut inner = Vec::new();
        for _ in 0..size.parse().map_err(|_| Unfit)? {
            inner.push(self.step(lines.next().ok_or(Unfit)?, lines, room)?);
        }
        Ok(Step { kind, inner })
    }

    fn kind(&self, kind: &str, value: &str) -> Result<Kind, Unfit> {
        Ok(match kind {
            "current" | "identity" => Kind::Same,
            "field" => {
                let name = unquoted(value);
                Kind::Field(self.names.iter().position(|known| *known == name))
            }
            "index_expression" | "pipe" | "subexpression" => Kind::Chain,
            "index" => Kind::Index(number(value)?.ok_or(Unfit)?),
            "slice" => {
                let mut parts = inside(value).split(", ").map(number);
                let mut part = || parts.next().ok_or(Unfit)?;
                Kind::Slice([part()?, part()?, part()?])
            }
            "projection" => Kind::Projection,
            "value_projection" => Kind::Values,
            "flatten" => Kind::Flatten,
            "multi_select_list" => Kind::Several,
            _ => return Err(Unfit),
        })
    }
}

/// What a string says.
fn text(string: &str) -> Cow<'_, str> {
    if string.contains('\\') {
        Cow::Owned(unquoted(&plain(string)).into_owned())
    } else {
        Cow::Borrowed(inside(string))
    }
}

fn number(digits: &str) -> Result<Option<i64>, Unfit> {
    if digits == "null" {
        return Ok(None);
    }
    let number = digits.parse::<i32>().map_err(|_| Unfit)?;
    Ok(Some(i64::from(number)))
}

struct Search<'a> {
    document: &'a Document<'a>,
    left: usize, // places that may be looked at: more are only met where some are met again
}

impl Search<'_> {
    fn found(&mut self, step: &Step, here: Found) -> Result<Found, Unfit> {
        match (step.kind, &step.inner[..]) {
            (Kind::Same, []) => Ok(here),
            (Kind::Field(name), []) => self.field(name, &here),
            (Kind::Chain, steps) => steps
                .iter()
                .try_fold(here, |here, step| self.found(step, here)),
            (Kind::Index(at), []) => {
                let items = self.items(&here)?;
                let at = if at < 0 { at + items.len() as i64 } else { at };
                let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                Ok(item.cloned().unwrap_or(Found::Nothing))
            }
            (Kind::Slice(bounds), []) => Ok(made(sliced(&self.items(&here)?, bounds)?)),
            (Kind::Projection, [left, right]) => {
                let base = self.found(left, here)?;
                let items = self.items(&base)?;
                self.each(items, right)
            }
            (Kind::Values, [left, right]) => match self.found(left, here)? {
                Found::Place(place) if matches!(self.document.at(place), Value::Object(_)) => {
                    let values = self.inner(place)?;
                    self.each(values, right)
                }
                _ => Ok(Found::Nothing),
            },
            (Kind::Flatten, [list]) => {
                let base = self.found(list, here)?;
                self.flattened(&base)
            }
            (Kind::Several, steps) => {
                let found = steps.iter().map(|step| self.found(step, here.clone()));
                some(found)
            }
            _ => Err(Unfit),
        }
    }

    fn field(&mut self, name: Option<usize>, here: &Found) -> Result<Found, Unfit> {
        if let (Some(name), Found::Place(place)) = (name, here) {
            if let object @ Value::Object(span) = self.document.at(*place) {
                let mut places = self.document.places(object);
                self.spend(places.len())?;
                let mut members = self.document.members(span).iter();
                if let Some(at) = members.position(|member| member.name == name) {
                    return Ok(places.nth(at).map_or(Found::Nothing, Found::Place));
                }
            }
        }
        Ok(Found::Nothing)
    }

    fn each(&mut self, items: Vec<Found>, right: &Step) -> Result<Found, Unfit> {
        some(items.into_iter().map(|each| self.found(right, each)))
    }

    fn flattened(&mut self, base: &Found) -> Result<Found, Unfit> {
        let mut found = Vec::new();
        for each in self.items(base)? {
            let nested = match each {
                Found::Place(place) => matches!(self.document.at(place), Value::List(_)),
                _ => true,
            };
            if nested {
                found.append(&mut self.items(&each)?);
            } else {
                found.push(each);
            }
        }
        Ok(made(found))
    }

    /// What a list holds.
    fn items(&mut self, found: &Found) -> Result<Vec<Found>, Unfit> {
        match found {
            Found::Place(place) if matches!(self.document.at(*place), Value::List(_)) => {
                self.inner(*place)
            }
            Found::Made(made) => {
                self.spend(made.len())?;
                Ok(made.to_vec())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn inner(&mut self, place: usize) -> Result<Vec<Found>, Unfit> {
        let places = self.document.places(self.document.at(place));
        self.spend(places.len())?;
        Ok(places.map(Found::Place).collect())
    }

    fn spend(&mut self, places: usize) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(places).ok_or(Unfit)?;
        Ok(())
    }
}

fn made(found: Vec<Found>) -> Found {
    Found::Made(Rc::new(found))
}

/// A list of what there is.
fn some(found: impl Iterator<Item = Result<Found, Unfit>>) -> Result<Found, Unfit> {
    let there = |each: &Result<Found, Unfit>| !matches!(each, Ok(Found::Nothing));
    found.filter(there).collect::<Result<_, _>>().map(made)
}

/// A slice as Python takes it.
fn sliced(items: &[Found], bounds: [Option<i64>; 3]) -> Result<Vec<Found>, Unfit> {
    let [start, stop, step] = bounds;
    let (size, step) = (items.len() as i64, step.unwrap_or(1));
    let (low, high) = if step < 0 { (-1, size - 1) } else { (0, size) };
    let (first, end) = if step < 0 { (high, low) } else { (low, high) };
    let within = |at: i64| (if at < 0 { at + size } else { at }).clamp(low, high);
    let (mut at, stop) = (start.map_or(first, within), stop.map_or(end, within));
    if step == 0 {
        return Err(Unfit);
    }
    let mut found = Vec::new();
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        found.push(items[at as usize].clone());
        at += step;
    }
    Ok(found)
}
