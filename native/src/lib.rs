//! What Penstock's compressors spend their time on, without the interpreter.
//!
//! Everything here is a twin of Python code that stays the reference: the same text in gives
//! the same text out, byte for byte, or `Unfit`, and then Python does the work.
#![deny(unsafe_op_in_unsafe_fn)]

mod border;
mod json;
mod select_words;
