//! How a writer escaped more than RFC 8259 demands: the twin of `Spelling` in `json_exact.py`.

const STOP: u8 = 1; // what may not stand in a string as it is
const SLASH: u8 = 2;
const WIDE: u8 = 4;
const ESCAPED_SLASH: u8 = 8;
const ESCAPED_WIDE: u8 = 16;
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut found = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        found[byte] = match byte as u8 {
            0..=0x1f | b'"' | b'\\' => STOP,
            b'/' => SLASH,
            0x7f..=0xff => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    found
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    wide: bool,
    slash: bool,
}

impl Spelling {
    /// Those that a line at the top tells.
    pub const MARKED: [Spelling; 3] = [
        Spelling {
            wide: true,
            slash: false,
        },
        Spelling {
            wide: false,
            slash: true,
        },
        Spelling {
            wide: true,
            slash: true,
        },
    ];

    /// The line that tells it.
    pub fn line(self) -> &'static str {
        match (self.wide, self.slash) {
            (false, false) => "",
            (true, false) => "#non-ASCII as \\u\n",
            (false, true) => "#/ as \\/\n",
            (true, true) => "#non-ASCII as \\u, / as \\/\n",
        }
    }

    /// JSON text with the fewest escapes, spelled this way.
    pub fn apply(self, text: &str) -> String {
        let mut made = String::with_capacity(text.len() * 2);
        for sign in text.chars() {
            if sign == '/' && self.slash {
                made.push_str("\\/");
            } else if sign >= '\x7f' && self.wide {
                for unit in sign.encode_utf16(&mut [0; 2]) {
                    made.push_str(&format!("\\u{:04x}", unit));
                }
            } else {
                made.push(sign);
            }
        }
        made
    }
}

/// JSON text with the fewest escapes, of a text in a spelling.
pub fn plain(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        made.push_str(&rest[..at]);
        let escape = &rest.as_bytes()[at..];
        let (code, size) = if escape[1] == b'/' {
            (u32::from(b'/'), 2)
        } else {
            point(escape)
        };
        match char::from_u32(code) {
            Some(sign) if code >= 0x7f || size == 2 && sign == '/' => {
                made.push(sign);
                rest = &rest[at + size..];
            }
            _ => {
                made.push_str(&rest[at..at + 2]);
                rest = &rest[at + 2..];
            }
        }
    }
    made.push_str(rest);
    made
}

/// What strings and integers tell of how they were spelled.
#[derive(Default)]
pub struct Signs {
    found: u8,
    /// Whether there is what nothing common spells.
    odd: bool,
}

impl Signs {
    /// What makes the text from that with the fewest escapes; `None` where nothing common does.
    pub fn spelling(&self) -> Option<Spelling> {
        let both = |one, other| self.found & one != 0 && self.found & other != 0;
        if self.odd || both(WIDE, ESCAPED_WIDE) || both(SLASH, ESCAPED_SLASH) {
            return None;
        }
        Some(Spelling {
            wide: self.found & ESCAPED_WIDE != 0,
            slash: self.found & ESCAPED_SLASH != 0,
        })
    }

    pub fn integer(&mut self, text: &str) {
        self.odd |= text == "-0";
    }

    /// The place behind the string that begins here; `None` where it is no JSON.
    pub fn string(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from + 1;
        let mut found = self.found;
        loop {
            let byte = *bytes.get(at)?;
            let class = CLASSES[usize::from(byte)];
            if class & STOP == 0 {
                found |= class;
                at += 1;
            } else if byte == b'"' {
                self.found = found;
                return Some(at + 1);
            } else if byte == b'\\' {
                self.found = found;
                at += self.escape(&bytes[at..])?;
                found = self.found;
            } else {
                return None;
            }
        }
    }

    /// The size of an escape.
    fn escape(&mut self, escape: &[u8]) -> Option<usize> {
        match escape.get(1)? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => return Some(2),
            b'/' => {
                self.found |= ESCAPED_SLASH;
                return Some(2);
            }
            b'u' => {}
            _ => return None,
        }
        let (code, size) = point(escape);
        char::from_u32(code)?;
        match code {
            0x8..=0xa | 0xc | 0xd | 0x20..=0x7e => self.odd = true,
            0..=0x1f => {}
            _ => self.found |= ESCAPED_WIDE,
        }
        self.odd |= escape[..size].iter().any(u8::is_ascii_uppercase);
        Some(size)
    }
}

/// The character of `\uXXXX` or of a pair of these, and the size; no character where it is none.
fn point(escape: &[u8]) -> (u32, usize) {
    let high = unit(escape);
    if !matches!(high, Some(0xd800..=0xdbff)) {
        return (high.unwrap_or(u32::MAX), 6);
    }
    match (high, escape.get(6..).and_then(unit)) {
        (Some(high), Some(low @ 0xdc00..=0xdfff)) => {
            (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
        }
        _ => (u32::MAX, 6),
    }
}

fn unit(escape: &[u8]) -> Option<u32> {
    if !escape.starts_with(b"\\u") {
        return None;
    }
    let mut code = 0;
    for &digit in escape.get(2..6)? {
        code = code * 16 + char::from(digit).to_digit(16)?;
    }
    Some(code)
}
