//! Which partitions would be published to one place, or one inside of another, or to where no output may be.
//!
//! A graph is refused only if there are two keys, possible by what the key spaces say, whose paths meet; they are in
//! the message. Dynamic keys may be any text that a key may be. Paths of external data meet those of built data,
//! not each other: reading one file twice is fine. An absolute path meets absolute ones only, since nobody knows here where
//! the workspace is. Names are compared as they are, also where a file system takes two for one.
//!
//! This is asked of new graphs only. One that was registered stays readable, whatever later versions think of it.

mod lexicon;
mod search;
#[cfg(test)]
mod tests;

use super::problem::{GraphProblem, ProblemCode as Code};
use super::{Dataset, Graph};
use crate::symbols::Symbols;
use crate::template::Part;
use lexicon::Lexicon;
use search::{meet, Atom, Pattern, Place, Texts};

/// The clashes of a graph, at most one for each dataset.
pub(super) fn check_clashes(graph: &Graph, symbols: &Symbols) -> Vec<GraphProblem> {
    let mut sites: Vec<Site> = graph.datasets().filter_map(|(_, dataset)| Site::of(dataset)).collect();
    let mut found = Vec::new();
    for site in &sites {
        found.extend(site.reserved(symbols).map(|problem| (site.at(), problem)));
        found.extend(site.clash_within(symbols).map(|problem| (site.at(), problem)));
    }
    // Places meet only if the fixed beginning of one is that of the other; sorted, those stand together.
    sites.sort_by(|a, b| a.beginning.cmp(&b.beginning));
    let mut told = vec![false; sites.len()];
    for (i, one) in sites.iter().enumerate() {
        let after = sites.iter().enumerate().skip(i + 1);
        for (j, other) in after.take_while(|(_, other)| other.beginning.starts_with(&one.beginning)) {
            if told[i] && told[j] {
                continue;
            }
            if let Some(problem) = one.clash_with(other, symbols) {
                found.push((one.at().max(other.at()), problem));
                (told[i], told[j]) = (true, true);
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, problem)| problem).collect()
}

/// A dataset whose partitions are files.
struct Site<'g> {
    dataset: &'g Dataset,
    pattern: Pattern,
    /// What all of its paths begin with.
    beginning: String,
}

impl<'g> Site<'g> {
    fn of(dataset: &'g Dataset) -> Option<Site<'g>> {
        let mut segments = vec![Vec::new()];
        for part in dataset.path.as_ref()?.parts() {
            match part {
                Part::Hole { name, .. } => {
                    let dim = dataset.dims.iter().position(|dim| dim == name)?;
                    segments.last_mut()?.push(Atom::Hole(dim));
                }
                Part::Text(text) => {
                    for (i, piece) in text.split('/').enumerate() {
                        if i > 0 {
                            segments.push(Vec::new());
                        }
                        if !piece.is_empty() {
                            segments.last_mut()?.push(Atom::Text(piece.to_owned()));
                        }
                    }
                }
            }
        }
        let absolute = segments.first().is_some_and(Vec::is_empty);
        segments.retain(|segment| !segment.is_empty());
        let mut beginning = if absolute { "/" } else { "./" }.to_owned();
        'fixed: for (i, segment) in segments.iter().enumerate() {
            if i > 0 {
                beginning.push('/');
            }
            for atom in segment {
                let Atom::Text(text) = atom else { break 'fixed };
                beginning.push_str(text);
            }
        }
        Some(Site { dataset, pattern: Pattern { absolute, segments }, beginning })
    }

    /// Names stand in the graph in their order, so that this puts problems into the order of the file.
    fn at(&self) -> &'g str {
        &self.dataset.name
    }

    fn place<'a>(&'a self, symbols: &'a Symbols) -> Place<'a> {
        let lexicons = self.dataset.spaces.iter().map(|space| Lexicon::of(space, symbols)).collect();
        Place { pattern: &self.pattern, lexicons }
    }

    /// Two partitions of one dataset.
    fn clash_within(&self, symbols: &Symbols) -> Option<GraphProblem> {
        if self.dataset.external || !self.pattern.is_ambiguous() {
            return None;
        }
        let place = self.place(symbols);
        let [one, other] = meet(&place, &place, true)?;
        let message = format!(
            "`{}` and `{}` have the same path `{}`; the template is `{}`",
            self.partition(&one),
            self.partition(&other),
            self.pattern.fill(&one),
            self.written(),
        );
        let help = "put something between the holes that ends a key, best `/`: no key has it in it";
        Some(GraphProblem::new(Code::PathClash, &self.dataset.label, message, help))
    }

    /// A partition in a folder of the workspace that is not the user's. Bazel's are looked at only where the template names
    /// them: a dynamic key may be anything, and what it is gets looked at when there is one.
    fn reserved(&self, symbols: &Symbols) -> Option<GraphProblem> {
        if self.dataset.external || self.pattern.absolute {
            return None;
        }
        let meets = |name: &str| {
            let segments = vec![vec![Atom::Text(name.to_owned())]];
            let reserved = Pattern { absolute: false, segments };
            if !self.pattern.may_meet(&reserved) {
                return None;
            }
            let reserved = Place { pattern: &reserved, lexicons: Vec::new() };
            meet(&self.place(symbols), &reserved, false).map(|[key, _]| key)
        };
        let named = |name: &str| matches!(&self.pattern.segments[0][..], [Atom::Text(text)] if text == name);
        let own = [(".databuild", "DataBuild"), (".git", "Git")].into_iter();
        let own = own.filter_map(|(name, owner)| Some((name, owner, meets(name)?)));
        let bazel = ["bazel-bin", "bazel-out", "bazel-testlogs"].into_iter().filter(|name| named(name));
        let bazel = bazel.filter_map(|name| Some((name, "Bazel", meets(name)?)));
        let (name, owner, key) = own.chain(bazel).next()?;
        let message = format!(
            "`{}` would be published to `{}`, but `{name}` belongs to {owner}",
            self.partition(&key),
            self.pattern.fill(&key)
        );
        let help = "give the dataset a folder of its own, such as `out/NAME/…`";
        Some(GraphProblem::new(Code::ReservedPath, &self.dataset.label, message, help))
    }

    fn clash_with(&self, other: &Site<'g>, symbols: &Symbols) -> Option<GraphProblem> {
        if self.dataset.external && other.dataset.external || !self.pattern.may_meet(&other.pattern) {
            return None;
        }
        let [mine, theirs] = meet(&self.place(symbols), &other.place(symbols), false)?;
        let mut pair = [(self, &mine), (other, &theirs)];
        let depth = |site: &Site| site.pattern.segments.len();
        if depth(other) < depth(self) {
            pair.reverse();
        }
        let [(outer, outer_key), (inner, inner_key)] = pair;
        let told = |site: &Site, key: &Texts| {
            format!("`{}` ({}, path `{}`)", site.partition(key), site.dataset.label, site.written())
        };
        let (one, two) = (told(outer, outer_key), told(inner, inner_key));
        let (above, below) = (outer.pattern.fill(outer_key), inner.pattern.fill(inner_key));
        let message = if depth(outer) == depth(inner) {
            format!("{one} and {two} have the same path `{below}`")
        } else {
            format!("the path of {two} is inside the path of {one}: `{below}` is below `{above}`")
        };
        // Whoever publishes is at fault.
        let label =
            [inner, outer].into_iter().filter(|site| !site.dataset.external).max_by_key(|site| site.at());
        let help = match (self.dataset.external, other.dataset.external) {
            (false, false) => "give each dataset a folder of its own, such as `out/NAME/…`",
            _ => {
                "let what is built be written elsewhere than external data is read, or give that another path"
            }
        };
        Some(GraphProblem::new(Code::PathClash, label.map_or("", |site| &site.dataset.label), message, help))
    }

    fn partition(&self, keys: &Texts) -> String {
        let dims = self.dataset.dims.iter().zip(keys);
        dims.fold(self.dataset.name.clone(), |text, (dim, key)| format!("{text}/{dim}={key}"))
    }

    fn written(&self) -> &str {
        self.dataset.path_text.as_deref().unwrap_or_default()
    }
}
