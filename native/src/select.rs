//! The passages that stay of a text: the twin of `policies/compress/select_choice.py`.

use crate::border::{asked, run, Asker, Made, Text, Unfit};
use crate::select_facts::factual;
use crate::select_names::Names;
use crate::select_question::{Question, FACTUAL, NAMED, SIZE, SIZES, TROUBLED};
use crate::select_rank::scores;
use crate::select_signs::has_other_cases;
use crate::select_split::{split, Piece, Split};
use crate::select_trouble::troubled;

const FEWEST: usize = 3; // passages that are chosen among
const FULL: f64 = 0.97; // of the room, by the lengths of passages; then it is counted
const SPARE: f64 = 0.2; // of it, from which on passages are looked for by their tokens
const NEAR: u64 = 4; // of the best score the part from which on a passage is near the question

/// See `select_text.selected`; `head` says what is asked.
///
/// # Safety
/// As of `run`; `head` points to `head_size` bytes; `ask` may be called until this returns.
#[no_mangle]
pub unsafe extern "C" fn penstock_select(
    start: *const u8,
    size: usize,
    head: *const u8,
    head_size: usize,
    ask: Asker,
    out: *mut Text,
) -> i32 {
    unsafe {
        let head = std::slice::from_raw_parts(head, head_size);
        run(start, size, out, |text| {
            let head = std::str::from_utf8(head).map_err(|_| Unfit)?;
            Choice::new(head, ask)?.made(text)
        })
    }
}

struct Choice {
    share: Option<f64>,
    tokens: Option<f64>,
    before: f64, // tokens of the text, where there is a limit
    pasted: bool,
    question: Question,
    names: Names,
    odd: bool, // whether there are letters in the text that `re` takes for others
    ask: Asker,
}

impl Choice {
    /// Of a line with limits, tokens, and whether a user has pasted the text; and the question.
    fn new(head: &str, ask: Asker) -> Result<Self, Unfit> {
        let (limits, question) = head.split_once('\n').ok_or(Unfit)?;
        let mut limits = limits.split(' ');
        let mut limit = || match limits.next() {
            Some("-") => Ok(None),
            Some(number) => number.parse().map(Some).map_err(|_| Unfit),
            None => Err(Unfit),
        };
        let (share, tokens) = (limit()?, limit()?);
        let before = limit()?.unwrap_or(0.0);
        Ok(Choice {
            share,
            tokens,
            before,
            pasted: limits.next() == Some("pasted"),
            question: Question::new(question, ask)?,
            names: Names::of(question, ask)?,
            odd: false,
            ask,
        })
    }

    /// How many passages are left out, NUL, and the text without them; not that text, where it is
    /// the one that has been counted last.
    fn made(mut self, text: &str) -> Made {
        if self.question.terms.is_empty() {
            return Ok(None);
        }
        self.odd = has_other_cases(text);
        let split = match split(text, self.pasted, self.ask)? {
            Some(split) if split.pieces.len() >= FEWEST => split,
            _ => return Ok(None),
        };
        let scores = scores(text, &split.pieces, &self.question, self.ask)?;
        let best = scores.iter().copied().max().unwrap_or(0);
        if best == 0 {
            return Ok(None);
        }
        let mut kept = self.pinned(text, &split.pieces)?;
        let mut counted = false;
        if self.share.is_none() && self.tokens.is_none() {
            for ((kept, score), piece) in kept.iter_mut().zip(&scores).zip(&split.pieces) {
                let whole = &text[piece.start..piece.end];
                *kept = *kept || score * NEAR >= best || self.told(FACTUAL, factual, whole)?;
            }
        } else {
            counted = self.limit(&mut kept, &scores, text, &split)?;
        }
        let gone = kept.iter().filter(|kept| !**kept).count();
        if gone == 0 {
            return Ok(None);
        }
        let short = if counted {
            String::new()
        } else {
            written(text, &split, &kept)
        };
        Ok(Some(format!("{}\0{}", gone, short)))
    }

    /// Whether passages stay whatever else is asked for.
    fn pinned(&self, text: &str, pieces: &[Piece]) -> Result<Vec<bool>, Unfit> {
        let pinned = |piece: &Piece| {
            let whole = &text[piece.start..piece.end];
            Ok(piece.fixed
                || self.told(TROUBLED, troubled, whole)?
                || self.told(NAMED, |whole| self.names.stand(whole), whole)?)
        };
        pieces.iter().map(pinned).collect()
    }

    /// What is told of a passage, here or else by Python.
    fn told(
        &self,
        kind: u32,
        tell: impl Fn(&str) -> Result<bool, Unfit>,
        whole: &str,
    ) -> Result<bool, Unfit> {
        let told = if self.odd && has_other_cases(whole) {
            Err(Unfit)
        } else {
            tell(whole)
        };
        told.or_else(|_| Ok(!asked(self.ask, kind, whole)?.is_empty()))
    }

    /// Keep the best passages that there is room for, the very best in any case.
    ///
    /// By their lengths; where that leaves too much, or much room for another, by their tokens.
    /// Whether what stays is what has been counted last.
    fn limit(
        &self,
        kept: &mut [bool],
        scores: &[u64],
        text: &str,
        split: &Split,
    ) -> Result<bool, Unfit> {
        let pieces = &split.pieces;
        let pinned = kept.to_vec();
        let plain = text.is_ascii();
        let length = |part: &str| length(part, plain);
        let rate = self.before / length(text);
        let within = rate * length(&text[pieces[0].start..pieces[pieces.len() - 1].end]);
        let shared = self.share.map_or(within, |share| share * within);
        let room = self.tokens.map_or(shared, |tokens| tokens.min(shared));
        let most = self.before - within + room;
        let told = note(pieces.len(), split);
        let long = |piece: &Piece| rate * length(&text[piece.start..piece.end]);
        let likely: Vec<f64> = pieces.iter().map(long).collect();
        fill(kept, scores, &likely, FULL * room - rate * length(&told));
        let gone = (likely.iter().zip(&*kept)).filter(|(_, kept)| !**kept);
        let least = gone.fold(f64::INFINITY, |least, (size, _)| least.min(*size));
        if least == f64::INFINITY {
            return Ok(false);
        }
        let free = most - self.size(&written(text, split, kept))?;
        if 0.0 <= free && free < least.max(SPARE * room) {
            return Ok(true);
        }
        kept.copy_from_slice(&pinned);
        let sizes = self.sizes(text, pieces)?;
        let mut added = fill(kept, scores, &sizes, room - self.size(&told)?);
        loop {
            if added.is_empty() || kept.iter().all(|kept| *kept) {
                return Ok(false);
            }
            let mut over = self.size(&written(text, split, kept))? - most;
            if over <= 0.0 {
                return Ok(true);
            }
            while let Some(place) = added.pop() {
                kept[place] = false;
                over -= sizes[place];
                if over <= 0.0 {
                    break;
                }
            }
        }
    }

    /// The tokens of a text.
    fn size(&self, text: &str) -> Result<f64, Unfit> {
        asked(self.ask, SIZE, text)?.parse().map_err(|_| Unfit)
    }

    /// The tokens of passages.
    fn sizes(&self, text: &str, pieces: &[Piece]) -> Result<Vec<f64>, Unfit> {
        let texts: Vec<&str> = pieces
            .iter()
            .map(|piece| &text[piece.start..piece.end])
            .collect();
        let told = asked(self.ask, SIZES, &texts.join("\0"))?;
        let sizes: Result<Vec<f64>, _> = told.split(' ').map(str::parse).collect();
        let sizes = sizes.map_err(|_| Unfit)?;
        Some(sizes)
            .filter(|sizes| sizes.len() == pieces.len())
            .ok_or(Unfit)
    }
}

/// Those that are kept from now on, but for the very best.
fn fill(kept: &mut [bool], scores: &[u64], sizes: &[f64], mut left: f64) -> Vec<usize> {
    for (size, _) in sizes.iter().zip(&*kept).filter(|(_, kept)| **kept) {
        left -= size;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(scores[*place]));
    let mut added = Vec::new();
    for (number, place) in order.into_iter().enumerate() {
        if !kept[place] && (number == 0 || sizes[place] <= left) {
            kept[place] = true;
            left -= sizes[place];
            if number > 0 {
                added.push(place);
            }
        }
    }
    added
}

/// Characters; `plain`: of ASCII.
fn length(text: &str, plain: bool) -> f64 {
    if plain {
        text.len() as f64
    } else {
        text.chars().count() as f64
    }
}

/// What stands at the end.
fn note(gone: usize, split: &Split) -> String {
    let all = split.pieces.len();
    format!("[{} of {} {} left out]", gone, all, split.noun)
}

/// What stands between passages stays before the one behind it; the note stands at the end.
///
/// Where passages of a running text are missing, three dots say so.
fn written(text: &str, split: &Split, kept: &[bool]) -> String {
    let pieces = &split.pieces;
    let gone = kept.iter().filter(|kept| !**kept).count();
    let mut out = String::with_capacity(text.len() + 64);
    out.push_str(&text[..pieces[0].start]);
    let mut last = None;
    for (place, piece) in pieces.iter().enumerate().filter(|(place, _)| kept[*place]) {
        if let Some(last) = last {
            out.push_str(&text[pieces[place - 1].end..piece.start]);
            if place > last + 1 && split.noun == "passages" {
                out.push_str("[...]\n");
            }
        }
        out.push_str(&text[piece.start..piece.end]);
        last = Some(place);
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&note(gone, split));
    out.push_str(&text[pieces[pieces.len() - 1].end..]);
    out
}
