//! Texts without accents and apostrophes: the twin of `fold` in
//! `policies/compress/select_words.py`.

use crate::select_signs::find;

/// The letters from U+00C0 and from U+1E00 on without their accents.
const LATIN: &[u8; 400] = b"\
    AAAAAA?CEEEEIIII?NOOOOO??UUUUY??aaaaaa?ceeeeiiii?nooooo??uuuuy?y\
    AaAaAaCcCcCcCcDd??EeEeEeEeEeGgGgGgGgHh??IiIiIiIiI???JjKk?LlLlLl?\
    ???NnNnNnn??OoOoOo??RrRrRrSsSsSsSsTtTt??UuUuUuUuUuUuWwYyYZzZzZzs\
    ????????????????????????????????Oo?????????????Uu???????????????\
    ?????????????AaIiOoUuUuUuUuUu?AaAa????GgKkOoOo??j???Gg??NnAa????\
    AaAaEeEeIiIiOoOoRrRrUuUuSsTt??Hh??????AaEeOoOoOoOoYy????????????\
    ????????????????\
";
const VIETNAMESE: &[u8; 256] = b"\
    AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm\
    MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv\
    WwWwWwWwWwXxXxYyZzZzZzhtwy?s????AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe\
    EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy??????\
";
const MORE: (&str, &str) = (
    "άέήίόύώϊϋΐΰΆΈΉΊΌΎΏйёїЙЁЇʰʲʷ²³¹ªº",
    "αεηιουωιυιυαεηιουωиеіиеіhjw231ao",
);
const OTHER: u8 = b'?'; // of these: more than a letter, or none of ASCII
const BLANK: char = ' '; // parts words
const BLANKS: [char; 2] = [BLANK, '\n']; // in each text: what is beside them is nothing to it
const SILENT: char = '\''; // is left out

/// Put letters and digits of a text, and other signs where words are parted, behind those of
/// others. What stands between blanks and has letters that are left to Python is not put there:
/// `left` has it, and the place where it belongs.
pub fn fold<'a>(text: &'a str, out: &mut Vec<u8>, left: &mut Vec<(usize, &'a str)>) {
    let mut rest = text;
    loop {
        let size = known(rest, out);
        if size == rest.len() {
            return;
        }
        let start = rest[..size].rfind(BLANKS).map_or(0, |at| at + 1);
        let mut begun = Vec::new();
        known(&rest[start..size], &mut begun);
        out.truncate(out.len() - begun.len());
        let end = rest[size..].find(BLANKS).map_or(rest.len(), |at| size + at);
        left.push((out.len(), &rest[start..end]));
        rest = &rest[end..];
    }
}

/// Fold a text up to the first letter that is left to Python: its place.
fn known(text: &str, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    loop {
        let bytes = &text.as_bytes()[at..];
        let plain = find(bytes, |byte| byte > 0x7f || byte == SILENT as u8);
        out.extend_from_slice(&bytes[..plain]);
        at += plain;
        let sign = match text[at..].chars().next() {
            Some(sign) => sign,
            None => return at,
        };
        match folded(sign) {
            Some(SILENT) => {}
            Some(letter) => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return at,
        }
        at += sign.len_utf8();
    }
}

/// What stands for a sign: a letter, or what stands for others.
fn folded(sign: char) -> Option<char> {
    let code = sign as usize;
    let latin = match sign {
        '\u{c0}'..='\u{24f}' => LATIN[code - 0xc0],
        '\u{1e00}'..='\u{1eff}' => VIETNAMESE[code - 0x1e00],
        _ => OTHER,
    };
    match sign {
        _ if latin != OTHER => Some(char::from(latin)),
        SILENT | '\u{300}'..='\u{36f}' | '\u{2018}' | '\u{2019}' | '\u{2bb}' | '\u{2bc}' => {
            Some(SILENT)
        }
        _ if is_letter(sign) => {
            let mut small = sign.to_lowercase();
            small.next().filter(|_| small.next().is_none())
        }
        _ if parts(sign) => Some(BLANK),
        _ => {
            let place = MORE.0.chars().position(|other| other == sign)?;
            MORE.1.chars().nth(place)
        }
    }
}

/// Letters that stand for themselves: Latin and phonetic ones, Greek, Cyrillic, Hebrew, Arabic.
fn is_letter(sign: char) -> bool {
    matches!(
        sign,
        'Æ' | 'Ð' | 'Ø' | 'Þ' | 'ß' | 'æ' | 'ð' | 'ø' | 'þ' | 'Đ' | 'đ' | 'Ħ' | 'ħ' | 'ı' | 'Ł'
        | 'ł' | 'Ŋ' | 'ŋ' | 'Œ' | 'œ' | 'Ŧ' | 'ŧ' | '\u{250}'..='\u{2af}' | '\u{2c8}' | '\u{2cc}'
        | '\u{2d0}' | 'Α'..='Ρ' | 'Τ'..='Ω' | 'α'..='ω' | 'А'..='И' | 'К'..='и' | 'к'..='я'
        | 'א'..='ת' | '\u{621}' | '\u{627}'..='\u{63a}' | '\u{641}'..='\u{64a}' | 'پ' | 'چ' | 'ک'
        | 'گ' | 'ی'
    )
}

/// Signs and white space.
fn parts(sign: char) -> bool {
    matches!(
        sign,
        '\u{80}'..='\u{a9}' | '\u{ab}'..='\u{b1}' | '\u{b4}' | '\u{b6}'..='\u{b8}' | '\u{bb}'
        | '\u{bf}' | '\u{d7}' | '\u{f7}' | '\u{591}'..='\u{5c7}' | '\u{64b}'..='\u{652}'
        | '\u{2000}'..='\u{205f}' | '\u{20a0}'..='\u{20a7}' | '\u{20a9}'..='\u{20bf}'
        | '\u{2190}'..='\u{22ff}' | '\u{2500}'..='\u{2775}' | '\u{fe0f}' | '\u{feff}' | '\u{fffd}'
        | '\u{1f300}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6c5}' | '\u{1f900}'..='\u{1f9ff}'
    )
}
