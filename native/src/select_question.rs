//! What is asked of a text: the twin of `Question` in `policies/compress/select_words.py`.

use std::ops::Range;

use crate::border::{asked, Asker, Unfit};
use crate::json_hash::{map, Map};
use crate::select_fold::fold;
use crate::select_known::{first, Known};
use crate::select_words::Words;

// What is asked of Python: whether a text is code, holds trouble, facts, names of the question;
// the words of texts with NULs between; what stands for words; the tokens of a text.
pub const CODE: u32 = 0;
pub const TROUBLED: u32 = 1;
pub const FACTUAL: u32 = 2;
pub const NAMED: u32 = 3;
pub const WORDS: u32 = 4;
pub const SIGNS: u32 = 5;
pub const SIZE: u32 = 6;

pub const OTHER: u8 = b' '; // stands for a word that is no term
pub const FIRST: u8 = b'0'; // of what stands for terms
const BORDER: u8 = 0; // between texts
const STOP: u8 = b'.'; // for one that means nothing
const MOST: usize = 64; // terms
const LEAD: usize = 3; // letters that a word and its stem have in common
const LEADS: usize = 1 << 12;
const LONG: usize = 5; // letters of a word that may stand in pieces

pub struct Question<'a> {
    /// The stems of its words, each once.
    pub terms: Vec<&'a str>,
    /// Of each whether it may also stand in pieces.
    pub long: Vec<bool>,
    /// Which terms follow one another.
    pub order: Vec<usize>,
    known: Known<'a>,
}

/// Texts in the question's signs, and their words.
pub struct Said {
    pub signs: Vec<Vec<u8>>,
    pub words: Words,
    /// Which are those of each text.
    pub which: Vec<Range<usize>>,
}

impl<'a> Question<'a> {
    /// Of its `words` and their `stems`, and the words that mean nothing.
    pub fn new(words: &'a str, stems: &'a str, stop: &'a str) -> Result<Self, Unfit> {
        let mut question = Question {
            terms: Vec::new(),
            long: Vec::new(),
            order: Vec::new(),
            known: Known::new(OTHER),
        };
        let mut fits = true;
        for word in split(stop) {
            fits &= question.known.put(word.as_bytes(), STOP);
        }
        for (word, stem) in split(words).zip(split(stems)) {
            let known = question.terms.iter().position(|term| *term == stem);
            let number = known.unwrap_or(question.terms.len());
            if known.is_none() {
                question.terms.push(stem);
                question.long.push(false);
            }
            question.long[number] |= word.chars().nth(LONG - 1).is_some();
            question.order.push(number);
            fits &= question.known.put(word.as_bytes(), FIRST + number as u8);
        }
        fits &= split(words).count() == split(stems).count() && question.terms.len() <= MOST;
        Some(question).filter(|_| fits).ok_or(Unfit)
    }

    /// Of each of these texts its words, and a sign for each that means something.
    pub fn read(&self, texts: &[&str], ask: Asker) -> Result<Said, Unfit> {
        let (words, which) = all_words(texts, ask)?;
        let mut news = News::new(&self.terms);
        let mut found = Vec::with_capacity(texts.len());
        for which in &which {
            let mut listed = vec![OTHER; which.len()];
            let mut size = 0;
            for (word, first) in words.iter(which.clone()) {
                let sign = self.known.sign(word, first);
                if (sign == OTHER) & news.may(first) && news.leads(word) {
                    news.add(word, found.len(), size);
                }
                listed[size] = sign;
                size += usize::from(sign != STOP);
            }
            listed.truncate(size);
            found.push(listed);
        }
        let signs = news.signs(ask)?;
        for (text, place, number) in news.places {
            found[text][place] = signs[number];
        }
        Ok(Said {
            signs: found,
            words,
            which,
        })
    }
}

/// The words of all texts, and which are those of each; Python is asked for what is not known
/// here.
fn all_words(texts: &[&str], ask: Asker) -> Result<(Words, Vec<Range<usize>>), Unfit> {
    let mut all = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    let mut parts = Vec::with_capacity(texts.len());
    let mut left = Vec::new();
    for text in texts {
        let start = all.len();
        if !fold(text, &mut all) {
            left.push((parts.len(), text.replace('\0', " ")));
        }
        parts.push(start..all.len());
        all.push(BORDER);
    }
    if !left.is_empty() {
        let listed: Vec<&str> = left.iter().map(|(_, text)| text.as_str()).collect();
        let told = asked(ask, WORDS, &listed.join("\0"))?;
        if told.matches('\0').count() + 1 != left.len() {
            return Err(Unfit);
        }
        for ((place, _), text) in left.iter().zip(told.split('\0')) {
            let start = all.len();
            all.extend_from_slice(text.as_bytes());
            parts[*place] = start..all.len();
            all.push(BORDER);
        }
    }
    let words = Words::new(&all);
    let which = parts.iter().map(|part| words.within(part)).collect();
    Ok((words, which))
}

/// Words that may be terms in another form.
struct News<'a> {
    starts: Vec<(&'a [u8], &'a [u8])>,
    leads: [u64; LEADS / 64], // which there may be, by their hashes
    words: Vec<u8>,
    numbers: Map<Vec<u8>, usize>,
    places: Vec<(usize, usize, usize)>, // text, place in it, number of the word
}

impl<'a> News<'a> {
    fn new(terms: &[&'a str]) -> Self {
        let starts: Vec<(&[u8], &[u8])> = terms.iter().map(|term| starts(term)).collect();
        let mut leads = [0; LEADS / 64];
        for (lead, _) in &starts {
            let spot = spot(first(lead));
            leads[spot / 64] |= 1 << (spot % 64);
        }
        News {
            starts,
            leads,
            words: Vec::new(),
            numbers: map(16),
            places: Vec::new(),
        }
    }

    /// Whether the first letters of a word may be those of a term.
    fn may(&self, first: u64) -> bool {
        let spot = spot(first);
        self.leads[spot / 64] >> (spot % 64) & 1 == 1
    }

    /// Whether a word may have a stem that is a term.
    fn leads(&self, word: &[u8]) -> bool {
        let letters = word.iter().enumerate();
        let mut letters = letters.filter(|(_, byte)| **byte & 0xc0 != 0x80);
        let end = letters.nth(LEAD).map_or(word.len(), |(at, _)| at);
        self.starts.iter().any(|(lead, _)| *lead == &word[..end])
            && self.starts.iter().any(|(_, start)| word.starts_with(start))
    }

    fn add(&mut self, word: &[u8], text: usize, place: usize) {
        let next = self.numbers.len();
        let number = match self.numbers.get(word) {
            Some(number) => *number,
            None => {
                self.numbers.insert(word.to_vec(), next);
                self.words.extend_from_slice(word);
                self.words.push(b' ');
                next
            }
        };
        self.places.push((text, place, number));
    }

    /// What stands for each of the words.
    fn signs(&self, ask: Asker) -> Result<Vec<u8>, Unfit> {
        if self.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let listed = std::str::from_utf8(&self.words).map_err(|_| Unfit)?;
        let found = asked(ask, SIGNS, listed.trim_end())?.into_bytes();
        Some(found)
            .filter(|found| found.len() == self.numbers.len())
            .ok_or(Unfit)
    }
}

/// Where it is noted that words begin with the first three of these bytes.
fn spot(first: u64) -> usize {
    ((first as u32) << 8).wrapping_mul(0x9e37_79b1) as usize >> 20
}

fn split(listed: &str) -> impl Iterator<Item = &str> {
    listed.split(' ').filter(|word| !word.is_empty())
}

/// The first three letters of a term; and all of it but the last letter: at its end alone a stem
/// may be another.
fn starts(term: &str) -> (&[u8], &[u8]) {
    let lead = term
        .char_indices()
        .nth(LEAD)
        .map_or(term.len(), |(at, _)| at);
    let last = term.char_indices().next_back().map_or(0, |(at, _)| at);
    (&term.as_bytes()[..lead], &term.as_bytes()[..last])
}
