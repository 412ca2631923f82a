//! Circles of files that import each other.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::imports::Imports;

/// The circles among the files of a crate, as places in [`Imports::files`]. Two
/// files are in the same circle when each imports the other, directly or
/// through others.
pub(super) fn circles_of(imports: &Imports) -> Vec<BTreeSet<usize>> {
    let reached: Vec<_> = (0..imports.files.len())
        .map(|file| reached_from(file, imports))
        .collect();
    let circle = |file: usize| -> BTreeSet<usize> {
        let reached_back = |other: &usize| reached[*other].contains(&file);
        reached[file].iter().copied().filter(reached_back).collect()
    };
    let circles: BTreeSet<_> = (0..imports.files.len()).map(circle).collect();
    circles.into_iter().filter(|it| !it.is_empty()).collect()
}

/// The files that a file imports, directly or through others.
fn reached_from(file: usize, imports: &Imports) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut next = vec![file];
    while let Some(from) = next.pop() {
        let edges = imports.names.range((from, 0)..(from + 1, 0));
        next.extend(
            edges
                .map(|((_, to), _)| *to)
                .filter(|to| reached.insert(*to)),
        );
    }
    reached
}

/// A circle in words: its files, and for each import the names.
pub(super) fn describe(circle: &BTreeSet<usize>, imports: &Imports) -> String {
    let mut text = format!("a circle of {} files", circle.len());
    for ((from, to), names) in &imports.names {
        if circle.contains(from) && circle.contains(to) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let (from, to) = (&imports.files[*from], &imports.files[*to]);
            // Writing to a string does not fail.
            let _ = write!(text, "\n  {from} -> {to}: {}", names.join(", "));
        }
    }
    text
}
