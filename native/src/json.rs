//! JSON in fewer tokens, with an exact inverse: the twin of `json_compact.py`.

use crate::border::{counted, run, Counter, Made, Text, Unfit};
use crate::json_document::{Document, Value};
use crate::json_exact::{parse, Stop};
use crate::json_expand::expand;
use crate::json_legend::add;
use crate::json_reader::read;
use crate::json_spelling::{plain, Spelling};
use crate::json_writer::{length, Writer};

/// See `json_compact.encode`, which looks at the length.
///
/// # Safety
/// As of `run`; `count` may be called until this returns.
#[no_mangle]
pub unsafe extern "C" fn penstock_json_encode(
    start: *const u8,
    size: usize,
    limit: usize,
    count: Counter,
    out: *mut Text,
) -> i32 {
    unsafe { run(start, size, out, |text| encode(text, limit, count)) }
}

fn encode(text: &str, limit: usize, count: Counter) -> Made {
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(Stop::Refused) => return Ok(None),
        Err(Stop::Unfit) => return Err(Unfit),
    };
    let short = parsed.short.as_deref().unwrap_or(text);
    let fits = short.len() <= limit || length(short) <= limit;
    let compact = match parsed.spelling.filter(|_| fits) {
        None => Ok(None),
        Some(spelling) if spelling.line().is_empty() => {
            compact(&parsed.document, parsed.root, spelling, short, count)
        }
        Some(spelling) => parse(&plain(short))
            .and_then(|parsed| compact(&parsed.document, parsed.root, spelling, short, count)),
    };
    match compact {
        Ok(Some(compact)) => Ok(Some(compact)),
        Err(Stop::Unfit) => Err(Unfit),
        _ => Ok(parsed.short),
    }
}

/// The compact notation, when it is shorter and reads back as it must.
fn compact<'a>(
    document: &'a Document<'a>,
    root: Value<'a>,
    spelling: Spelling,
    short: &str,
    count: Counter,
) -> Result<Option<String>, Stop> {
    let mut writer = Writer::new(document, count);
    let mut body = String::with_capacity(short.len());
    body.push_str(spelling.line());
    let body = writer.write(root, body)?;
    let compact = add(body.clone(), &writer.objects, count)?;
    let candidate = if restores(&compact, short)? {
        compact
    } else if compact != body && restores(&body, short)? {
        body
    } else {
        return Ok(None);
    };
    let clear = length(&candidate) * 4 < length(short) * 3;
    let gains = clear || counted(count, &candidate)? < counted(count, short)?;
    Ok(Some(candidate).filter(|_| gains))
}

/// Whether a text gives the exact form back: `_restored`.
fn restores(encoded: &str, short: &str) -> Result<bool, Stop> {
    match parse(encoded) {
        Ok(parsed) if parsed.short.is_none() => return Ok(encoded == short),
        Err(Stop::Unfit) => return Err(Stop::Unfit),
        _ => {}
    }
    let expanded = expand(encoded)?;
    let text = expanded.as_deref().unwrap_or(encoded);
    for spelling in Spelling::MARKED {
        if let Some(text) = text.strip_prefix(spelling.line()) {
            let made = read(text)?;
            let made = String::from_utf8(made).map_err(|_| Stop::Refused)?;
            return Ok(spelling.apply(&made) == short);
        }
    }
    Ok(read(text)? == short.as_bytes())
}
