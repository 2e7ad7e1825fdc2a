//! The passages that stay of a text: the twin of `policies/compress/select_choice.py`.

use crate::border::{asked, run, Asker, Made, Text, Unfit};
use crate::select_facts::factual;
use crate::select_names::Names;
use crate::select_question::{Question, FACTUAL, NAMED, SIZE, TROUBLED};
use crate::select_rank::scores;
use crate::select_signs::has_other_cases;
use crate::select_split::{split, Piece, Split};
use crate::select_trouble::troubled;

const FEWEST: usize = 3; // passages that are chosen among
const FULL: f64 = 0.97; // of the room, by the lengths of passages; then it is counted
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

struct Choice<'a> {
    share: Option<f64>,
    tokens: Option<f64>,
    before: f64, // tokens of the text, where there is a limit
    pasted: bool,
    question: Question<'a>,
    names: Names<'a>,
    odd: bool, // whether there are letters in the text that `re` takes for others
    ask: Asker,
}

impl<'a> Choice<'a> {
    /// Of four lines: limits, tokens, and whether a user has pasted the text; words; stems; names.
    fn new(head: &'a str, ask: Asker) -> Result<Self, Unfit> {
        let mut lines = head.split('\n');
        let mut line = || lines.next().ok_or(Unfit);
        let mut limits = line()?.split(' ');
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
            question: Question::new(line()?, line()?)?,
            names: Names::new(line()?.split(' ').filter(|name| !name.is_empty())),
            odd: false,
            ask,
        })
    }

    /// How many passages are left out, NUL, and the text without them; not that text, where it is
    /// the one that has been counted last.
    fn made(mut self, text: &str) -> Made {
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
            written(text, &split, &kept, gone)
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
    /// By their lengths; then what is left is counted, and the last go where it is too much.
    /// Whether what stays is what has been counted last.
    fn limit(
        &self,
        kept: &mut [bool],
        scores: &[u64],
        text: &str,
        split: &Split,
    ) -> Result<bool, Unfit> {
        let pieces = &split.pieces;
        let plain = text.is_ascii();
        let length = |text: &str| {
            let signs = if plain {
                text.len()
            } else {
                text.chars().count()
            };
            signs as f64
        };
        let rate = self.before / length(text);
        let within = rate * length(&text[pieces[0].start..pieces[pieces.len() - 1].end]);
        let shared = self.share.map_or(within, |share| share * within);
        let room = self.tokens.map_or(shared, |tokens| tokens.min(shared));
        let long = |piece: &Piece| rate * length(&text[piece.start..piece.end]);
        let likely: Vec<f64> = pieces.iter().map(long).collect();
        let left = FULL * room - rate * length(&note(pieces.len(), split));
        let mut added = fill(kept, scores, &likely, left);
        loop {
            let gone = kept.iter().filter(|kept| !**kept).count();
            if added.is_empty() || gone == 0 {
                return Ok(false);
            }
            let short = written(text, split, kept, gone);
            let size: f64 = asked(self.ask, SIZE, &short)?.parse().map_err(|_| Unfit)?;
            let mut over = size - (self.before - within + room);
            if over <= 0.0 {
                return Ok(true);
            }
            while over > 0.0 {
                match added.pop() {
                    Some(place) => {
                        kept[place] = false;
                        over -= likely[place];
                    }
                    None => break,
                }
            }
        }
    }
}

/// Those that are kept from now on, but for the very best; `likely`: the tokens of each.
fn fill(kept: &mut [bool], scores: &[u64], likely: &[f64], mut left: f64) -> Vec<usize> {
    for (size, _) in likely.iter().zip(&*kept).filter(|(_, kept)| **kept) {
        left -= size;
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(scores[*place]));
    let mut added = Vec::new();
    for (number, place) in order.into_iter().enumerate() {
        if !kept[place] && (number == 0 || likely[place] <= left) {
            kept[place] = true;
            left -= likely[place];
            if number > 0 {
                added.push(place);
            }
        }
    }
    added
}

/// What stands at the end.
fn note(gone: usize, split: &Split) -> String {
    let all = split.pieces.len();
    format!("[{} of {} {} left out]", gone, all, split.noun)
}

/// What stands between passages stays before the one behind it; the note stands at the end.
///
/// Where passages of a running text are missing, three dots say so.
fn written(text: &str, split: &Split, kept: &[bool], gone: usize) -> String {
    let pieces = &split.pieces;
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
