//! Where a text stands in another: blocks of places are ruled out by two bytes at once.

const BLOCK: usize = 32;
const PATIENCE: usize = 8; // bytes compared in vain per byte of text, before `str::find` goes on

/// The places where the text stands, without overlap: what `str.count` and `str.replace` see.
pub fn places(text: &str, sought: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(place) = find(text, sought, at) {
        found.push(place);
        at = place + sought.len();
    }
    found
}

/// The text with another in these places of `sought`.
pub fn replaced(text: &str, places: &[usize], sought: &str, by: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut at = 0;
    for &place in places {
        made.push_str(&text[at..place]);
        made.push_str(by);
        at = place + sought.len();
    }
    made.push_str(&text[at..]);
    made
}

/// The first place of a text that is not empty, from a place on.
pub fn find(text: &str, sought: &str, from: usize) -> Option<usize> {
    let (bytes, wanted) = (text.as_bytes(), sought.as_bytes());
    let last = wanted.len() - 1;
    let mut at = from;
    let mut patience = PATIENCE * (bytes.len() - from) + BLOCK * wanted.len();
    while let Some(block) = bytes.get(at..at + last + BLOCK) {
        if any(&block[..BLOCK], &block[last..], wanted[0], wanted[last]) {
            for place in at..at + BLOCK {
                if bytes[place] == wanted[0] && bytes[place + last] == wanted[last] {
                    if bytes[place..place + wanted.len()] == *wanted {
                        return Some(place);
                    }
                    patience = match patience.checked_sub(wanted.len()) {
                        Some(left) => left,
                        None => return text.get(place..)?.find(sought).map(|more| place + more),
                    };
                }
            }
        }
        at += BLOCK;
    }
    (at..(bytes.len() + 1).saturating_sub(wanted.len()))
        .find(|&place| bytes[place] == wanted[0] && bytes[place..].starts_with(wanted))
}

/// Whether one byte stands in the first block where the other does in the second.
fn any(first: &[u8], second: &[u8], one: u8, other: u8) -> bool {
    let mut found = 0;
    for (a, b) in first.iter().zip(second) {
        found |= u8::from(*a == one) & u8::from(*b == other);
    }
    found != 0
}
