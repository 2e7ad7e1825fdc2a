//! Texts without accents and apostrophes: the twin of `fold` in
//! `policies/compress/select_words.py`.

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
const SILENT: char = '\''; // is left out

/// Put letters and digits of a text, and other signs where words are parted, behind those of
/// others. False, and nothing, where it has letters that are left to Python.
pub fn fold(text: &str, out: &mut Vec<u8>) -> bool {
    if text.is_ascii() && !text.contains(SILENT) {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    let start = out.len();
    out.resize(start + text.len(), 0);
    let (mut size, mut at) = (start, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        if byte.is_ascii() {
            out[size] = *byte;
            size += usize::from(*byte != SILENT as u8);
            at += 1;
            continue;
        }
        let sign = text[at..].chars().next().unwrap_or(BLANK);
        match folded(sign) {
            Some(SILENT) => {}
            Some(letter) => size += letter.encode_utf8(&mut out[size..]).len(),
            None => {
                out.truncate(start);
                return false;
            }
        }
        at += sign.len_utf8();
    }
    out.truncate(size);
    true
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
