//! Templates of several lines: the twin of `policies/compress/log_blocks.py`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::log_entries::{Entries, RAW};
use crate::log_hash::Index;
use crate::log_templates::Template;

const ROUNDS: usize = 5;
const WIDEST: usize = 256; // pairs of values that are compared
const SAMPLE: usize = 16; // occurrences of a pair that are compared
const OFTEN: usize = 4; // occurrences of a pair that earn a template

/// Two templates, the places of entries of the one with one of the other behind it, and the most
/// characters that joining them can gain.
struct Found {
    pair: (usize, usize),
    places: Vec<usize>,
    most: i64,
}

/// How two entries become one: values of the left and the right that must be equal, those of the
/// right that the left does not have, and about how many characters that gains.
struct Rule {
    template: Template,
    equal: Vec<(usize, usize)>,
    new: Vec<usize>,
    gain: i64,
}

/// Rules by pairs and by how many there were of them.
struct Known {
    index: Index,
    keys: Vec<(usize, usize, usize)>,
    rules: Vec<Rule>,
}

/// The same lines in fewer entries.
pub fn join(log: &mut Entries<'_>) {
    let mut known = Known {
        index: Index::new(),
        keys: Vec::new(),
        rules: Vec::new(),
    };
    for _ in 0..ROUNDS {
        let before = log.entries.len();
        let found = frequent(log);
        let best = best(&found, log, &mut known);
        if best.is_empty() {
            break;
        }
        apply(log, &found, &best, &known);
        if log.entries.len() * 50 > before * 49 {
            break;
        }
    }
}

/// Neighbours that may gain, and at which places.
fn frequent(log: &Entries<'_>) -> Vec<Found> {
    let mut index = Index::new();
    let mut found: Vec<Found> = Vec::new();
    let uses = log.uses();
    let mut counts = Vec::new();
    for (place, entries) in log.entries.windows(2).enumerate() {
        let pair = (entries[0].template, entries[1].template);
        if pair.0 == pair.1 || pair.0 == RAW || pair.1 == RAW {
            continue;
        }
        let number = index.number(pair, |known| found[known].pair == pair);
        if number == found.len() {
            found.push(Found {
                pair,
                places: Vec::new(),
                most: 0,
            });
            counts.push(0);
        }
        counts[number] += 1;
        if entries[1].joins {
            found[number].places.push(place);
        }
    }
    let mut counts = counts.into_iter();
    found.retain_mut(|each| {
        counts
            .next()
            .map_or(false, |count| may_gain(each, count, &uses, log))
    });
    found
}

fn may_gain(found: &mut Found, count: usize, uses: &[usize], log: &Entries<'_>) -> bool {
    let (one, two) = found.pair;
    if count < OFTEN || count < uses[one].min(uses[two]) / 4 {
        return false;
    }
    let (left, right) = (&log.templates[one], &log.templates[two]);
    let width = right.width;
    if left.loose || right.loose || left.width * width > WIDEST {
        return false;
    }
    let legend = legend(left, right);
    found.most = found.places.len() as i64 * worth(width) - legend;
    count as i64 * worth(width) >= legend && found.places.len() >= OFTEN
}

/// Those that gain most, by their places in `found` and their rules, each template in one pair
/// only.
///
/// The exact gain is only made out where the most that it can be is more than all others have.
fn best(found: &[Found], log: &Entries<'_>, known: &mut Known) -> Vec<(usize, usize)> {
    let first = |(order, each): (usize, &Found)| Reverse((-each.most, order, false));
    let mut heap: BinaryHeap<_> = found.iter().enumerate().map(first).collect();
    let mut best = Vec::new();
    let mut taken = vec![false; log.templates.len()];
    while let Some(Reverse((most, order, exact))) = heap.pop() {
        if most >= 0 {
            break;
        }
        let (one, two) = found[order].pair;
        if taken[one] || taken[two] {
            continue;
        }
        let rule = known.rule(&found[order], log);
        if exact {
            taken[one] = true;
            taken[two] = true;
            best.push((order, rule));
        } else {
            heap.push(Reverse((-known.rules[rule].gain, order, true)));
        }
    }
    best
}

/// Characters that an entry saves by so many values that need not be written again.
fn worth(equal: usize) -> i64 {
    6 + 15 * equal as i64
}

/// Characters of the template that both would make.
fn legend(left: &Template, right: &Template) -> i64 {
    (left.literal() + right.literal()) as i64
}

impl Known {
    /// The number of the rule for these pairs.
    fn rule(&mut self, found: &Found, log: &Entries<'_>) -> usize {
        let key = (found.pair.0, found.pair.1, found.places.len());
        let number = self.index.number(key, |known| self.keys[known] == key);
        if number == self.rules.len() {
            self.keys.push(key);
            self.rules.push(rule(found, log));
        }
        number
    }
}

/// What three of four such pairs have equal, all must, or stay two.
fn rule(found: &Found, log: &Entries<'_>) -> Rule {
    let (left, right) = (&log.templates[found.pair.0], &log.templates[found.pair.1]);
    let step = found.places.len() / SAMPLE + 1;
    let sample: Vec<usize> = found.places.iter().copied().step_by(step).collect();
    let mut fits = vec![true; sample.len()];
    let mut equal = Vec::new();
    let mut new = Vec::new();
    let mut names = Vec::new();
    for j in 0..right.width {
        let same = |i: usize| {
            let value = |place: usize, at: usize| log.of_entry(&log.entries[place])[at];
            sample
                .iter()
                .map(move |place| value(*place, i) == value(place + 1, j))
        };
        let enough = |i: &usize| same(*i).filter(|same| *same).count() * 4 >= sample.len() * 3;
        let all = (0..left.width).find(|i| same(*i).all(|same| same));
        match all.or_else(|| (0..left.width).find(enough)) {
            Some(i) => {
                equal.push((i, j));
                names.push(i as u32);
                fits.iter_mut()
                    .zip(same(i))
                    .for_each(|(fits, same)| *fits &= same);
            }
            None => {
                names.push((left.width + new.len()) as u32);
                new.push(j);
            }
        }
    }
    let often = fits.iter().filter(|fits| **fits).count() * found.places.len() / sample.len();
    let gain = if often >= OFTEN {
        often as i64 * worth(equal.len()) - legend(left, right)
    } else {
        0
    };
    let slots = right.slots.iter().map(|slot| names[*slot as usize]);
    let slots = left.slots.iter().copied().chain(slots).collect();
    let template = Template::new(format!("{}\n{}", left.text, right.text), slots, false);
    Rule {
        template,
        equal,
        new,
        gain,
    }
}

/// The entries at these places are joined with those behind them, where they fit the rule.
fn apply(log: &mut Entries<'_>, found: &[Found], best: &[(usize, usize)], known: &Known) {
    let mut stays = vec![true; log.entries.len()];
    for (order, rule) in best {
        let rule = &known.rules[*rule];
        let number = log.number(rule.template.clone());
        for place in &found[*order].places {
            let (left, right) = (log.entries[*place], log.entries[*place + 1]);
            let (ours, theirs) = (log.of_entry(&left), log.of_entry(&right));
            if !rule.equal.iter().all(|(i, j)| ours[*i] == theirs[*j]) {
                continue;
            }
            let joined: Vec<&str> = ours
                .iter()
                .copied()
                .chain(rule.new.iter().map(|j| theirs[*j]))
                .collect();
            let entry = &mut log.entries[*place];
            entry.template = number;
            entry.start = log.values.len();
            if entry.stamp.is_empty() {
                entry.stamp = right.stamp;
            }
            log.values.extend(joined);
            stays[*place + 1] = false;
        }
    }
    let mut stays = stays.into_iter();
    log.entries.retain(|_| stays.next().unwrap_or(true));
}
