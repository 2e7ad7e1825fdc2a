//! Phrases of trouble, in whatever case: the twin of `_PHRASES` in
//! `policies/compress/select_pins.py`.

use crate::select_signs::says;

const PHRASES: [&str; 35] = [
    "permission denied",
    "access denied",
    "connection refused",
    "connection reset",
    "no such file",
    "command not found",
    "segmentation fault",
    "core dumped",
    "out of memory",
    "timed out",
    "syntax error",
    "assertion failed",
    "unhandled",
    "stack trace",
    "stacktrace",
    "*** [",
    ": error ",
    "access is denied",
    "stack smashing",
    "assertion `",
    "pbackoff",
    "lbackoff",
    "cannot open shared",
    "cannot allocate memory",
    "not resolve host",
    "unable to connect",
    "invalid argument",
    "operation not permitted",
    "no space left",
    "broken pipe",
    "address already in use",
    "too many open files",
    "no route to host",
    "unreachable",
    "deadline exceeded",
];

/// Whether one stands at the start of a text.
pub fn is_phrase(text: &[u8]) -> bool {
    b"abcdilnopstu*:".contains(&(text[0] | 0x20))
        && PHRASES.iter().any(|phrase| says(text, phrase.as_bytes()))
}
