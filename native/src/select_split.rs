//! Texts in whole passages: the twin of `policies/compress/select_passages.py`, and of how
//! `policies/compress/select_text.py` chooses between its ways.

use crate::border::{asked, Asker, Unfit};
use crate::json_exact::{parse, Stop};
use crate::select_documents::documents;
use crate::select_paragraphs::{blocks, pieces, Block, Kind};
use crate::select_question::CODE;
use crate::select_signs::is_white;
use crate::select_titles::title;
use crate::text_protected::is_protected;
use crate::text_screen::shown;

/// A passage: `start` to `end` of a text. `head` is its title. `fixed`: it always stays.
pub struct Piece<'a> {
    pub start: usize,
    pub end: usize,
    pub head: &'a str,
    pub fixed: bool,
}

/// A text in passages; `noun` is what one of them is called.
pub struct Split<'a> {
    pub pieces: Vec<Piece<'a>>,
    pub noun: &'static str,
}

/// The documents of a text, or its paragraphs where no user has `pasted` it.
pub fn split(text: &str, pasted: bool, ask: Asker) -> Result<Option<Split<'_>>, Unfit> {
    let found = delimited(text)?;
    if found.is_some() || pasted {
        return Ok(found);
    }
    if text.trim_start_matches(is_white).starts_with(['{', '[']) {
        match parse(text) {
            Ok(_) => return Ok(None),
            Err(Stop::Unfit) => return Err(Unfit),
            Err(Stop::Refused) => {}
        }
    }
    let blocks = blocks(text);
    let unfenced = |(block, kind): &Block| match (kind, &text[block.clone()]) {
        (Kind::Fence, _) => "",
        (Kind::Heading, ruled) if ruled.contains("~~~") => "",
        (_, part) => part,
    };
    let plain: String = blocks.iter().map(unfenced).collect();
    if is_code(&plain, ask)? {
        return Ok(None);
    }
    Ok(Some(Split {
        pieces: pieces(text, &blocks),
        noun: "passages",
    }))
}

fn delimited(text: &str) -> Result<Option<Split<'_>>, Unfit> {
    let found = documents(text)?;
    if found.len() < 2 {
        return Ok(None);
    }
    let pieces = found.iter().map(|document| {
        Ok(Piece {
            start: document.start,
            end: document.end,
            head: title(text, document)?,
            fixed: false,
        })
    });
    Ok(Some(Split {
        pieces: pieces.collect::<Result<_, _>>()?,
        noun: "documents",
    }))
}

/// See `text_protected.looks_like_code_or_diff`.
fn is_code(text: &str, ask: Asker) -> Result<bool, Unfit> {
    let told = || {
        let seen = shown(text)?;
        Ok(is_protected(text)? || (seen != text && is_protected(&seen)?))
    };
    match told() {
        Ok(told) => Ok(told),
        Err(Unfit) => Ok(!asked(ask, CODE, text)?.is_empty()),
    }
}
