//! Phrases of trouble, in whatever case: the twin of `_PHRASES` in
//! `policies/compress/select_pins.py`.

use crate::select_signs::says;

/// Whether one stands at the start of a text.
pub fn is_phrase(text: &[u8]) -> bool {
    let listed = listed(text[0] | 0x20);
    listed.iter().any(|phrase| says(text, phrase.as_bytes()))
}

/// Those with this first letter.
fn listed(first: u8) -> &'static [&'static str] {
    match first {
        b'*' => &["*** ["],
        b':' => &[": error "],
        b'a' => &[
            "access denied",
            "assertion failed",
            "access is denied",
            "assertion `",
            "address already in use",
        ],
        b'b' => &["broken pipe"],
        b'c' => &[
            "connection refused",
            "connection reset",
            "command not found",
            "core dumped",
            "cannot open shared",
            "cannot allocate memory",
        ],
        b'd' => &["deadline exceeded"],
        b'i' => &["invalid argument"],
        b'l' => &["lbackoff"],
        b'n' => &[
            "no such file",
            "not resolve host",
            "no space left",
            "no route to host",
        ],
        b'o' => &["out of memory", "operation not permitted"],
        b'p' => &["permission denied", "pbackoff"],
        b's' => &[
            "segmentation fault",
            "syntax error",
            "stack trace",
            "stacktrace",
            "stack smashing",
        ],
        b't' => &["timed out", "too many open files"],
        b'u' => &["unhandled", "unable to connect", "unreachable"],
        _ => &[],
    }
}
