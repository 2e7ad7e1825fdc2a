//! What Penstock's compressors spend their time on, without the interpreter.
//!
//! Everything here is a twin of Python code that stays the reference: the same text in gives
//! the same text out, byte for byte, or `Unfit`, and then Python does the work.
#![deny(unsafe_op_in_unsafe_fn)]

mod border;
mod json;
mod log_blocks;
mod log_codec;
mod log_entries;
mod log_groups;
mod log_hash;
mod log_notation;
mod log_parts;
mod log_read;
mod log_signs;
mod log_stamps;
mod log_templates;
mod text_code;
mod text_progress;
mod text_protected;
mod text_records;
mod text_repeats;
mod text_screen;
mod text_statements;
