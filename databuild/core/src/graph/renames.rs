//! A graph file in the words of a later one, so that the two can be compared.

use super::file::{CheckEntry, DatasetEntry, GraphFile, JobEntry, MovedEntry, RuleEntry};
use crate::template::rename_holes;
use std::borrow::Cow;
use std::collections::HashMap;

/// What a file says was moved. Nothing is checked: a chain is followed as far as it leads.
pub struct Renames<'f> {
    datasets: HashMap<&'f str, &'f str>,
    jobs: HashMap<&'f str, &'f str>,
    /// By dataset, under any of its names.
    dims: HashMap<(&'f str, &'f str), &'f str>,
}

impl<'f> Renames<'f> {
    /// Those that `file` declares.
    #[must_use]
    pub fn of(file: &'f GraphFile) -> Renames<'f> {
        let mut renames = Renames { datasets: HashMap::new(), jobs: HashMap::new(), dims: HashMap::new() };
        for entry in &file.moved {
            match entry {
                MovedEntry::Dataset { from, to } => drop(renames.datasets.insert(from, to)),
                MovedEntry::Job { from, to } => drop(renames.jobs.insert(from, to)),
                MovedEntry::Dimension { .. } => {}
            }
        }
        for entry in &file.moved {
            if let MovedEntry::Dimension { dataset, from, to } = entry {
                let dataset = last(&renames.datasets, dataset);
                renames.dims.insert((dataset, from), to);
            }
        }
        renames
    }

    /// Nothing was moved.
    fn is_empty(&self) -> bool {
        self.datasets.is_empty() && self.jobs.is_empty() && self.dims.is_empty()
    }

    fn dim(&self, dataset: &str, dim: &str) -> String {
        let mut at = dim;
        for _ in 0..=self.dims.len() {
            let Some(next) = self.dims.get(&(dataset, at)) else { break };
            at = next;
        }
        at.to_owned()
    }

    /// A dataset of an earlier file.
    pub(super) fn dataset<'e>(&self, entry: &'e DatasetEntry) -> Cow<'e, DatasetEntry> {
        if self.is_empty() {
            return Cow::Borrowed(entry);
        }
        let mut now = entry.clone();
        last(&self.datasets, &entry.name).clone_into(&mut now.name);
        for dim in &mut now.dims {
            dim.name = self.dim(&now.name, &dim.name);
        }
        now.path =
            entry.path.as_ref().map(|path| rename_holes(path, |dim, _| Some(self.dim(&now.name, dim))));
        Cow::Owned(now)
    }

    /// A check of an earlier file.
    pub(super) fn check<'e>(&self, entry: &'e CheckEntry) -> Cow<'e, CheckEntry> {
        let dataset = last(&self.datasets, &entry.dataset);
        if dataset == entry.dataset {
            return Cow::Borrowed(entry);
        }
        Cow::Owned(CheckEntry { dataset: dataset.to_owned(), ..entry.clone() })
    }

    /// A job of an earlier file.
    #[must_use]
    pub fn job<'e>(&self, entry: &'e JobEntry) -> Cow<'e, JobEntry> {
        if self.is_empty() {
            return Cow::Borrowed(entry);
        }
        let mut now = entry.clone();
        last(&self.jobs, &entry.label).clone_into(&mut now.label);
        for output in &mut now.outputs {
            *output = last(&self.datasets, output).to_owned();
        }
        let home = now.outputs.first().cloned().unwrap_or_default();
        for input in &mut now.inputs {
            last(&self.datasets, &input.dataset.clone()).clone_into(&mut input.dataset);
            for dim in &mut input.dims {
                dim.dim = self.dim(&input.dataset, &dim.dim);
                use RuleEntry::{All, Fanout, Latest, Offset, Only, Rollup, Same, Window};
                match &mut dim.rule {
                    Same { of } | Window { of, .. } | Offset { of, .. } | Rollup { of } | Fanout { of } => {
                        *of = self.dim(&home, of);
                    }
                    All {} | Latest { .. } | Only { .. } => {}
                }
            }
        }
        if let Some(batch) = &mut now.batch {
            batch.dim = self.dim(&home, &batch.dim);
        }
        let of_hole = |name: &str, argument: Option<&str>| match (name, argument) {
            ("path", Some(output)) => Some(format!("path:{}", last(&self.datasets, output))),
            (dim, None) => Some(self.dim(&home, dim)),
            _ => None,
        };
        now.program.args = entry.program.args.iter().map(|text| rename_holes(text, of_hole)).collect();
        Cow::Owned(now)
    }
}

/// Where a chain ends; a circle is left somewhere.
fn last<'n>(links: &HashMap<&'n str, &'n str>, name: &'n str) -> &'n str {
    let mut at = name;
    for _ in 0..=links.len() {
        let Some(next) = links.get(at) else { break };
        at = next;
    }
    at
}
