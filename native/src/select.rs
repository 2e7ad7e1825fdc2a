//! The passages that stay of a text: the twin of `policies/compress/select_choice.py`.

use crate::border::{asked, run, Asker, Made, Text, Unfit};
use crate::select_facts::factual;
use crate::select_names::Names;
use crate::select_question::{Question, FACTUAL, NAMED, SIZES, TROUBLED};
use crate::select_rank::scores;
use crate::select_signs::has_other_cases;
use crate::select_split::{split, Piece, Split};
use crate::select_trouble::troubled;

const FEWEST: usize = 3; // passages that are chosen among
const FAR: f64 = 1.5; // times the room: a passage of so many tokens by its length does not fit
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
    /// Of five lines: limits, tokens, and whether a user has pasted the text; words; stems;
    /// stop-words; names.
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
            question: Question::new(line()?, line()?, line()?)?,
            names: Names::new(line()?.split(' ').filter(|name| !name.is_empty())),
            odd: false,
            ask,
        })
    }

    /// How many passages are left out, NUL, and the text without them.
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
        if self.share.is_none() && self.tokens.is_none() {
            for ((kept, score), piece) in kept.iter_mut().zip(&scores).zip(&split.pieces) {
                let whole = &text[piece.start..piece.end];
                *kept = *kept || score * NEAR >= best || self.told(FACTUAL, factual, whole)?;
            }
        } else {
            self.fill(&mut kept, &scores, text, &split)?;
        }
        let gone = kept.iter().filter(|kept| !**kept).count();
        Ok(Some(gone)
            .filter(|gone| *gone > 0)
            .map(|gone| written(text, &split, &kept, gone)))
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
    /// What is too long by far is not counted; what is likely to stay is counted at once.
    fn fill(
        &self,
        kept: &mut [bool],
        scores: &[u64],
        text: &str,
        split: &Split,
    ) -> Result<(), Unfit> {
        let pieces = split.pieces.iter();
        let texts: Vec<&str> = pieces.map(|piece| &text[piece.start..piece.end]).collect();
        let rate = self.before / length(text);
        let likely: Vec<f64> = texts.iter().map(|text| rate * length(text)).collect();
        let shared = rate * texts.iter().map(|text| length(text)).sum::<f64>();
        let shared = self.share.map_or(shared, |share| share * shared);
        let mut room = self.tokens.map_or(shared, |tokens| tokens.min(shared));
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(scores[*place]));
        let mut sizes = vec![None; texts.len()];
        let first = first(&order, kept, &likely, room);
        let note = note(texts.len() - 1, split);
        let listed = first.iter().map(|place| texts[*place]);
        let mut counted = self.sizes(listed.chain([note.as_str()]))?;
        room -= counted.pop().unwrap_or(0.0);
        for (place, size) in first.into_iter().zip(counted) {
            sizes[place] = Some(size);
        }
        let pinned = sizes.iter().zip(&*kept).filter(|(_, kept)| **kept);
        room -= pinned.filter_map(|(size, _)| *size).sum::<f64>();
        for (number, place) in order.into_iter().enumerate() {
            if !kept[place] && (number == 0 || likely[place] <= FAR * room) {
                let size = match sizes[place] {
                    Some(size) => size,
                    None => self.sizes([texts[place]].iter().copied())?[0],
                };
                if number == 0 || size <= room {
                    kept[place] = true;
                    room -= size;
                }
            }
        }
        Ok(())
    }

    /// Tokens of each text.
    fn sizes<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Result<Vec<f64>, Unfit> {
        let texts: Vec<&str> = texts.collect();
        let lengths: Vec<String> = texts.iter().map(|text| length(text).to_string()).collect();
        let listed = format!("{}\n{}", lengths.join(" "), texts.concat());
        let sizes = asked(self.ask, SIZES, &listed)?;
        let sizes: Vec<f64> = sizes
            .split(' ')
            .filter_map(|size| size.parse().ok())
            .collect();
        Some(sizes)
            .filter(|sizes| sizes.len() == texts.len())
            .ok_or(Unfit)
    }
}

/// Those that are kept, and the best as far as there is likely to be room.
fn first(order: &[usize], kept: &[bool], likely: &[f64], room: f64) -> Vec<usize> {
    let mut found: Vec<usize> = (0..kept.len()).filter(|place| kept[*place]).collect();
    let mut left = room - found.iter().map(|place| likely[*place]).sum::<f64>();
    for place in order.iter().filter(|place| !kept[**place]) {
        left -= likely[*place];
        if left < 0.0 {
            break;
        }
        found.push(*place);
    }
    found
}

/// Characters.
fn length(text: &str) -> f64 {
    text.chars().count() as f64
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
    let mut out = format!("{}\0", gone);
    out.reserve(text.len());
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
