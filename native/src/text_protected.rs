//! Telling code and diffs, which are never rewritten, from other output of programs: the twin of
//! `policies/compress/text_protected.py`.

use crate::border::{run, Text, Unfit};
use crate::log_signs::{is_blank, is_space, known};
use crate::log_stamps::head;
use crate::text_code::kind;

const LINES: usize = 100; // lines, from the start and from the middle
const WIDEST: usize = 200; // characters of a line that are looked at
const ENOUGH: usize = 3; // lines of code among the sample, and one of four

/// See `text_protected.is_code_or_diff`, of one text; a text is made, an empty one, if it is.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_protected(start: *const u8, size: usize, out: *mut Text) -> i32 {
    unsafe {
        run(start, size, out, |text| {
            Ok(is_protected(text)?.then(String::new))
        })
    }
}

/// The same, natively.
pub fn is_protected(text: &str) -> Result<bool, Unfit> {
    if !known(text) {
        return Err(Unfit);
    }
    Ok(is_marked(text) || is_escaped(text) || is_code(text))
}

/// Whether there is a fence or a diff in a line of JSON.
fn is_escaped(text: &str) -> bool {
    text.contains('\\') && (text.contains("\\n```") || text.contains("\\n@@ -"))
}

/// Whether there is a fence or a diff.
fn is_marked(text: &str) -> bool {
    let mut rest = Some(text);
    while let Some(line) = rest {
        let marked = match line.as_bytes().first() {
            Some(b' ' | b'\t' | b'>' | b'`' | b'~') => is_fence(line),
            Some(b'd' | b'@' | b'*' | b'0'..=b'9' | b'-' | b'I') => is_diff(line),
            _ => false,
        };
        if marked {
            return true;
        }
        rest = line.find('\n').map(|end| &line[end + 1..]);
    }
    false
}

fn is_fence(text: &str) -> bool {
    let quoted = text.trim_start_matches([' ', '\t', '>']);
    let indented = text.trim_start_matches(' ');
    quoted.starts_with("```") || (text.len() - indented.len() < 4 && indented.starts_with("~~~"))
}

fn is_diff(text: &str) -> bool {
    let (line, next) = text.split_once('\n').unwrap_or((text, ""));
    let more = |prefix: &str| line.len() > prefix.len() && line.starts_with(prefix);
    line.starts_with("diff --git ")
        || line.starts_with("@@@ -")
        || line == "***************"
        || (more("--- ") && next.starts_with("+++ "))
        || (more("Index: ") && next.bytes().take_while(|byte| *byte == b'=').count() >= 60)
        || is_hunk(line).is_some()
        || (is_change(line).is_some() && (next.starts_with("< ") || next.starts_with("> ")))
}

/// `@@ -[0-9]+(?:,[0-9]+)? \+[0-9]+(?:,[0-9]+)? @@`
fn is_hunk(line: &str) -> Option<()> {
    let new = range(line.strip_prefix("@@ -")?)?.strip_prefix(" +")?;
    range(new)?.strip_prefix(" @@").map(|_| ())
}

/// `[0-9]+(?:,[0-9]+)?[acd][0-9]+(?:,[0-9]+)?` and no more.
fn is_change(line: &str) -> Option<()> {
    let new = range(line)?.strip_prefix(|sign| matches!(sign, 'a' | 'c' | 'd'))?;
    range(new)?.is_empty().then_some(())
}

/// Behind `[0-9]+(?:,[0-9]+)?`
fn range(text: &str) -> Option<&str> {
    let first = number(text)?;
    Some(first.strip_prefix(',').and_then(number).unwrap_or(first))
}

fn number(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|sign: char| sign.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// Whether a good part of its lines, from the start and from the middle, is source code.
fn is_code(text: &str) -> bool {
    let start = head(text, LINES * WIDEST);
    let mut kinds = Vec::new();
    sample(start, &mut kinds);
    if start.len() < text.len() {
        let size = if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
        sample(
            head(&text[head(text, size / 2).len()..], LINES * WIDEST),
            &mut kinds,
        );
    }
    let sure = kinds.iter().filter(|(sure, _)| *sure).count();
    let code = kinds.iter().filter(|(_, code)| *code).count();
    sure > 1 || (code >= ENOUGH && code * 4 >= kinds.len())
}

/// The kinds of the first lines; of lines of JSON, of those in its strings.
fn sample(text: &str, kinds: &mut Vec<(bool, bool)>) {
    let spelled = if is_json(text) && text.contains("\\n") {
        text.replace("\\\"", "\"")
            .replace("\\n", "\n")
            .replace("\\t", "\t")
    } else {
        String::new()
    };
    let text = if spelled.is_empty() { text } else { &spelled };
    let lines = text
        .split('\n')
        .take(LINES)
        .filter(|line| !is_blank(line) && !is_remark(line));
    kinds.extend(lines.map(|line| kind(head(line, WIDEST))));
}

/// `\s*[\[{]|[^\n{]*\{"`
fn is_json(text: &str) -> bool {
    let object = text.find(['{', '\n']);
    text.trim_start_matches(is_space).starts_with(['[', '{'])
        || object.map_or(false, |at| text[at..].starts_with("{\""))
}

/// A remark in a script, or a heading.
fn is_remark(line: &str) -> bool {
    let rest = line.trim_start_matches(is_space).strip_prefix('#');
    rest.map_or(false, |rest| rest.is_empty() || rest.starts_with(is_space))
}
