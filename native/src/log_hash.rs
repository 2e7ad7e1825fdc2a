//! Things numbered in the order in which they come, each once: what Python's dict is to the
//! codecs, found by a fast hash.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

const FREE: u32 = u32::MAX;

/// Numbers by the hashes of the things that they stand for, which whoever asks keeps.
///
/// Its two secrets are new for each, so that nobody can write texts whose words collide.
pub struct Index {
    secrets: (u64, u64),
    hashes: Vec<u64>,
    table: Vec<u32>,
}

impl Index {
    pub fn new() -> Self {
        let state = RandomState::new();
        let secret = |number| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(number);
            hasher.finish() | 1
        };
        Index {
            secrets: (secret(0), secret(1)),
            hashes: Vec::new(),
            table: vec![FREE; 16],
        }
    }

    /// The number of the thing with this hash that is the `same`, if it has one.
    pub fn find(&self, hash: u64, same: impl Fn(usize) -> bool) -> Option<usize> {
        self.place(hash, same).ok()
    }

    /// The same; the next number if it is new.
    pub fn number(&mut self, hash: u64, same: impl Fn(usize) -> bool) -> usize {
        let place = match self.place(hash, same) {
            Ok(number) => return number,
            Err(place) => place,
        };
        let number = self.hashes.len();
        self.hashes.push(hash);
        self.table[place] = number as u32;
        if self.hashes.len() * 2 > self.table.len() {
            self.grow();
        }
        number
    }

    /// The number, or where in the table there is room for it.
    fn place(&self, hash: u64, same: impl Fn(usize) -> bool) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        while self.table[place] != FREE {
            let number = self.table[place] as usize;
            if self.hashes[number] == hash && same(number) {
                return Ok(number);
            }
            place = (place + 1) & mask;
        }
        Err(place)
    }

    fn grow(&mut self) {
        let size = self.table.len() * 4;
        self.table = vec![FREE; size];
        for (number, hash) in self.hashes.iter().enumerate() {
            let mut place = *hash as usize & (size - 1);
            while self.table[place] != FREE {
                place = (place + 1) & (size - 1);
            }
            self.table[place] = number as u32;
        }
    }

    /// The hash of a text.
    pub fn text(&self, text: &str) -> u64 {
        let bytes = text.as_bytes();
        let mut state = self.mixed(0, bytes.len() as u64);
        let mut at = 0;
        while bytes.len() - at > 8 {
            state = self.mixed(state, eight(bytes, at));
            at += 8;
        }
        self.mixed(state, last(bytes, at))
    }

    /// The hash of texts in a row.
    pub fn texts<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> u64 {
        texts
            .into_iter()
            .fold(0, |state, text| self.mixed(state, self.text(text)))
    }

    /// The hash of numbers in a row.
    pub fn numbers(&self, numbers: &[u32]) -> u64 {
        let start = self.mixed(0, numbers.len() as u64);
        numbers
            .iter()
            .fold(start, |state, number| self.mixed(state, u64::from(*number)))
    }

    /// A hash of what has the hash `state` and a number more: both halves of a long product.
    pub fn mixed(&self, state: u64, number: u64) -> u64 {
        let (add, multiply) = self.secrets;
        let product = u128::from(state ^ number ^ add) * u128::from(multiply);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

fn eight(bytes: &[u8], at: usize) -> u64 {
    let mut found = [0; 8];
    found.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(found)
}

fn four(bytes: &[u8], at: usize) -> u64 {
    let mut found = [0; 4];
    found.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(found))
}

/// The last eight bytes at most, as one number for each that they may be where the size is known.
fn last(bytes: &[u8], at: usize) -> u64 {
    let size = bytes.len();
    match size - at {
        0 => 0,
        _ if size >= 8 => eight(bytes, size - 8),
        4..=8 => four(bytes, at) | four(bytes, size - 4) << 32,
        left => {
            let byte = |place: usize| u64::from(bytes[place]);
            byte(at) | byte(at + left / 2) << 8 | byte(size - 1) << 16
        }
    }
}
