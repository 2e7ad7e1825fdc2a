//! The border with Python: UTF-8 in, UTF-8 out, nothing kept between calls.
//!
//! No panic crosses it, and none is printed, since its message may hold a client's text.

use std::os::raw::c_char;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::sync::Once;

/// Python must do it: the text is of a kind that is left to it, or something failed here.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit;

/// What an operation makes of a text; `None` where the text stays.
pub type Made = Result<Option<String>, Unfit>;

/// Tokens of a text, as Python counts them; negative where that failed.
pub type Counter = extern "C" fn(*const u8, usize) -> i64;

/// Puts a text and what is asked of it to Python, which answers with another by
/// `penstock_answer`; not 0 where that failed.
pub type Asker = extern "C" fn(u32, *const u8, usize, *mut Vec<u8>) -> i32;

/// A text that goes to Python, which gives it back to `penstock_free`.
#[repr(C)]
pub struct Text {
    start: *mut u8,
    size: usize,
}

const STAYS: i32 = 0;
const MADE: i32 = 1;
const UNFIT: i32 = 2;

static SILENT: Once = Once::new();

/// Tokens of a text by Python's counter.
pub fn counted(count: Counter, text: &str) -> Result<usize, Unfit> {
    usize::try_from(count(text.as_ptr(), text.len())).map_err(|_| Unfit)
}

/// What Python answers.
pub fn asked(ask: Asker, kind: u32, text: &str) -> Result<String, Unfit> {
    let mut answer = Vec::new();
    match ask(kind, text.as_ptr(), text.len(), &mut answer) {
        0 => String::from_utf8(answer).map_err(|_| Unfit),
        _ => Err(Unfit),
    }
}

/// Take what Python answers.
///
/// # Safety
/// `answer` is what came with the question, `start` points to `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn penstock_answer(answer: *mut Vec<u8>, start: *const u8, size: usize) {
    let (answer, given) = unsafe { (&mut *answer, std::slice::from_raw_parts(start, size)) };
    answer.extend_from_slice(given);
}

/// Run an operation on the text that Python passes, and hand over what it makes.
///
/// # Safety
/// `start` points to `size` bytes of UTF-8, `out` to room for a `Text`.
pub unsafe fn run(
    start: *const u8,
    size: usize,
    out: *mut Text,
    operation: impl FnOnce(&str) -> Made,
) -> i32 {
    SILENT.call_once(|| set_hook(Box::new(|_| {})));
    let bytes = unsafe { std::slice::from_raw_parts(start, size) };
    let made = catch_unwind(AssertUnwindSafe(|| {
        operation(std::str::from_utf8(bytes).map_err(|_| Unfit)?)
    }));
    match made {
        Ok(Ok(Some(text))) => {
            let bytes = Box::leak(text.into_bytes().into_boxed_slice());
            unsafe {
                out.write(Text {
                    start: bytes.as_mut_ptr(),
                    size: bytes.len(),
                })
            };
            MADE
        }
        Ok(Ok(None)) => STAYS,
        Ok(Err(Unfit)) | Err(_) => UNFIT,
    }
}

/// Take back what `run` handed over.
///
/// # Safety
/// The text came from `run`, and is given back once.
#[no_mangle]
pub unsafe extern "C" fn penstock_free(start: *mut u8, size: usize) {
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, size)) });
}

/// The digest of the sources that this was built from, as C text.
#[no_mangle]
pub extern "C" fn penstock_build() -> *const c_char {
    concat!(env!("PENSTOCK_BUILD"), "\0").as_ptr().cast()
}
