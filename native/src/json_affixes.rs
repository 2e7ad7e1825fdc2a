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
        'À'..='Ö' | 'Ø'..='ö' | 'ø'..='\u{2c1}' => Ok(Kind::Letter),
        'Α'..='Ρ' | 'Σ'..='ϵ' | 'Ѐ'..='ҁ' | 'Ҋ'..='ԯ' => Ok(Kind::Letter),
        'א'..='ת' | 'ؠ'..='ي' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' => Ok(Kind::Letter),
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fa5}' | '가'..='힣' => Ok(Kind::Letter),
        '\u{2010}'..='\u{205e}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' => {
            Ok(Kind::Sign)
        }
        '\u{ff01}'..='\u{ff0f}' | '\u{1f300}'..='\u{1f64f}' => Ok(Kind::Sign),
        _ => Err(Unfit),
    }
}
