//! What Penstock's compressors spend their time on, without the interpreter.
//!
//! Everything here is a twin of Python code that stays the reference: the same text in gives
//! the same text out, byte for byte, or `Unfit`, and then Python does the work.
#![deny(unsafe_op_in_unsafe_fn)]

mod border;
mod json;
mod json_affixes;
mod json_columns;
mod json_document;
mod json_exact;
mod json_expand;
mod json_find;
mod json_grid;
mod json_hash;
mod json_inline;
mod json_legend;
mod json_names;
mod json_patterns;
mod json_reader;
mod json_recurring;
mod json_spelling;
mod json_tables;
mod json_words;
mod json_writer;
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
mod project_cut;
mod project_places;
mod select;
mod select_asked;
mod select_documents;
mod select_facts;
mod select_fold;
mod select_frames;
mod select_known;
mod select_names;
mod select_paragraphs;
mod select_pieces;
mod select_question;
mod select_rank;
mod select_signs;
mod select_split;
mod select_titles;
mod select_trouble;
mod select_words;
mod stash_extract;
mod stash_index;
mod stash_negations;
mod stash_told;
mod stash_words;
mod text_code;
mod text_progress;
mod text_protected;
mod text_records;
mod text_repeats;
mod text_screen;
mod text_statements;
