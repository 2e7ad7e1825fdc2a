//! Statements of languages whose lines have few signs: the twin of
//! `policies/compress/text_languages.py`.

use crate::log_signs::{is_blank, is_space};
use crate::text_code::{ended, is_digit, is_word, word};

const TYPED: usize = 60; // characters of what has a type
const OPERATION: usize = 12; // characters

/// `STATEMENT`, of a line without the white space that it starts with.
pub fn is_sparse(text: &str) -> bool {
    let (first, rest) = word(text);
    is_lisp(text)
        || starts_with_sign(text)
        || is_typed(text)
        || is_item(text)
        || says(first, rest)
        || is_remark(text)
        || goes_on(ended(text))
}

/// `['`\#,@]{0,2}\([a-z*+<>=!?:&%/.-][\w*+<>=!?:&%/.\#-]*(?:[\s(]|\)*\s*$)`
fn is_lisp(text: &str) -> bool {
    let quote = |text| str::strip_prefix(text, &['\'', '`', '#', ',', '@'][..]).unwrap_or(text);
    let list = match quote(quote(text)).strip_prefix('(') {
        Some(list) => list,
        None => return false,
    };
    let sign = |sign| "*+<>=!?:&%/.-".contains(sign);
    let rest = list.trim_start_matches(|other| is_word(other) || sign(other) || other == '#');
    list.starts_with(|first: char| first.is_ascii_lowercase() || sign(first))
        && (is_apart(rest, "(") || is_blank(rest.trim_start_matches(')')))
}

/// Whether nothing follows, or white space, or one of these signs.
fn is_apart(rest: &str, signs: &str) -> bool {
    rest.chars()
        .next()
        .map_or(true, |sign| is_space(sign) || signs.contains(sign))
}

fn starts_with_sign(text: &str) -> bool {
    let rest = text.get(1..).unwrap_or("");
    let (first, then) = word(rest);
    match text.as_bytes().first() {
        Some(b'.') => is_request(rest),
        Some(b'-') => {
            let name =
                rest.trim_start_matches(|sign: char| sign.is_ascii_lowercase() || sign == '_');
            (1..=20).contains(&(rest.len() - name.len())) && name.starts_with('(')
        }
        Some(b'=') => {
            let names = [
                "head1", "head2", "head3", "head4", "item", "over", "back", "cut", "pod",
                "encoding",
            ];
            names.contains(&first) && is_apart(then, "")
        }
        Some(b'@') => {
            let names = ["item", "node", "section", "end", "code", "tab", "c"];
            names.contains(&first) && then.starts_with([' ', '{'])
        }
        _ => false,
    }
}

/// A directive of an assembler, or a request of roff, behind the point.
fn is_request(rest: &str) -> bool {
    let (first, then) = word(rest);
    if rest.starts_with("\\\"") || (matches!(first, "text" | "data" | "bss") && is_blank(then)) {
        return true;
    }
    let name = rest.trim_start_matches(' ');
    let then = name.trim_start_matches(|sign| is_word(sign) || sign == '-');
    let given = then.trim_start_matches([' ', '\t']);
    rest.len() - name.len() < 5
        && name.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && given.len() < then.len()
        && given.starts_with(|sign| !is_space(sign))
}

/// `[A-Za-z_('][\w'.,()\x20]{0,60}\ ::\s`
fn is_typed(text: &str) -> bool {
    let (name, types) = match text.find(':') {
        Some(at) if text[at..].starts_with("::") => (&text[..at], &text[at + 2..]),
        _ => return false,
    };
    let starts = |sign: char| sign.is_ascii_alphabetic() || matches!(sign, '_' | '(' | '\'');
    let of_name = |sign| is_word(sign) || matches!(sign, '\'' | '.' | ',' | '(' | ')' | ' ');
    let named = name
        .strip_suffix(' ')
        .and_then(|name| name.strip_prefix(starts));
    types.starts_with(is_space)
        && named.map_or(false, |rest| {
            rest.chars().all(of_name) && rest.chars().count() <= TYPED
        })
}

/// COBOL: `[0-9][0-9]\ [^\n]*\ (?:PIC|VALUE|pic|value)\ [^\n]*\.\s*$`
fn is_item(text: &str) -> bool {
    let level = text.bytes().take_while(u8::is_ascii_digit).count();
    let parts = [" PIC ", " VALUE ", " pic ", " value "];
    level == 2
        && text[2..].starts_with(' ')
        && parts.iter().any(|part| text[3..].contains(part))
        && ended(text).ends_with('.')
}

/// What begins with a word.
fn says(first: &str, rest: &str) -> bool {
    let next = rest.strip_prefix(' ').unwrap_or("");
    match first {
        "val" | "external" | "exception" | "newtype" | "deriving" | "instance" | "defmodule"
        | "Lemma" | "Theorem" | "Definition" | "Fixpoint" | "Inductive" | "Notation" => {
            next.starts_with(|sign| is_word(sign) || matches!(sign, '(' | '\'' | '"'))
        }
        "Proof" | "Qed" => rest.starts_with('.'),
        "CALL" | "DO" | "IF" | "ELSE" | "ENDIF" | "ENDDO" | "CONTINUE" | "SUBROUTINE"
        | "FUNCTION" | "INTEGER" | "REAL" | "COMPLEX" | "CHARACTER" | "LOGICAL" | "PARAMETER"
        | "DIMENSION" | "EXTERNAL" | "INTRINSIC" | "COMMON" | "MOVE" | "DISPLAY" | "PERFORM"
        | "COMPUTE" | "EVALUATE" | "INITIALIZE" => is_apart(rest, "(.*"),
        "DOUBLE" => next
            .strip_prefix("PRECISION")
            .map_or(false, |rest| is_apart(rest, "(.*")),
        "END" => {
            let what = rest.strip_prefix('-').unwrap_or(next);
            let rest = what.trim_start_matches(|sign: char| sign.is_ascii_uppercase());
            rest.len() < what.len() && is_apart(rest, "(.*")
        }
        "mov" | "movl" | "movq" | "add" | "addl" | "addq" | "sub" | "subl" | "subq" | "xor"
        | "xorl" | "xorq" | "cmp" | "cmpl" | "cmpq" | "lea" | "ldr" | "str" => {
            operand(rest).map_or(false, |rest| rest.starts_with(','))
        }
        "dnl" | "REM" | "rem" => is_apart(rest, "*|"),
        _ => false,
    }
}

/// What opens a remark, or is all of a line of one, or stands behind a statement.
fn is_remark(text: &str) -> bool {
    let signs = ["(*", "{-", "/*", "//", "*>"];
    let opens = |sign: &&str| {
        text.strip_prefix(*sign)
            .map_or(false, |rest| is_apart(rest, "*|"))
    };
    let follows = |(at, _)| {
        let before = str::trim_end_matches(&text[..at], ' ');
        matches!(text.as_bytes().get(at + 1), Some(b'/' | b'*'))
            && before.len() < at
            && before.ends_with([',', ';', '{', '}'])
    };
    signs.iter().any(opens) || ended(text) == "*" || text.match_indices('/').any(follows)
}

/// `(?:[^\n]*\s)?(?:do|then|where|=|=>|->|<-)\s*$`
fn goes_on(text: &str) -> bool {
    let last = text.rsplit(is_space).next().unwrap_or("");
    matches!(last, "do" | "then" | "where" | "=" | "=>" | "->" | "<-")
}

/// `OPERATION`, of a line without the white space that it starts with.
pub fn is_operation(text: &str) -> bool {
    let of_name = |sign: char| sign.is_ascii_lowercase() || is_digit(sign) || sign == '.';
    let rest = text.trim_start_matches(of_name);
    if !text.starts_with(|sign: char| sign.is_ascii_lowercase())
        || text.len() - rest.len() > OPERATION
    {
        return false;
    }
    let only = ended(rest.strip_prefix('\t').unwrap_or(""));
    (!only.is_empty() && !only.contains(is_space)) || works_on_many(rest)
}

/// Whether operands follow, more than one, and then at most a remark.
fn works_on_many(rest: &str) -> bool {
    let remark =
        |text: &str| text.starts_with([';', '#', '@', '!', '/', '|']) || text.starts_with("C ");
    let mut found = operand(rest);
    while let Some(next) = found.and_then(|rest| rest.strip_prefix(',')) {
        let next = next.trim_start_matches([' ', '\t']);
        let rest = next.trim_start_matches(of_operand);
        let behind = rest.trim_start_matches(is_space);
        let ends = behind.is_empty() || remark(behind);
        let last = &next[..next.len() - rest.len()];
        if ends && !last.is_empty() && !last.ends_with(':') {
            return true;
        }
        found = Some(rest).filter(|_| !last.is_empty());
    }
    false
}

/// What follows `[\t\x20]+[^\s,]+`.
fn operand(rest: &str) -> Option<&str> {
    let start = rest.trim_start_matches([' ', '\t']);
    let end = start.trim_start_matches(of_operand);
    let found = start.len() < rest.len() && end.len() < start.len();
    found.then_some(end)
}

fn of_operand(sign: char) -> bool {
    !is_space(sign) && sign != ','
}
