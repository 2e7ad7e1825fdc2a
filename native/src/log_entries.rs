//! A log as entries in its own order: the twin of `policies/compress/log_entries.py`.

use crate::log_groups::{groups, Words, GAP};
use crate::log_hash::Index;
use crate::log_stamps::MARK;
use crate::log_templates::{tables, Template};

/// The template of a line that has none.
pub const RAW: usize = usize::MAX;

/// The lines of a log: as they are, with `MARK` for their times, and those times, "" for none.
pub struct Lines<'a> {
    pub whole: Vec<&'a str>,
    pub marked: Vec<&'a str>,
    pub stamps: Vec<&'a str>,
}

/// A line, or some, the first being `line`. Its values are from `start` on, as many as its
/// template has; one that is `RAW` has none, and is one line.
///
/// `joins`: its time, if any, is that of the last line before it that has one.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub template: usize,
    pub line: usize,
    pub start: usize,
    pub stamp: &'a str,
    pub joins: bool,
}

/// The entries of a log, their values, and the templates, each once.
pub struct Entries<'a> {
    pub entries: Vec<Entry<'a>>,
    pub values: Vec<&'a str>,
    pub templates: Vec<Template>,
    index: Index,
}

impl<'a> Entries<'a> {
    /// One entry a line.
    pub fn of(lines: &Lines<'a>) -> Self {
        let mut found = Entries {
            entries: single(lines),
            values: Vec::new(),
            templates: Vec::new(),
            index: Index::new(),
        };
        let words = Words::of(&lines.marked);
        let mut left = vec![true; lines.marked.len()];
        for group in groups(&words) {
            for table in tables(group, &words) {
                let template = found.number(table.template);
                for (row, line) in table.lines.iter().enumerate() {
                    left[*line as usize] = false;
                    let entry = &mut found.entries[*line as usize];
                    entry.template = template;
                    entry.start = found.values.len();
                    found
                        .values
                        .extend(table.columns.iter().map(|column| column[row]));
                }
            }
        }
        for line in left
            .into_iter()
            .enumerate()
            .filter_map(|(line, left)| left.then_some(line))
        {
            found.entries[line] = found.loose(found.entries[line], lines);
        }
        found
    }

    /// The number of a template; a new one, if it is new.
    pub fn number(&mut self, template: Template) -> usize {
        let known = &self.templates;
        let number = self
            .index
            .number(&template, |other| known[other] == template);
        if number == self.templates.len() {
            self.templates.push(template);
        }
        number
    }

    /// A line's entry without a template of its own: its time, if any, is still taken out of it.
    pub fn loose(&mut self, entry: Entry<'a>, lines: &Lines<'a>) -> Entry<'a> {
        let raw = Entry {
            template: RAW,
            stamp: "",
            ..entry
        };
        let line = lines.marked[entry.line];
        let mark = match line.find(MARK) {
            Some(mark) => mark + 1,
            None => return raw,
        };
        let rest = line[mark..].trim_start_matches([' ', ':', ']']);
        if rest == "^" {
            return raw;
        }
        let text = format!("{}{GAP}", &line[..line.len() - rest.len()]);
        let template = self.number(Template::new(text, vec![0], true));
        let start = self.values.len();
        self.values.push(rest);
        Entry {
            template,
            start,
            ..entry
        }
    }

    /// How many entries each template has.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.templates.len()];
        for entry in self.entries.iter().filter(|entry| entry.template != RAW) {
            uses[entry.template] += 1;
        }
        uses
    }

    /// The values of an entry.
    pub fn of_entry(&self, entry: &Entry<'a>) -> &[&'a str] {
        &self.values[entry.start..entry.start + self.templates[entry.template].width]
    }
}

/// An entry a line, without templates yet.
fn single<'a>(lines: &Lines<'a>) -> Vec<Entry<'a>> {
    let mut before = "";
    let entry = |(line, stamp): (usize, &&'a str)| {
        let joins = stamp.is_empty() || *stamp == before;
        if !stamp.is_empty() {
            before = stamp;
        }
        Entry {
            template: RAW,
            line,
            start: 0,
            stamp,
            joins,
        }
    };
    lines.stamps.iter().enumerate().map(entry).collect()
}
