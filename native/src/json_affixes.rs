//! What all strings of a column begin and end with: the twin of `_affixes` in
//! `json_patterns.py`.

use std::borrow::Cow;

use crate::border::Unfit;

/// Bytes of the beginning and of the end, without overlap. The beginning ends with a sign and
/// the end begins where digits or letters do.
pub fn affixes(column: &[Cow<str>]) -> Result<(usize, usize), Unfit> {
    let first = column[0].as_ref();
    let mut head = first.len();
    for text in column {
        head = alike(first.bytes().take(head), text.bytes());
    }
    while !first.is_char_boundary(head) {
        head -= 1;
    }
    while let Some(sign) = first[..head].chars().next_back() {
        if sign != '_' && kind(sign)? == Kind::Sign {
            break;
        }
        head -= sign.len_utf8();
    }
    let mut tail = first.len() - head;
    for text in column {
        let rest = text.as_bytes()[head..].iter().rev().copied();
        tail = alike(first.bytes().rev().take(tail), rest);
    }
    while !first.is_char_boundary(first.len() - tail) {
        tail -= 1;
    }
    Ok((head, trimmed(column, head, tail)?))
}

fn alike(one: impl Iterator<Item = u8>, other: impl Iterator<Item = u8>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// The end without what belongs to words and numbers that begin before it.
fn trimmed(column: &[Cow<str>], head: usize, tail: usize) -> Result<usize, Unfit> {
    let end = &column[0][column[0].len() - tail..];
    let first = match end.chars().next() {
        Some(sign) => kind(sign)?,
        None => return Ok(0),
    };
    let rests = column.iter().map(|text| &text[head..text.len() - tail]);
    let ended = rests.clone().any(str::is_empty);
    let low = rests
        .clone()
        .filter_map(|rest| rest.chars().next_back())
        .min();
    let high = rests.filter_map(|rest| rest.chars().next_back()).max();
    let low = if ended { None } else { low }; // the shortest text is the lowest one, reversed
    let mut joined = false;
    for before in low.into_iter().chain(high) {
        joined |= first != Kind::Sign && kind(before)? == first;
    }
    if !joined {
        return Ok(tail);
    }
    let mut rest = end;
    while let Some(sign) = rest.chars().next() {
        if kind(sign)? != first {
            break;
        }
        rest = &rest[sign.len_utf8()..];
    }
    Ok(rest.len())
}

#[derive(PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    Sign,
}

/// What Python's `isalpha` and `isdigit` say. Beyond ASCII of scripts in wide use only.
fn kind(sign: char) -> Result<Kind, Unfit> {
    match sign {
        'a'..='z' | 'A'..='Z' => Ok(Kind::Letter),
        '0'..='9' => Ok(Kind::Digit),
        '\0'..='\x7f' => Ok(Kind::Sign),
        'À'..='Ö' | 'Ø'..='ö' | 'ø'..='\u{2c1}' | 'Ḁ'..='ỿ' => Ok(Kind::Letter),
        'Α'..='Ρ' | 'Σ'..='ϵ' | 'Ѐ'..='ҁ' | 'Ҋ'..='ԯ' => Ok(Kind::Letter),
        'א'..='ת' | 'ؠ'..='ي' | 'ٱ'..='ۓ' | 'ऄ'..='ह' => Ok(Kind::Letter),
        'ก'..='ะ' | 'า'..='ำ' | 'เ'..='ๆ' => Ok(Kind::Letter),
        '々' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー'..='ヿ' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => {
            Ok(Kind::Letter)
        }
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fa5}' | '가'..='힣' => Ok(Kind::Letter),
        '\u{80}'..='\u{a9}' | '\u{ab}'..='\u{b1}' | '´' | '¶'..='¸' | '»' | '¿' | '×' | '÷' => {
            Ok(Kind::Sign)
        }
        '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{93e}'..='\u{94f}' => Ok(Kind::Sign),
        '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' => Ok(Kind::Sign),
        '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{20cf}' | '\u{2190}'..='\u{23ff}' => {
            Ok(Kind::Sign)
        }
        '\u{2500}'..='\u{2775}' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}' => {
            Ok(Kind::Sign)
        }
        '・' | '\u{fe00}'..='\u{fe0f}' | '\u{ff01}'..='\u{ff0f}' => Ok(Kind::Sign),
        '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}' => {
            Ok(Kind::Sign)
        }
        '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1f6ff}' | '\u{1f900}'..='\u{1f9ff}' => {
            Ok(Kind::Sign)
        }
        _ => Err(Unfit),
    }
}
