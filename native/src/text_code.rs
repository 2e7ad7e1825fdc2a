//! Lines of source code, one by one: the twin of `_kind` in
//! `policies/compress/text_protected.py`.

use crate::log_signs::{is_alnum, is_space};
use crate::log_stamps::starts;
use crate::text_languages::{is_operation, is_sparse};
use crate::text_statements::is_statement;

const NAME: usize = 100; // characters of a file's name

/// Whether the line is surely source code, and whether it may be; none with a time is.
pub fn kind(line: &str) -> (bool, bool) {
    if starts(line.as_bytes()) {
        return (false, false);
    }
    let line = &line[number(line).unwrap_or(0)..];
    let text = line.trim_start_matches(is_space);
    let indented = text.len() < line.len();
    let code = is_code(text) || is_sparse(text) || (indented && is_operation(text));
    (is_sure(text), code)
}

/// `\w`
pub fn is_word(sign: char) -> bool {
    is_alnum(sign) || sign == '_'
}

/// `[0-9]`
pub fn is_digit(sign: char) -> bool {
    sign.is_ascii_digit()
}

/// The word that the text starts with, and what follows it.
pub fn word(text: &str) -> (&str, &str) {
    let rest = text.trim_start_matches(is_word);
    (&text[..text.len() - rest.len()], rest)
}

/// Where the number or the file's name ends that is put in front of a line: `_NUMBER`.
fn number(line: &str) -> Option<usize> {
    let start = line.trim_start_matches(is_space);
    let rest = start.trim_start_matches(is_digit);
    let sign = rest.chars().next().filter(|_| rest.len() < start.len());
    let end = line.len() - rest.len();
    match sign {
        Some('\t') => return Some(end + 1),
        Some('→') => return Some(end + '→'.len_utf8()),
        Some(':') | Some('|') => return Some(end + 1 + usize::from(rest[1..].starts_with(' '))),
        _ => {}
    }
    let of_name = |sign: char| is_word(sign) || matches!(sign, '.' | '@' | '+' | '/' | '-');
    let places = line.char_indices().take(NAME + 1);
    let dots = places
        .take_while(|(_, sign)| of_name(*sign))
        .filter(|(_, sign)| *sign == '.');
    let mut ends = dots
        .filter(|(at, _)| *at > 0)
        .filter_map(|(at, _)| named(line, at + 1));
    ends.by_ref().last()
}

/// `[A-Za-z]{1,4}[:-](?:[0-9]{1,7}[:-])?`
fn named(line: &str, at: usize) -> Option<usize> {
    let run = |from: usize, is: fn(&u8) -> bool| line.bytes().skip(from).take_while(is).count();
    let dash = |at: usize| matches!(line.as_bytes().get(at), Some(b':') | Some(b'-'));
    let letters = run(at, u8::is_ascii_alphabetic);
    let end = at + letters;
    if letters == 0 || letters > 4 || !dash(end) {
        return None;
    }
    let digits = run(end + 1, u8::is_ascii_digit);
    let counted = (1..=7).contains(&digits) && dash(end + 1 + digits);
    Some(if counted { end + 2 + digits } else { end + 1 })
}

/// `_SURE`
fn is_sure(text: &str) -> bool {
    let (first, rest) = word(text);
    let next = rest.strip_prefix(' ').unwrap_or("");
    let defines = |text: &str| {
        let (name, rest) = word(text);
        !name.is_empty() && rest.starts_with('(')
    };
    match first {
        "def" => defines(next),
        "async" => next.strip_prefix("def ").map_or(false, defines),
        "class" => next.starts_with(is_word) && ended(next).ends_with(':'),
        "from" => {
            let rest = next.trim_start_matches(|sign| is_word(sign) || sign == '.');
            rest.len() < next.len() && rest.starts_with(" import ")
        }
        _ => ["#include <", "#include \"", "#!/"]
            .iter()
            .any(|start| text.starts_with(start)),
    }
}

/// The text without white space at its end.
pub fn ended(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `_CODE`
fn is_code(text: &str) -> bool {
    let (first, rest) = word(text);
    ends(ended(text))
        || starts_with_signs(text)
        || echoes(text)
        || (!first.is_empty() && (is_statement(first, rest) || assigns(text)))
        || text.as_bytes().windows(2).enumerate().any(|(at, pair)| {
            (pair == b"$(" || pair == b"${") && text[at + 2..].starts_with(is_word)
        })
}

fn assigns(text: &str) -> bool {
    let (_, rest) = word(text);
    if ["=$", "=`", "=("].iter().any(|sign| rest.starts_with(sign)) {
        return true;
    }
    if text.starts_with(|sign: char| !sign.is_ascii_alphabetic() && sign != '_') {
        return false;
    }
    let member = |sign| is_word(sign) || matches!(sign, '.' | '[' | ']');
    let value = text
        .trim_start_matches(member)
        .strip_prefix(' ')
        .map(|rest| {
            let rest = rest
                .strip_prefix(|sign| matches!(sign, '-' | '+' | '*' | '/'))
                .unwrap_or(rest);
            rest.strip_prefix("= ")
                .map_or(false, |value| value.starts_with(|sign| !is_space(sign)))
        });
    let key = |sign| is_word(sign) || sign == '.' || sign == '-';
    let rest = text.trim_start_matches(key).trim_start_matches(is_space);
    let made = [":=", "?=", "+="]
        .iter()
        .find_map(|sign| rest.strip_prefix(sign));
    value == Some(true) || made.map_or(false, |rest| rest.starts_with(is_space))
}

/// `echo[. ][\w"'$%.]`
fn echoes(text: &str) -> bool {
    let next = text
        .strip_prefix("echo")
        .and_then(|rest| rest.strip_prefix(&['.', ' '][..]));
    next.map_or(false, |next| {
        next.starts_with(|sign| is_word(sign) || matches!(sign, '"' | '\'' | '$' | '%' | '.'))
    })
}

/// What stands at the start of a line: remarks, tags, decorators, commands.
fn starts_with_signs(text: &str) -> bool {
    let rest = match text.chars().next() {
        Some(sign) if !is_alnum(sign) => &text[sign.len_utf8()..],
        _ => return false,
    };
    let any = |starts: &[&str]| starts.iter().any(|start| rest.starts_with(start));
    let (first, _) = word(rest);
    match text.as_bytes()[0] {
        b'#' => any(&[
            "include", "define", "ifdef", "ifndef", "endif", "pragma", "!/",
        ]),
        b'/' => any(&["/", "*"]),
        b'*' => any(&["/"]),
        b'<' => rest
            .strip_prefix('/')
            .unwrap_or(rest)
            .starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '!' || sign == '?'),
        b'.' => matches!(first, "PHONY" | "SUFFIXES"),
        b'\\' => matches!(
            first,
            "begin"
                | "end"
                | "documentclass"
                | "usepackage"
                | "section"
                | "subsection"
                | "item"
                | "newcommand"
        ),
        b'@' => is_decorator(rest) || echoes(rest),
        _ => false,
    }
}

/// `\w[\w.]*(?:\([^\n]*\))?\s*$`
fn is_decorator(text: &str) -> bool {
    let rest = ended(text.trim_start_matches(|sign| is_word(sign) || sign == '.'));
    let called = rest.len() > 1 && rest.starts_with('(') && rest.ends_with(')');
    text.starts_with(is_word) && (rest.is_empty() || called)
}

/// What a line ends with, or is in all.
fn ends(text: &str) -> bool {
    let closes = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| matches!(byte, b')' | b']' | b'}'))
    };
    let block = [":", "=>", "->"]
        .iter()
        .find_map(|sign| text.strip_suffix(sign));
    text.ends_with([';', '{'])
        || closes(text.strip_suffix(',').unwrap_or(text))
        || block.map_or(false, |before| ended(before).ends_with(')'))
}
