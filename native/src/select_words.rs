//! Texts as words: the twin of `plain` in `policies/compress/select_words.py`.

use std::ops::Range;

use crate::border::Unfit;

const BLOCK: usize = 64; // bytes, of which one number each says what they are
const MARGIN: usize = 8; // bytes behind all words, for whoever reads eight at once
/// For so many bytes there had better be room behind texts.
pub const BEHIND: usize = BLOCK + MARGIN;

/// The words of texts in lower case.
pub struct Words {
    low: Vec<u8>, // letters and digits; 0 for all other bytes
    bounds: Vec<(u32, u32)>,
}

impl Words {
    /// Of folded texts, with other signs between.
    pub fn new(mut text: Vec<u8>) -> Result<Self, Unfit> {
        let size = u32::try_from(text.len()).map_err(|_| Unfit)?;
        text.resize((text.len() + BLOCK - 1) / BLOCK * BLOCK + MARGIN, 0);
        let mut bounds: Vec<(u32, u32)> = Vec::with_capacity(text.len() / 5);
        let mut ended = 0;
        let (mut letter, mut small) = (0, 0); // whether the byte before is one
        for (number, block) in text.chunks_exact_mut(BLOCK).enumerate() {
            let mut kinds = [0; BLOCK];
            for (byte, kind) in block.iter_mut().zip(&mut kinds) {
                let small = byte.wrapping_sub(b'a') < 26 || byte.wrapping_sub(b'0') < 10;
                let capital = byte.wrapping_sub(b'A') < 26;
                let letter = small | capital | (*byte > 0x7f);
                *kind = u8::from(letter) | u8::from(capital) << 1 | u8::from(small) << 2;
                *byte = (*byte | u8::from(capital) << 5) & u8::from(letter).wrapping_neg();
            }
            let (letters, capitals, smalls) = (bits(&kinds, 0), bits(&kinds, 1), bits(&kinds, 2));
            let humps = capitals & (smalls << 1 | small);
            let before = letters << 1 | letter;
            let mut starts = letters & (!before | humps);
            let mut ends = before & (!letters | humps);
            letter = letters >> (BLOCK - 1);
            small = smalls >> (BLOCK - 1);
            let at = (number * BLOCK) as u32;
            while starts != 0 {
                bounds.push((at + starts.trailing_zeros(), size));
                starts &= starts - 1;
            }
            while ends != 0 {
                bounds[ended].1 = at + ends.trailing_zeros();
                ended += 1;
                ends &= ends - 1;
            }
        }
        Ok(Words { low: text, bounds })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Of the words from this one on that stand before that byte the letters, and the first eight,
    /// or zeros, as one number.
    pub fn until(&self, first: usize, end: usize) -> impl Iterator<Item = (&[u8], u64)> {
        let bounds = self.bounds[first..].iter();
        let bounds = bounds.take_while(move |(start, _)| (*start as usize) < end);
        bounds.map(move |(start, end)| {
            let start = *start as usize;
            let word = &self.low[start..*end as usize];
            let behind = MARGIN - word.len().min(MARGIN);
            let first = u64::from_le_bytes(self.eight(start));
            (word, first << (behind * 8) >> (behind * 8))
        })
    }

    fn eight(&self, at: usize) -> [u8; MARGIN] {
        let mut bytes = [0; MARGIN];
        bytes.copy_from_slice(&self.low[at..at + MARGIN]);
        bytes
    }

    /// These words without blanks between, and three more bytes, in `run`.
    pub fn run(&self, which: Range<usize>, run: &mut Vec<u8>) {
        let mut size = 0;
        for (start, end) in &self.bounds[which] {
            let (start, end) = (*start as usize, *end as usize);
            run.resize(run.len().max(size + end - start + MARGIN), 0);
            if end - start <= MARGIN {
                run[size..size + MARGIN].copy_from_slice(&self.eight(start));
            } else {
                run[size..size + end - start].copy_from_slice(&self.low[start..end]);
            }
            size += end - start;
        }
        run.truncate(size);
        run.resize(size + 3, 0);
    }
}

/// The first eight bytes of a word, or zeros, as a number.
pub fn first(word: &[u8]) -> u64 {
    let mut bytes = [0; MARGIN];
    let size = word.len().min(MARGIN);
    bytes[..size].copy_from_slice(&word[..size]);
    u64::from_le_bytes(bytes)
}

/// The same bit of each byte.
fn bits(kinds: &[u8; BLOCK], bit: u32) -> u64 {
    let mut found = 0;
    for (number, eight) in kinds.chunks_exact(8).enumerate() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(eight);
        let ones = u64::from_le_bytes(bytes) >> bit & 0x0101_0101_0101_0101;
        found |= ones.wrapping_mul(0x0102_0408_1020_4080) >> 56 << (number * 8);
    }
    found
}
