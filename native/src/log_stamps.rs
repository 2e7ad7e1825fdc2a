//! Time stamps of log lines: the twin of `policies/compress/log_stamps.py`.

/// Where a line's time stood.
pub const MARK: char = '\u{1}';

const FORMS: usize = 7;
const BOOTED: usize = 5;
const PROBE: usize = 4_000; // characters
const NEAR: usize = 80; // characters of a line before its time
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The lines of the text, with `MARK` for the stamp of each that has one, and a stamp a line, ""
/// for none; nothing where `take` in Python takes none.
pub fn take<'a>(text: &str, lines: &[&'a str]) -> Option<(String, Vec<&'a str>)> {
    let (form, near) = chosen(text)?;
    let mut marked = String::with_capacity(text.len());
    let mut stamps = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            marked.push('\n');
        }
        match found(form, near, line) {
            Some((start, end)) => {
                marked.push_str(&line[..start]);
                marked.push(MARK);
                marked.push_str(&line[end..]);
                stamps.push(&line[start..end]);
            }
            None => {
                marked.push_str(line);
                stamps.push("");
            }
        }
    }
    Some((marked, stamps))
}

/// The form that the stamps have which `take` takes, and within how many characters they begin.
pub fn chosen(text: &str) -> Option<(usize, usize)> {
    let probe = head(text, PROBE);
    let lines = probe.split('\n').count();
    let enough = (lines + 2) / 3;
    let clocks = clocks(probe.as_bytes()) >= enough;
    (0..FORMS)
        .filter(|form| clocks || *form > 4)
        .find_map(|form| {
            let count = |near| {
                let has = |line: &&str| found(form, near, line).is_some();
                probe.split('\n').filter(has).count()
            };
            let within = count(NEAR);
            (within >= enough).then(|| (form, if count(0) == within { 0 } else { NEAR }))
        })
}

/// The first `size` characters.
pub fn head(text: &str, size: usize) -> &str {
    let (mut end, mut left) = (0, size);
    while left > 0 {
        // So many bytes hold as many characters at most.
        match text.as_bytes().get(end..end + left) {
            None => return text,
            Some(part) => {
                end += left;
                left = part.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
            }
        }
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    &text[..end]
}

fn clocks(text: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < text.len() {
        match clock(text, at) {
            Some(end) => {
                at = end;
                count += 1;
            }
            None => at += 1,
        }
    }
    count
}

/// Where the first stamp of a form that begins within `near` characters of the line starts and
/// ends.
fn found(form: usize, near: usize, line: &str) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut left = near + 1;
    for at in 0..bytes.len() {
        if bytes[at] & 0xc0 == 0x80 {
            continue; // within a character
        }
        if left == 0 {
            break;
        }
        left -= 1;
        if let Some(end) = stamp(form, bytes, at) {
            return Some((at, end));
        }
    }
    None
}

/// Whether a stamp starts here.
pub fn is_stamp(line: &[u8], at: usize) -> bool {
    let is = |form: usize| stamp(form, line, at).is_some();
    let next = |size: usize| line.get(at + size).copied().unwrap_or(b'\n');
    let free = at > 0 && line[at - 1] == b'[';
    if !line[at].is_ascii_digit() {
        return (free && is(BOOTED)) || (next(3) == b' ' && is(1));
    }
    let likely = match (next(2), next(4)) {
        (b':', _) => is(4),
        (b'/', _) => is(2),
        (_, b'-' | b'/' | b'.') => is(0),
        (_, b' ') => is(3),
        _ => false,
    };
    likely || (line[at] == b'1' && is(6)) || (free && is(BOOTED))
}

/// Whether the line starts with a stamp that lines of logs are sure to start with.
pub fn starts(line: &[u8]) -> bool {
    iso(line, 0).is_some() || syslog(line, 0).is_some()
}

/// Where a stamp ends that starts here; the forms are numbered as in Python.
fn stamp(form: usize, line: &[u8], at: usize) -> Option<usize> {
    let before = if at == 0 { b'\n' } else { line[at - 1] };
    let apart = !before.is_ascii_digit() && before != b':';
    match form {
        0 => iso(line, at),
        1 => syslog(line, at),
        2 => web(line, at),
        3 if apart => clock(line, sign(line, digits(line, at, 4)?, b" ")?),
        4 if apart => clock(line, at),
        BOOTED if before == b'[' => booted(line, at),
        6 if !before.is_ascii_digit() && before != b'.' => epoch(line, at),
        _ => None,
    }
}

/// `\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`
fn clock(line: &[u8], at: usize) -> Option<usize> {
    let hour = sign(line, digits(line, at, 2)?, b":")?;
    let minute = sign(line, digits(line, hour, 2)?, b":")?;
    let end = digits(line, minute, 2)?;
    Some(fraction(line, end, b".,"))
}

/// `\d{4}[-/.]\d\d[-/.]\d\d(?:T| {1,2})` and a clock.
fn iso(line: &[u8], at: usize) -> Option<usize> {
    let month = sign(line, digits(line, at, 4)?, b"-/.")?;
    let day = sign(line, digits(line, month, 2)?, b"-/.")?;
    let end = digits(line, day, 2)?;
    let hour = match sign(line, end, b"T") {
        Some(hour) => hour,
        None => {
            let hour = sign(line, end, b" ")?;
            sign(line, hour, b" ").unwrap_or(hour)
        }
    };
    clock(line, hour)
}

/// A month, `" [ \d]\d "` and a clock.
fn syslog(line: &[u8], at: usize) -> Option<usize> {
    let day = sign(line, month(line, at)?, b" ")?;
    let end = digits(line, sign(line, day, b" 0123456789")?, 1)?;
    clock(line, sign(line, end, b" ")?)
}

/// `\d\d/`, a month, `/\d{4}[: ]` and a clock.
fn web(line: &[u8], at: usize) -> Option<usize> {
    let end = month(line, sign(line, digits(line, at, 2)?, b"/")?)?;
    let end = digits(line, sign(line, end, b"/")?, 4)?;
    clock(line, sign(line, end, b": ")?)
}

/// ` {0,4}\d{1,9}\.\d{6}(?=\])`
fn booted(line: &[u8], at: usize) -> Option<usize> {
    let start = at
        + line[at..]
            .iter()
            .take(4)
            .take_while(|sign| **sign == b' ')
            .count();
    let point = start + many(line, start, 9);
    if point == start {
        return None;
    }
    let end = digits(line, sign(line, point, b".")?, 6)?;
    sign(line, end, b"]").map(|_| end)
}

/// `1\d{9}(?:\.\d{1,9}|\d{3})?(?![\d.])`
fn epoch(line: &[u8], at: usize) -> Option<usize> {
    let end = digits(line, sign(line, at, b"1")?, 9)?;
    let end = digits(line, end, 3).unwrap_or_else(|| fraction(line, end, b"."));
    sign(line, end, b".0123456789").map_or(Some(end), |_| None)
}

fn month(line: &[u8], at: usize) -> Option<usize> {
    let name = line.get(at..at + 3)?;
    MONTHS.contains(&name).then(|| at + 3)
}

/// Behind one of these signs.
fn sign(line: &[u8], at: usize, signs: &[u8]) -> Option<usize> {
    line.get(at)
        .filter(|byte| signs.contains(byte))
        .map(|_| at + 1)
}

/// Behind so many digits.
fn digits(line: &[u8], at: usize, size: usize) -> Option<usize> {
    line.get(at..at + size)?
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| at + size)
}

/// How many digits there are, up to so many.
fn many(line: &[u8], at: usize, most: usize) -> usize {
    line[at..]
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// Behind the fraction, if there is one.
fn fraction(line: &[u8], at: usize, points: &[u8]) -> usize {
    match sign(line, at, points) {
        Some(start) if many(line, start, 9) > 0 => start + many(line, start, 9),
        _ => at,
    }
}

/// Where such stamps may be cut, the last place first.
pub fn cuts(stamp: &str) -> Vec<usize> {
    let bytes = stamp.as_bytes();
    let starts =
        |at: &usize| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_digit());
    (0..bytes.len()).rev().filter(starts).collect()
}

/// What to write for the stamp `now` after `before`, if that can be.
pub fn change<'a>(before: &str, now: &'a str, places: &[usize]) -> Option<&'a str> {
    if before.len() != now.len() {
        return None;
    }
    let place = *places
        .iter()
        .find(|place| before[..**place] == now[..**place])?;
    let tail = &now[place..];
    tail.bytes()
        .all(|byte| b"0123456789:.,".contains(&byte))
        .then_some(tail)
}
