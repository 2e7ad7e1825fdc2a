//! What documents are called: the twin of `_title` in `policies/compress/select_passages.py`.

use crate::border::Unfit;
use crate::log_stamps::head;
use crate::select_documents::Document;
use crate::select_signs::{begins, is_white};

const TOP: usize = 400; // characters of a document in which its title is looked for
const LINE: usize = 120; // characters of a first line that may be a title
const LONGEST: usize = 200; // characters of a title

/// What a label, tag or attribute says, or else a short first line.
pub fn title<'a>(text: &'a str, document: &Document) -> Result<&'a str, Unfit> {
    let top = head(&text[document.start..document.end], TOP);
    for (at, sign) in top.bytes().enumerate() {
        let found = match sign {
            b't' | b'T' => said(top, at)?,
            b'<' => tag(&top[at..]),
            _ => None,
        };
        if let Some(title) = found {
            return Ok(title);
        }
    }
    let inner = text[document.opens..document.closes].trim_start_matches(is_white);
    let line = head(inner, LINE + 1).split_once('\n');
    Ok(line.map_or("", |(line, _)| line))
}

/// `Title: ` in whatever case, or `title="`.
fn said(top: &str, at: usize) -> Result<Option<&str>, Unfit> {
    let found = match top[at + 1..].strip_prefix("itle") {
        Some(rest) => rest
            .strip_prefix(':')
            .and_then(label)
            .or_else(|| quoted(top[at..].strip_prefix("title=\"")?)),
        None => None,
    };
    Ok(match found {
        Some(_) if !begins(&top[..at])? => None,
        _ => found,
    })
}

/// Behind blanks what stands before the bracket or the end of the line.
fn label(rest: &str) -> Option<&str> {
    let inner = rest.trim_start_matches([' ', '\t']);
    let size = inner.find([')', '\n']).unwrap_or(inner.len());
    match (size, inner.len() < rest.len()) {
        (0, false) => None,
        (0, true) => Some(" "),
        _ => Some(head(&inner[..size], LONGEST)),
    }
}

fn quoted(rest: &str) -> Option<&str> {
    fits(&rest[..rest.find('"')?])
}

fn tag(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix("<title>")?;
    let (title, rest) = rest.split_at(rest.find('<')?);
    fits(title).filter(|_| rest.starts_with("</title>"))
}

fn fits(title: &str) -> Option<&str> {
    Some(title).filter(|title| !title.is_empty() && head(title, LONGEST).len() == title.len())
}
