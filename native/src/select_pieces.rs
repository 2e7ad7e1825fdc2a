//! How often each of some terms stands in a run of letters: `bytes.count`, of all at once.

use crate::select_signs::Starts;

pub struct Pieces<'a> {
    terms: &'a [&'a [u8]],
    starts: Box<Starts>,
    free: Vec<usize>, // from where on the next of a term may begin
}

impl<'a> Pieces<'a> {
    pub fn new(terms: &'a [&'a [u8]]) -> Self {
        let fewest = terms.iter().map(|term| term.len()).min().unwrap_or(1);
        let letters = fewest.min(4);
        let words: Vec<[u8; 4]> = terms
            .iter()
            .map(|term| {
                let mut word = [0; 4];
                word[..letters].copy_from_slice(&term[..letters]);
                word
            })
            .collect();
        Pieces {
            terms,
            starts: Box::new(Starts::new(&words, letters as u32)),
            free: vec![0; terms.len()],
        }
    }

    /// The numbers of the terms, without overlaps of any, in a run with three more bytes behind.
    pub fn find(&mut self, run: &[u8], mut each: impl FnMut(usize)) {
        self.free.fill(0);
        let mut from = 0;
        while let Some(at) = self.starts.find(run, from) {
            for (number, term) in self.terms.iter().enumerate() {
                if self.free[number] <= at && run[at..].starts_with(term) {
                    self.free[number] = at + term.len();
                    each(number);
                }
            }
            from = at + 1;
        }
    }
}
