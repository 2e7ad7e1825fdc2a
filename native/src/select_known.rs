//! Words that it is known of what they mean to a question.

const ROOM: usize = 1024; // for words, of which there are half as many at most
const KEY: usize = 8; // bytes

/// A sign for each word.
pub struct Known<'a> {
    slots: Box<[Slot; ROOM]>, // by where the hash of the key says, or behind
    words: Vec<&'a [u8]>,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,    // the first bytes of a word
    size: u32,   // of all its bytes; 0 where no word is
    number: u16, // of the word
    sign: u8,
}

impl<'a> Known<'a> {
    /// `other` stands for words that are not known.
    pub fn new(other: u8) -> Self {
        let slot = Slot {
            key: 0,
            size: 0,
            number: 0,
            sign: other,
        };
        Known {
            slots: Box::new([slot; ROOM]),
            words: Vec::with_capacity(ROOM / 2),
        }
    }

    /// Whether there is room for it.
    pub fn put(&mut self, word: &'a [u8], sign: u8) -> bool {
        if self.words.len() == ROOM / 2 {
            return false;
        }
        let key = first(word);
        let place = self.place(key, word);
        self.slots[place] = Slot {
            key,
            size: word.len() as u32,
            number: self.words.len() as u16,
            sign,
        };
        self.words.push(word);
        true
    }

    /// What stands for a word, given with its first eight bytes.
    pub fn sign(&self, word: &[u8], first: u64) -> u8 {
        self.slots[self.place(first, word)].sign
    }

    /// Where the word stands, or would.
    fn place(&self, key: u64, word: &[u8]) -> usize {
        let mut place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize;
        loop {
            let slot = &self.slots[place];
            let alike = (slot.key == key) & (slot.size == word.len() as u32);
            // One question instead of two: processors guess its answer.
            if alike | (slot.size == 0) && (word.len() <= KEY || self.is(slot, word)) {
                return place;
            }
            place = (place + 1) % ROOM;
        }
    }

    fn is(&self, slot: &Slot, word: &[u8]) -> bool {
        slot.size == 0 || self.words[usize::from(slot.number)] == word
    }
}

/// The first eight bytes of a word as a number.
pub fn first(word: &[u8]) -> u64 {
    let mut bytes = [0; KEY];
    let size = word.len().min(KEY);
    bytes[..size].copy_from_slice(&word[..size]);
    u64::from_le_bytes(bytes)
}
