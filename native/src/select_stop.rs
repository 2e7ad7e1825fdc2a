//! Words that say how something is asked, not what: the twin of `STOP` in
//! `policies/compress/select_words.py`.

const WORDS: &str = "\
    a about above after all also am an and any are as at be been being below both but by can could \
    did do does doing done down each few for from further get give had has have having he her here \
    hers him his how i if in into is it its just let many may me might more most much my no nor not \
    now of off on once only or other our out over own please same shall she should so some such \
    tell than that the their them then there these they this those through to too under until up \
    upon us very was we were what when where which while who whom whose why will with would you \
    your s t re ve ll d m";
const ROOM: usize = 1 << 10;
const FACTOR: u64 = 0x2fcf_327c_5cf4_6a05; // which gives each of the words a place of its own

static KEYS: [u64; ROOM] = keys(WORDS.as_bytes());

/// Whether a word is one of them, given by its first eight bytes.
pub fn is_stop(first: u64) -> bool {
    KEYS[place(first)] == first
}

const fn place(first: u64) -> usize {
    (first.wrapping_mul(FACTOR) >> 54) as usize
}

const fn keys(words: &[u8]) -> [u64; ROOM] {
    let mut keys = [0; ROOM];
    let (mut at, mut key, mut size) = (0, 0, 0);
    while at <= words.len() {
        if at == words.len() || words[at] == b' ' {
            assert!(size < 8 && keys[place(key)] == 0);
            keys[place(key)] = key;
            key = 0;
            size = 0;
        } else {
            key |= (words[at] as u64) << (8 * size);
            size += 1;
        }
        at += 1;
    }
    keys
}
