//! What a text asks of the documents in it: the twin of `around` in
//! `policies/compress/select_question.py`.

use crate::border::{run, Made, Text, Unfit};
use crate::select_documents::documents;
use crate::select_signs::{behind, is_other, is_white, places};

const AROUND: [&str; 7] = [
    "documents",
    "docs",
    "passages",
    "sources",
    "context",
    "contexts",
    "search_results",
];
const LONGEST: usize = 4_000; // characters, from its end

/// See `select_question.asked`.
///
/// # Safety
/// As of `run`.
#[no_mangle]
pub unsafe extern "C" fn penstock_select_asked(
    start: *const u8,
    size: usize,
    out: *mut Text,
) -> i32 {
    unsafe { run(start, size, out, asked) }
}

/// What stands behind the documents, or else before them; nothing where there are none.
fn asked(text: &str) -> Made {
    let found = documents(text)?;
    let (first, last) = match found.as_slice() {
        [first, .., last] => (first, last),
        _ => return Ok(None),
    };
    let after = untagged(&text[last.end..]);
    let whole = if says(&after)? {
        after
    } else {
        untagged(&text[..first.start])
    };
    let asked = whole.trim_matches(is_white);
    let start = asked.char_indices().rev().nth(LONGEST - 1);
    Ok(Some(asked[start.map_or(0, |(at, _)| at)..].to_owned()))
}

/// Without the tags around all documents, if there are any.
fn untagged(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    let mut from = 0;
    for at in places(text, b'<') {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let mut ends = AROUND.iter().filter_map(|name| behind(rest, name));
        if let Some(end) = ends.find_map(|end| end.strip_prefix('>')) {
            found.push_str(&text[from..at]);
            from = text.len() - end.len();
        }
    }
    found.push_str(&text[from..]);
    found
}

/// Whether there is a letter or a digit in it.
fn says(text: &str) -> Result<bool, Unfit> {
    for sign in text.chars().filter(|sign| *sign != '_') {
        if !is_other(sign)? {
            return Ok(true);
        }
    }
    Ok(false)
}
