//! How much each passage has to do with a question: the twin of `policies/compress/select_rank.py`
//! and `select_bm25.py`, with the same floating-point operations in the same order.

use crate::border::{Asker, Unfit};
use crate::select_pieces::Pieces;
use crate::select_question::{Question, Said, FIRST, OTHER};
use crate::select_split::Piece;

const HEAD: u32 = 3; // a term in a title counts as often
const PAIR: f64 = 0.75; // of two terms' mean idf, where they follow one another
const MEANT: f64 = 1.5; // for a title that the question says whole
const K1: f64 = 2.0;
const B: f64 = 0.75;
const PARTS: f64 = 1e6; // of a score that are told apart
const NONE: u8 = u8::MAX;

/// A passage in the question's signs, and how often it holds each term.
struct Read<'a> {
    body: &'a [u8],
    head: &'a [u8],
    counts: &'a mut [u32],
}

/// The scores of passages, in millionths.
pub fn scores(
    text: &str,
    pieces: &[Piece],
    question: &Question,
    ask: Asker,
) -> Result<Vec<u64>, Unfit> {
    let mut texts: Vec<&str> = pieces
        .iter()
        .map(|piece| &text[piece.start..piece.end])
        .collect();
    let mut heads = Vec::with_capacity(pieces.len()); // a title may be that of many passages
    for piece in pieces {
        if texts.len() == pieces.len() || texts[texts.len() - 1] != piece.head {
            texts.push(piece.head);
        }
        heads.push(texts.len() - 1);
    }
    let said = question.read(&texts, ask)?;
    let terms = question.terms.len();
    let mut counts = vec![0; pieces.len() * terms];
    let mut read = Vec::with_capacity(pieces.len());
    for ((body, head), counts) in heads.into_iter().enumerate().zip(counts.chunks_mut(terms)) {
        read.push(Read::new(said.signs(body), said.signs(head), counts));
    }
    let hidden = find_hidden(question, &said, &mut read);
    Ok(scored(question, &read, &hidden))
}

impl<'a> Read<'a> {
    /// `counts`: as many zeros as there are terms.
    fn new(body: &'a [u8], head: &'a [u8], counts: &'a mut [u32]) -> Self {
        for (signs, often) in [(body, 1), (head, HEAD)] {
            for sign in signs.iter().filter(|sign| **sign != OTHER) {
                counts[usize::from(sign - FIRST)] += often;
            }
        }
        Read { body, head, counts }
    }

    /// Which of the pairs stand side by side, a bit for each.
    fn beside(&self, pairs: &[u8]) -> u64 {
        let mut found = 0;
        for signs in [self.body, self.head] {
            for two in signs
                .windows(2)
                .filter(|two| two[0] != OTHER && two[1] != OTHER)
            {
                let pair = pairs[place(two[0] - FIRST, two[1] - FIRST)];
                if pair != NONE {
                    found |= 1 << pair;
                }
            }
        }
        found
    }

    /// How much of its title the question says.
    fn meant(&self) -> f64 {
        let mut seen = 0_u64;
        let mut others = 0_u32;
        for sign in self.head {
            match sign.checked_sub(FIRST) {
                Some(term) => seen |= 1 << term,
                None => others += 1,
            }
        }
        let told = seen.count_ones();
        if self.head.is_empty() {
            0.0
        } else {
            f64::from(told) / f64::from(told + others)
        }
    }
}

fn place(one: u8, other: u8) -> usize {
    usize::from(one) << 6 | usize::from(other)
}

/// Terms that stand nowhere as words may stand somewhere in pieces, or within others. Those that
/// were looked for.
fn find_hidden(question: &Question, said: &Said, read: &mut [Read]) -> Vec<usize> {
    let nowhere = |term: &usize| read.iter().all(|each| each.counts[*term] == 0);
    let absent = (0..question.terms.len()).filter(|term| question.long[*term]);
    let absent: Vec<usize> = absent.filter(nowhere).collect();
    if absent.is_empty() {
        return absent;
    }
    let terms: Vec<&[u8]> = absent
        .iter()
        .map(|term| question.terms[*term].as_bytes())
        .collect();
    let mut pieces = Pieces::new(&terms);
    let mut run = Vec::new();
    for (text, read) in read.iter_mut().enumerate() {
        said.run(text, &mut run);
        pieces.find(&run, |number| read.counts[absent[number]] += 1);
    }
    absent
}

fn scored(question: &Question, read: &[Read], hidden: &[usize]) -> Vec<u64> {
    let seen = (0..question.terms.len()).filter(|term| !hidden.contains(term));
    let order: Vec<usize> = seen.chain(hidden.iter().copied()).collect();
    let weight: Vec<f64> = (0..question.terms.len())
        .map(|term| {
            let holding = read.iter().filter(|each| each.counts[term] > 0).count() as f64;
            (1.0 + (read.len() as f64 - holding + 0.5) / (holding + 0.5)).ln()
        })
        .collect();
    let lengths: usize = read
        .iter()
        .map(|each| each.body.len() + each.head.len())
        .sum();
    let mean = lengths as f64 / read.len().max(1) as f64;
    let mean = if mean == 0.0 { 1.0 } else { mean };
    let (pairs, means) = paired(question, &weight);
    let score = |each: &Read| {
        let length = (each.body.len() + each.head.len()) as f64;
        let norm = K1 * (1.0 - B + B * length / mean);
        let mut score = 0.0;
        for term in order.iter().filter(|term| each.counts[**term] > 0) {
            let often = f64::from(each.counts[*term]);
            score += weight[*term] * often * (K1 + 1.0) / (often + norm);
        }
        if score == 0.0 {
            return 0;
        }
        let found = each.beside(&pairs);
        let mut beside = 0.0;
        for (pair, mean) in means.iter().enumerate() {
            if found >> pair & 1 == 1 {
                beside += mean;
            }
        }
        rounded(score + PAIR * beside + MEANT * each.meant())
    };
    read.iter().map(score).collect()
}

/// Pairs of terms that follow one another, numbered as they are sorted, and the mean idf of each.
fn paired(question: &Question, weight: &[f64]) -> (Vec<u8>, Vec<f64>) {
    let listed = question.order.windows(2).map(|two| (two[0], two[1]));
    let mut listed: Vec<(usize, usize)> = listed.collect();
    let terms = |pair: &(usize, usize)| (&question.terms[pair.0], &question.terms[pair.1]);
    listed.sort_unstable_by(|one, other| terms(one).cmp(&terms(other)));
    listed.dedup();
    let mut pairs = vec![NONE; 64 * 64];
    let mut means = Vec::with_capacity(listed.len());
    for (number, (one, other)) in listed.into_iter().enumerate() {
        pairs[place(one as u8, other as u8)] = number as u8;
        means.push((weight[one] + weight[other]) / 2.0);
    }
    (pairs, means)
}

/// `round(score, 6)`, in millionths: to the nearest, told from the digits where it is close.
fn rounded(score: f64) -> u64 {
    let parts = score * PARTS;
    if (parts.fract() - 0.5).abs() > 1e-3 {
        return parts.round() as u64;
    }
    let digits = format!("{:.6}", score).replace('.', "");
    digits.parse().unwrap_or(parts as u64)
}
