//! Headings of a running text: the twin of `policies/compress/select_headings.py`.

use std::ops::Range;

use crate::select_signs::is_white;

const INNER: usize = 100; // characters of a heading between its marks
const TAGGED: usize = 300; // characters between tags
const LONGEST: usize = 100; // characters of a title without a mark of its own
const NUMBERS: usize = 5; // of a section
const FEWEST: usize = 4; // capitals
const RULES: [char; 4] = ['=', '-', '~', '^'];

/// What a heading between blank lines has.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Number,
    Capitals,
}

/// Whether a line without blanks at its end is a heading by its own marks.
pub fn is_marked(line: &str) -> bool {
    let hashes = line.len() - line.trim_start_matches('#').len();
    let mut behind = line[hashes..].chars();
    ((1..=6).contains(&hashes)
        && behind.next() == Some(' ')
        && behind.next().map_or(false, |sign| !is_white(sign)))
        || enclosed(line).is_some()
        || tagged(line.trim_start_matches([' ', '\t'])).is_some()
}

/// `(?:={2,6}|\*\*)[^*=\n]{1,100}(?:={2,6}|\*\*):?$`
fn enclosed(line: &str) -> Option<()> {
    let inner = marked(line, |line, sign| line.trim_start_matches(sign))?;
    let ended = inner.strip_suffix(':').unwrap_or(inner);
    let inner = marked(ended, |line, sign| line.trim_end_matches(sign))?;
    let plain = !inner.is_empty() && !inner.contains(['*', '=']);
    (plain && inner.chars().nth(INNER).is_none()).then_some(())
}

/// Without the mark at one end.
fn marked(line: &str, trim: for<'a> fn(&'a str, char) -> &'a str) -> Option<&str> {
    let inner = trim(trim(line, '='), '*');
    let size = line.len() - inner.len();
    let equal = line.len() - trim(line, '=').len();
    (equal == size && (2..=6).contains(&size) || equal == 0 && size == 2).then_some(inner)
}

/// `<[hH][1-6][ >].{0,300}</[hH][1-6]>$`
fn tagged(line: &str) -> Option<()> {
    let inner = level(line.strip_prefix('<')?)?.strip_prefix([' ', '>'])?;
    let (inner, tag) = inner.split_at(inner.rfind('<')?);
    let closed = level(tag.strip_prefix("</")?)? == ">";
    (closed && inner.chars().nth(TAGGED).is_none()).then_some(())
}

/// Behind `[hH][1-6]`
fn level(rest: &str) -> Option<&str> {
    let rest = rest.strip_prefix(['h', 'H'])?;
    rest.strip_prefix(|sign| matches!(sign, '1'..='6'))
}

/// How many of these lines are a title with a line below, or also one above; 0 if none.
pub fn ruled(text: &str, lines: &[Range<usize>]) -> usize {
    let whole = |place: usize| lines.get(place).map_or("", |line| &text[line.clone()]);
    let line = |place: usize| whole(place).trim_end_matches(is_white);
    if whole(1).starts_with(RULES) {
        return if is_below(line(0), line(1)) { 2 } else { 0 };
    }
    let framed = whole(0).starts_with(RULES)
        && is_framed(line(0), line(1).trim_start_matches(is_white))
        && line(0) == line(2);
    if framed {
        3
    } else {
        0
    }
}

fn is_below(title: &str, rule: &str) -> bool {
    let long = || rule.len() >= title.chars().count() && rule != "~~~"; // which opens a fence
    is_rule(rule) && may_title(title) && (rule.starts_with(['=', '-']) || long())
}

fn is_framed(rule: &str, title: &str) -> bool {
    let long = rule.len() >= title.chars().count();
    is_rule(rule) && !rule.starts_with('~') && long && may_title(title)
}

/// `={3,}|-{3,}|~{3,}|\^{3,}`
fn is_rule(line: &str) -> bool {
    let bytes = line.as_bytes();
    line.starts_with(RULES) && bytes.len() > 2 && bytes.iter().all(|byte| *byte == bytes[0])
}

fn may_title(line: &str) -> bool {
    let others = ['-', '*', '+', '>', '|', '=', '~', '^', ' ', '\t'];
    !line.is_empty() && !line.starts_with(others) && is_short(line)
}

fn is_short(line: &str) -> bool {
    !line.ends_with(['.', ',', ';']) && line.chars().nth(LONGEST).is_none()
}

/// The form of a heading that a line between blank lines has, if any.
pub fn alone(line: &str) -> Option<Form> {
    let line = line.trim_end_matches(is_white);
    if !matches!(line.bytes().next()?, b'0'..=b'9' | b'A'..=b'Z' | b' ' | b'&'..=b'/' | b':' | 0xc3)
        || !is_short(line)
    {
        return None;
    }
    if is_section(line) && !line.ends_with(':') {
        return Some(Form::Number);
    }
    is_capital(line).then_some(Form::Capitals)
}

/// `(?:[0-9]{1,2}\.|[0-9]{1,2}(?:\.[0-9]{1,2}){1,4}\.?) +[A-Z\x80-\U0010ffff]`
fn is_section(line: &str) -> bool {
    let (mut rest, mut numbers, mut dot) = (line, 0, true);
    while dot {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            break;
        }
        if digits > 2 {
            return false;
        }
        numbers += 1;
        rest = &rest[digits..];
        dot = rest.starts_with('.');
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    let title = rest.trim_start_matches(' ');
    (1..=NUMBERS).contains(&numbers)
        && (dot || numbers > 1)
        && title.len() < rest.len()
        && title.starts_with(|sign: char| sign.is_ascii_uppercase() || !sign.is_ascii())
}

/// Capitals, the fewest, and other signs of titles.
fn is_capital(line: &str) -> bool {
    let capital = |sign: &char| matches!(sign, 'A'..='Z' | '\u{c0}'..='\u{de}');
    let other = |sign: char| {
        matches!(
            sign,
            '0'..='9' | ' ' | '&' | '/' | ':' | '\'' | '(' | ')' | '-'
        )
    };
    line.chars().all(|sign| capital(&sign) || other(sign))
        && line.chars().filter(capital).count() >= FEWEST
}

/// What lines of headings say.
pub fn title(block: &str) -> &str {
    let bytes = block.trim_start_matches(is_white).as_bytes();
    let inner = match bytes {
        [b'<', b'h' | b'H', ..] => block
            .split_once('>')
            .and_then(|(_, inner)| inner.rsplit_once('<'))
            .map_or("", |(inner, _)| inner),
        _ => block,
    };
    let marks = |sign| {
        matches!(
            sign,
            '#' | '=' | '*' | '-' | '~' | '^' | ' ' | '\t' | '\r' | '\n'
        )
    };
    inner.trim_matches(marks)
}
