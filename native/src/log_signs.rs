//! What characters are to Python: of most letters and signs beyond ASCII this is known here,
//! texts with any others are left to Python.

const CHUNK: usize = 64; // bytes that are first looked at together

/// Whether it is known of all characters of the text what they are.
pub fn known(text: &str) -> bool {
    let mut at = 0;
    text.as_bytes().chunks(CHUNK).all(|chunk| {
        let start = at;
        at += chunk.len();
        chunk.is_ascii()
            || chunk.iter().enumerate().all(|(place, byte)| {
                let starts = *byte >= 0xc0; // a character that is not of ASCII
                !starts
                    || text[start + place..].starts_with(|sign| is_letter(sign) || is_sign(sign))
            })
    })
}

/// `str.isalnum`. Precondition: the character is known.
pub fn is_alnum(sign: char) -> bool {
    if sign.is_ascii() {
        sign.is_ascii_alphanumeric()
    } else {
        is_letter(sign)
    }
}

/// Letters beyond ASCII: alphanumeric, no digits. Latin, Greek, Cyrillic, kana, CJK, Hangul.
pub fn is_letter(sign: char) -> bool {
    matches!(
        sign,
        '\u{aa}' | '\u{b5}' | '\u{ba}' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2c1}' | '\u{386}' | '\u{388}'..='\u{38a}' | '\u{38c}'
        | '\u{38e}'..='\u{3a1}' | '\u{3a3}'..='\u{3f5}' | '\u{3f7}'..='\u{481}'
        | '\u{48a}'..='\u{52f}' | '\u{1e00}'..='\u{1eff}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
    )
}

/// Signs beyond ASCII: neither alphanumeric nor white space. Punctuation, currencies, arrows,
/// mathematics, boxes, dingbats, emoji, and what is for private use.
pub fn is_sign(sign: char) -> bool {
    matches!(
        sign,
        '\u{a1}'..='\u{a9}' | '\u{ab}'..='\u{b1}' | '\u{b4}' | '\u{b6}'..='\u{b8}' | '\u{bb}'
        | '\u{bf}' | '\u{d7}' | '\u{f7}' | '\u{200b}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
        | '\u{20a0}'..='\u{20c0}' | '\u{2122}' | '\u{2190}'..='\u{2426}' | '\u{2500}'..='\u{2775}'
        | '\u{2794}'..='\u{2b73}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3020}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe0f}' | '\u{feff}'
        | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{fffd}'
        | '\u{1f300}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6c5}' | '\u{1f900}'..='\u{1f9ff}'
    )
}

/// `str.isspace`. Precondition: the character is known.
pub fn is_space(sign: char) -> bool {
    matches!(sign, '\t'..='\r' | '\u{1c}'..='\u{1f}' | ' ')
}

/// Whether `str.strip` leaves nothing. Precondition: the characters are known.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}
