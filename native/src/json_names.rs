//! The columns that objects have together: the twin of `_names` in `json_tables.py`.

use std::borrow::Cow;

use crate::json_document::{Document, Member, Value};
use crate::json_words::unquoted;

const FILLED: f64 = 0.6;
const KINDS: usize = 16;
const WIDEST: usize = 256;

/// The members of all, in an order that each of them keeps.
pub fn names(document: &Document, rows: &[Value]) -> Option<Vec<usize>> {
    let mut kinds: Vec<&[Member]> = Vec::new();
    let mut all = 0;
    for row in rows {
        let own = match row {
            Value::Object(span) => document.members(*span),
            _ => return None,
        };
        all += own.len();
        if !kinds.iter().any(|kind| same(kind, own)) {
            kinds.push(own);
            if kinds.len() > 1 && kinds.len() > KINDS.min(rows.len() / 2 + 1) {
                return None;
            }
        }
    }
    if kinds.len() == 1 {
        let names: Vec<usize> = kinds[0].iter().map(|member| member.name).collect();
        return Some(names).filter(|names| (1..=WIDEST).contains(&names.len()));
    }
    let merged = merged(document, &mut kinds)?;
    let filled = all as f64 / (merged.len() * rows.len()) as f64;
    let kept = kinds.iter().all(|kind| {
        let own = merged
            .iter()
            .filter(|name| kind.iter().any(|member| member.name == **name));
        own.eq(kind.iter().map(|member| &member.name))
    });
    Some(merged).filter(|_| kept && filled >= FILLED)
}

fn same(one: &[Member], other: &[Member]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.name == b.name)
}

fn merged(document: &Document, kinds: &mut [&[Member]]) -> Option<Vec<usize>> {
    let texts = |kind: &[Member]| -> Vec<Cow<str>> {
        kind.iter()
            .map(|member| unquoted(document.names[member.name].string))
            .collect()
    };
    kinds.sort_by(|one, other| {
        other
            .len()
            .cmp(&one.len())
            .then_with(|| texts(one).cmp(&texts(other)))
    });
    let mut merged: Vec<usize> = Vec::new();
    for kind in kinds.iter() {
        let mut at = 0;
        for member in kind.iter() {
            match merged.iter().position(|name| *name == member.name) {
                Some(place) => at = place + 1,
                None => {
                    merged.insert(at, member.name);
                    at += 1;
                }
            }
            if merged.len() > WIDEST {
                return None;
            }
        }
    }
    Some(merged)
}
