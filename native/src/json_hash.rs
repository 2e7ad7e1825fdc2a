//! A hash for maps that live as long as one text: fast, and seeded, so that nobody can choose
//! texts that fall together.

use std::collections::hash_map::{HashMap, RandomState};
use std::hash::{BuildHasher, Hasher};

pub type Map<K, V> = HashMap<K, V, Seed>;

#[derive(Clone, Copy)]
pub struct Seed(u64, u64);

thread_local! {
    static SEED: Seed = {
        let random = RandomState::new();
        let one = |number: u64| {
            let mut hasher = random.build_hasher();
            hasher.write_u64(number);
            hasher.finish()
        };
        Seed(one(0), one(1))
    };
}

/// A map for so many.
pub fn map<K, V>(size: usize) -> Map<K, V> {
    HashMap::with_capacity_and_hasher(size, seed())
}

/// What makes hashers that agree within a thread.
pub fn seed() -> Seed {
    SEED.with(|seed| *seed)
}

pub struct Folded {
    state: u64,
    seed: u64,
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded {
            state: self.0,
            seed: self.1,
        }
    }
}

/// Both halves of a product, laid over each other.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

fn eight(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

fn four(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

/// Eight at most, as one number for each that they may be where it is known how many.
pub fn few(bytes: &[u8]) -> u64 {
    let byte = |at: usize| u64::from(bytes[at]);
    match bytes.len() {
        0 => 0,
        size @ 1..=3 => byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16,
        size => four(bytes, 0) | four(bytes, size - 4) << 32,
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let mut blocks = bytes.chunks_exact(16);
        for block in &mut blocks {
            self.state = folded(eight(block) ^ self.seed, eight(&block[8..]) ^ self.state);
        }
        let rest = blocks.remainder();
        let (low, high) = if rest.len() >= 8 {
            (eight(rest), few(&rest[8..]))
        } else {
            (few(rest), bytes.len() as u64)
        };
        self.state = folded(
            low ^ self.seed,
            high ^ self.state ^ (bytes.len() as u64) << 56,
        );
    }

    fn write_u8(&mut self, byte: u8) {
        self.state = self.state.rotate_left(8) ^ u64::from(byte);
    }

    fn finish(&self) -> u64 {
        folded(self.state, self.seed | 1)
    }
}
