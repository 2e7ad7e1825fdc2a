//! Things numbered in the order in which they come, each once: what Python's dict is to the
//! codecs.

use std::hash::{BuildHasher, Hash, Hasher};

use crate::json_hash::{seed, Seed};

const FREE: u32 = u32::MAX;

/// Numbers by the hashes of the things that they stand for, which whoever asks keeps.
pub struct Index {
    seed: Seed,
    hashes: Vec<u64>,
    table: Vec<u32>,
}

impl Index {
    pub fn new() -> Self {
        Index {
            seed: seed(),
            hashes: Vec::new(),
            table: vec![FREE; 16],
        }
    }

    /// The number of the thing that is the `same` as this, if it has one.
    pub fn find(&self, thing: impl Hash, same: impl Fn(usize) -> bool) -> Option<usize> {
        self.place(self.hash(thing), same).ok()
    }

    /// The same; the next number if it is new.
    pub fn number(&mut self, thing: impl Hash, same: impl Fn(usize) -> bool) -> usize {
        let hash = self.hash(thing);
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

    fn hash(&self, thing: impl Hash) -> u64 {
        let mut hasher = self.seed.build_hasher();
        thing.hash(&mut hasher);
        hasher.finish()
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
}
