//! What is asked of a text: the twin of `Question` in `policies/compress/select_words.py`.

use std::ops::Range;

use crate::border::{asked, Asker, Unfit};
use crate::json_hash::{map, Map};
use crate::select_fold::fold;
use crate::select_stop::is_stop;
use crate::select_words::{first, Words, BEHIND};

// What is asked of Python: whether a text is code, holds trouble, facts, names of the question;
// the words of texts with NULs between; the stems of words; the tokens of a text; those
// of texts with NULs between; the names in a question.
pub const CODE: u32 = 0;
pub const TROUBLED: u32 = 1;
pub const FACTUAL: u32 = 2;
pub const NAMED: u32 = 3;
pub const WORDS: u32 = 4;
pub const STEMS: u32 = 5;
pub const SIZE: u32 = 6;
pub const SIZES: u32 = 7;
pub const NAMES: u32 = 8;

pub const OTHER: u8 = b' '; // stands for a word that is no term
pub const FIRST: u8 = b'0'; // of what stands for terms
const BORDER: u8 = 0; // between texts
const MOST: usize = 64; // words
const LEAD: usize = 3; // letters that a word and its stem have in common
const LEADS: usize = 1 << 12;
const LONG: usize = 5; // letters of a word that may stand in pieces

pub struct Question {
    words: Vec<(Vec<u8>, u8)>, // and what stands for them
    /// The stems of its words, each once.
    pub terms: Vec<String>,
    /// Of each whether it may also stand in pieces.
    pub long: Vec<bool>,
    /// Which terms follow one another.
    pub order: Vec<usize>,
}

/// Texts in the question's signs, and their words.
pub struct Said {
    signs: Vec<u8>,
    words: Words,
    texts: Vec<(Range<usize>, Range<usize>)>, // which signs and words are those of each
}

impl Said {
    /// The signs of a text.
    pub fn signs(&self, text: usize) -> &[u8] {
        &self.signs[self.texts[text].0.clone()]
    }

    /// The words of a text without blanks between, and three more bytes, in `run`.
    pub fn run(&self, text: usize, run: &mut Vec<u8>) {
        self.words.run(self.texts[text].1.clone(), run);
    }
}

impl Question {
    /// Of its words so many as can be told apart, but for those that mean nothing.
    pub fn new(text: &str, ask: Asker) -> Result<Self, Unfit> {
        let mut question = Question {
            words: Vec::new(),
            terms: Vec::new(),
            long: Vec::new(),
            order: Vec::new(),
        };
        let (said, ends) = all_words(&[text], ask)?;
        let told = said.until(0, ends[0]).filter(|(_, first)| !is_stop(*first));
        let words: Vec<&[u8]> = told.map(|(word, _)| word).take(MOST).collect();
        if words.is_empty() {
            return Ok(question);
        }
        let stems = stems(&words, ask)?;
        for (word, stem) in words.iter().zip(stems.split(' ')) {
            let known = question.terms.iter().position(|term| *term == stem);
            let number = known.unwrap_or(question.terms.len());
            if known.is_none() {
                question.terms.push(stem.to_owned());
                question.long.push(false);
            }
            question.long[number] |= letters(word).nth(LONG - 1).is_some();
            question.order.push(number);
            question.words.push((word.to_vec(), FIRST + number as u8));
        }
        Ok(question)
    }

    /// Of each of these texts its words, and a sign for each that means something.
    pub fn read(&self, texts: &[&str], ask: Asker) -> Result<Said, Unfit> {
        let (words, ends) = all_words(texts, ask)?;
        let mut news = News::new(self);
        let mut signs = vec![OTHER; words.len()];
        let mut found = Vec::with_capacity(texts.len());
        let (mut size, mut seen) = (0, 0);
        for end in ends {
            let from = (size, seen);
            for (word, first) in words.until(seen, end) {
                let stop = is_stop(first);
                signs[size] = OTHER;
                if !stop & news.may(first) {
                    match self.words.iter().find(|(said, _)| said == word) {
                        Some((_, sign)) => signs[size] = *sign,
                        None if news.leads(word) => news.add(word, size),
                        None => {}
                    }
                }
                size += usize::from(!stop);
                seen += 1;
            }
            found.push((from.0..size, from.1..seen));
        }
        let told = news.signs(&self.terms, ask)?;
        for (place, number) in news.places {
            signs[place] = told[number];
        }
        Ok(Said {
            signs,
            words,
            texts: found,
        })
    }
}

/// The words of all texts, and where each text ends among them.
fn all_words(texts: &[&str], ask: Asker) -> Result<(Words, Vec<usize>), Unfit> {
    let size: usize = texts.iter().map(|text| text.len() + 1).sum();
    let mut all = Vec::with_capacity(size + BEHIND);
    let mut ends = Vec::with_capacity(texts.len());
    let mut left = Vec::new();
    for text in texts {
        fold(text, &mut all, &mut left);
        ends.push(all.len());
        all.push(BORDER);
    }
    if !left.is_empty() {
        all = with_left(&all, &mut ends, &left, ask)?;
    }
    Ok((Words::new(all)?, ends))
}

/// With the words of what is left to Python where they belong.
fn with_left(
    all: &[u8],
    ends: &mut [usize],
    left: &[(usize, &str)],
    ask: Asker,
) -> Result<Vec<u8>, Unfit> {
    let listed: Vec<String> = left
        .iter()
        .map(|(_, text)| text.replace('\0', " "))
        .collect();
    let told = asked(ask, WORDS, &listed.join("\0"))?;
    if told.matches('\0').count() + 1 != left.len() {
        return Err(Unfit);
    }
    let mut whole = Vec::with_capacity(all.len() + told.len() + BEHIND);
    let (mut from, mut text, mut added) = (0, 0, 0);
    for ((at, _), words) in left.iter().zip(told.split('\0')) {
        while ends[text] < *at {
            ends[text] += added;
            text += 1;
        }
        whole.extend_from_slice(&all[from..*at]);
        whole.extend_from_slice(words.as_bytes());
        from = *at;
        added += words.len();
    }
    for end in &mut ends[text..] {
        *end += added;
    }
    whole.extend_from_slice(&all[from..]);
    Ok(whole)
}

/// The stems of words, with blanks between.
fn stems(words: &[&[u8]], ask: Asker) -> Result<String, Unfit> {
    let listed = words.join(&b' ');
    let told = asked(ask, STEMS, std::str::from_utf8(&listed).map_err(|_| Unfit)?)?;
    Some(told)
        .filter(|told| told.split(' ').count() == words.len())
        .ok_or(Unfit)
}

/// Where each letter of a word begins.
fn letters(word: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let bytes = word.iter().enumerate();
    bytes.filter_map(|(at, byte)| (byte & 0xc0 != 0x80).then_some(at))
}

/// Words that may be terms in another form.
struct News<'a> {
    starts: Vec<(&'a [u8], &'a [u8])>,
    leads: [u64; LEADS / 64], // of words and terms, by their hashes
    words: Vec<&'a [u8]>,
    numbers: Map<&'a [u8], usize>,
    places: Vec<(usize, usize)>, // place, number of the word
}

impl<'a> News<'a> {
    fn new(question: &'a Question) -> Self {
        let starts: Vec<_> = question.terms.iter().map(|term| starts(term)).collect();
        let words = question.words.iter().map(|(word, _)| word.as_slice());
        let mut leads = [0; LEADS / 64];
        for lead in words.chain(starts.iter().map(|(lead, _)| *lead)) {
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

    /// Whether the first letters of a word may be those of a term, or of a word of the question.
    fn may(&self, first: u64) -> bool {
        let spot = spot(first);
        self.leads[spot / 64] >> (spot % 64) & 1 == 1
    }

    /// Whether a word may have a stem that is a term.
    fn leads(&self, word: &[u8]) -> bool {
        let end = letters(word).nth(LEAD).unwrap_or(word.len());
        self.starts.iter().any(|(lead, _)| *lead == &word[..end])
            && self.starts.iter().any(|(_, start)| word.starts_with(start))
    }

    fn add(&mut self, word: &'a [u8], place: usize) {
        let next = self.words.len();
        let number = *self.numbers.entry(word).or_insert(next);
        if number == next {
            self.words.push(word);
        }
        self.places.push((place, number));
    }

    /// What stands for each of the words.
    fn signs(&self, terms: &[String], ask: Asker) -> Result<Vec<u8>, Unfit> {
        if self.words.is_empty() {
            return Ok(Vec::new());
        }
        let sign = |stem: &str| {
            let number = terms.iter().position(|term| *term == stem);
            number.map_or(OTHER, |number| FIRST + number as u8)
        };
        Ok(stems(&self.words, ask)?.split(' ').map(sign).collect())
    }
}

/// Where it is noted that words begin with the first three of these bytes.
fn spot(first: u64) -> usize {
    ((first as u32) << 8).wrapping_mul(0x9e37_79b1) as usize >> 20
}

/// The first three letters of a term; and all of it but the last letter: at its end alone a stem
/// may be another.
fn starts(term: &str) -> (&[u8], &[u8]) {
    let term = term.as_bytes();
    let lead = letters(term).nth(LEAD).unwrap_or(term.len());
    let last = letters(term).last().unwrap_or(0);
    (&term[..lead], &term[..last])
}
