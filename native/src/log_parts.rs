//! Groups of lines in parts: the twin of `_refined` in `policies/compress/log_templates.py`.

use crate::log_hash::Index;
use crate::log_templates::Column;

/// Lines, and the columns of their values.
pub type Part<'a> = (Vec<u32>, Vec<Column<'a>>);

const ENOUGH: usize = 12; // lines that earn a template of their own
const DEPTH: usize = 6; // of parts of parts
const PARTS: usize = 6; // of a group by one column's values, at most
const WIDE: usize = 12; // columns beyond which no equal ones are looked for

/// The lines in parts: those that share a frequent value, or in which columns are equal.
pub fn parts(lines: Vec<u32>, columns: Vec<Column<'_>>) -> Vec<Part<'_>> {
    let mut found = Vec::new();
    refine((lines, columns), DEPTH, &mut found);
    found
}

fn refine<'a>(part: Part<'a>, depth: usize, found: &mut Vec<Part<'a>>) {
    let (lines, columns) = &part;
    let parted = if depth > 0 && lines.len() >= 2 * ENOUGH {
        parted(columns)
    } else {
        None
    };
    match parted {
        None => found.push(part),
        Some(parts) => {
            for rows in parts {
                let picked = columns.iter().map(|column| pick(column, &rows)).collect();
                refine((pick(lines, &rows), picked), depth - 1, found);
            }
        }
    }
}

fn pick<T: Copy>(all: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| all[*row]).collect()
}

/// The rows of each part by the first column, or the first two equal ones, that tell parts.
fn parted(columns: &[Column<'_>]) -> Option<Vec<Vec<usize>>> {
    let rows = columns.first()?.len();
    let step = rows / 8;
    let sampled: Vec<usize> = (0..rows).step_by(step).collect();
    let again = |column: &Column<'_>, row: &usize| {
        sampled
            .iter()
            .take_while(|other| *other < row)
            .any(|other| column[*other] == column[*row])
    };
    let by_value = columns.iter().find_map(|column| {
        sampled
            .iter()
            .any(|row| again(column, row))
            .then(|| by_labels(&values(column)?))?
    });
    if by_value.is_some() || columns.len() > WIDE {
        return by_value;
    }
    let pairs = (0..columns.len()).flat_map(|place| (0..place).map(move |other| (place, other)));
    pairs
        .filter_map(|(place, other)| equal(&columns[place], &columns[other], &sampled))
        .find_map(|same| by_labels(&same))
}

/// The rows of each frequent label, then the others; labels are numbered as they come.
fn by_labels(labels: &[u32]) -> Option<Vec<Vec<usize>>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        if *label as usize == parts.len() {
            parts.push(Vec::new());
        }
        parts[*label as usize].push(row);
    }
    if parts.len() < 2 {
        return None;
    }
    let (mut often, few): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| part.len() >= ENOUGH);
    let mut left: Vec<usize> = few.into_iter().flatten().collect();
    if often.is_empty() || often.len() > PARTS || left.len() * 10 > labels.len() * 3 {
        return None;
    }
    if !left.is_empty() {
        left.sort_unstable();
        often.push(left);
    }
    Some(often)
}

/// The values of a column, numbered; none where they are so many that no parts can be told.
fn values(column: &Column<'_>) -> Option<Vec<u32>> {
    let mut index = Index::new();
    let mut first: Vec<&str> = Vec::new();
    let mut labels = Vec::with_capacity(column.len());
    for value in column {
        let label = index.number(value, |known| first[known] == *value);
        if label == first.len() {
            first.push(value);
            if (first.len() - PARTS.min(first.len())) * 10 > column.len() * 3 {
                return None;
            }
        }
        labels.push(label as u32);
    }
    Some(labels)
}

/// Whether two columns are equal, row by row, numbered as it comes; none where few rows are.
fn equal(one: &Column<'_>, two: &Column<'_>, sampled: &[usize]) -> Option<Vec<u32>> {
    if !sampled.iter().any(|row| one[*row] == two[*row]) {
        return None;
    }
    let same: Vec<bool> = one.iter().zip(two).map(|(a, b)| a == b).collect();
    let count = same.iter().filter(|same| **same).count();
    (2 * count > same.len()).then(|| {
        same.iter()
            .map(|each| u32::from(*each != same[0]))
            .collect()
    })
}
