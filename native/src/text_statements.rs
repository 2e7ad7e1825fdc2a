//! Statements of source code by the words that lines start with: alternatives of `_CODE` in
//! `policies/compress/text_protected.py`.

use crate::log_signs::is_space;
use crate::text_code::{ended, is_digit, is_word, word};

/// Whether a line that starts with this word and goes on so is a statement of some language.
pub fn is_statement(first: &str, rest: &str) -> bool {
    declares(first, rest)
        || goes(first, rest)
        || calls(first, rest)
        || queries(first, rest)
        || is_fortran(first, rest)
}

fn declares(first: &str, rest: &str) -> bool {
    let next = match rest.strip_prefix('!').unwrap_or(rest).strip_prefix(' ') {
        Some(next) => next,
        None => return false,
    };
    let then = |signs: &str| next.starts_with(|sign| is_word(sign) || signs.contains(sign));
    match first {
        "goto" | "setlocal" | "endlocal" | "proc" | "sub" | "my" | "cdef" | "cpdef"
        | "ctypedef" | "hi" | "syn" | "au" | "autocmd" => then("\"'$%@-"),
        _ if rest.starts_with('!') => false,
        "def" | "class" | "fn" | "func" | "function" | "impl" | "struct" | "enum" | "interface"
        | "namespace" | "module" => then(""),
        "async" => next
            .strip_prefix("def ")
            .map_or(false, |next| next.starts_with(is_word)),
        "pub" | "public" | "private" | "protected" | "static" | "export" | "const" | "let"
        | "var" | "final" | "abstract" => then("<([{*&"),
        "import" | "from" | "use" | "using" | "require" | "package" | "include" => then("\"'<.{*"),
        "RUN" | "COPY" | "ADD" | "WORKDIR" | "ENV" | "CMD" | "ENTRYPOINT" | "EXPOSE" | "ARG"
        | "LABEL" => next.starts_with(|sign| !is_space(sign)),
        _ => false,
    }
}

/// What tells where a program goes on.
fn goes(first: &str, rest: &str) -> bool {
    let end = ended(rest);
    match first {
        "return" | "raise" | "throw" | "yield" | "await" | "assert" | "break" | "continue"
        | "pass" | "local" | "end" => true,
        "if" | "elif" | "else" | "for" | "while" | "try" | "except" | "finally" | "with"
        | "switch" | "case" | "do" | "match" => end.ends_with([':', '{']),
        "fi" | "done" | "esac" | "then" | "endif" => end.is_empty(),
        "exit" | "shift" => {
            end.is_empty()
                || end
                    .strip_prefix(' ')
                    .map_or(false, |rest| rest.len() == 1 && rest.starts_with(is_digit))
        }
        "set" => {
            let options = end
                .strip_prefix(" -")
                .or_else(|| end.strip_prefix(" +"))
                .unwrap_or("");
            !options.is_empty() && options.bytes().all(|byte| byte.is_ascii_lowercase())
        }
        _ => false,
    }
}

/// Commands of CMake, in letters of any case.
fn calls(first: &str, rest: &str) -> bool {
    if !rest.strip_prefix(' ').unwrap_or(rest).starts_with('(') {
        return false;
    }
    let name = first.to_ascii_lowercase();
    let of = name
        .split_once('_')
        .map_or("", |(of, rest)| if rest.is_empty() { "" } else { of });
    matches!(
        name.strip_prefix("end").unwrap_or(&name),
        "foreach" | "function" | "macro" | "while"
    ) || matches!(
        name.as_str(),
        "set"
            | "if"
            | "elseif"
            | "else"
            | "endif"
            | "include"
            | "message"
            | "list"
            | "string"
            | "option"
    ) || matches!(
        of,
        "find" | "add" | "target" | "cmake" | "check" | "get" | "set" | "mark"
    )
}

/// SQL.
fn queries(first: &str, rest: &str) -> bool {
    let rest = match first {
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "CREATE" | "ALTER" | "DROP" | "GRANT"
        | "REVOKE" | "FROM" | "WHERE" | "LEFT" | "INNER" | "JOIN" | "ON" | "AND" | "OR"
        | "VALUES" | "RETURNS" | "AS" | "LANGUAGE" | "OPERATOR" => rest,
        "GROUP" | "ORDER" => match rest.strip_prefix(" BY") {
            Some(rest) if !rest.starts_with(is_word) => rest,
            _ => return false,
        },
        _ => return false,
    };
    let next = rest.trim_start_matches(is_space);
    next.starts_with(|sign| is_word(sign) || matches!(sign, '(' | '*' | '$' | '"' | '\''))
}

/// Fortran, in letters of any case.
fn is_fortran(first: &str, rest: &str) -> bool {
    let is = |word: &str, names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let units = ["subroutine", "program"];
    let after = rest.strip_prefix(' ').unwrap_or("");
    let none = after.get(..4).map_or(false, |next| is(next, &["none"]));
    is(first, &units)
        || (is(first, &["implicit"]) && none)
        || (is(first, &["end"]) && is(word(after).0, &units))
        || (is(first, &["integer", "real", "logical"]) && rest.contains("::"))
}
