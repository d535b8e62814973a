//! A graph that is read and checked before it is registered, by whoever asks for that: so the owner of the state spends
//! no time on it.
//!
//! Invariant: taking it over gives the very graph, and the very numbers of keys, that reading its content then would give.

use super::model::Graph;
use super::problem::GraphProblem;
use crate::symbols::Symbols;

/// See the module.
#[derive(Debug, Clone)]
pub struct CheckedGraph {
    graph: Graph,
    /// How many texts had numbers before it was read.
    before: usize,
    /// The table with the numbers of its keys.
    symbols: Symbols,
}

impl CheckedGraph {
    /// Reads and checks a graph that is to be followed from now on. `symbols` are those of the state that it is for, as of
    /// now or as of any time before.
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn new(content: &str, symbols: &Symbols) -> Result<CheckedGraph, Vec<GraphProblem>> {
        let before = symbols.len();
        let mut symbols = symbols.clone();
        let graph = Graph::parse_new(content, &mut symbols)?;
        Ok(CheckedGraph { graph, before, symbols })
    }

    /// The graph. Numbers of keys are only good for texts of its own reading.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether the numbers of its keys are those that a state with these `symbols` would give them now: no text has come
    /// since it was read.
    pub(crate) fn fits(&self, symbols: &Symbols) -> bool {
        // A table only grows, so one that is as long is the same.
        symbols.len() == self.before
    }

    /// Gives its keys their numbers. It has to fit.
    pub(crate) fn take_over(self, symbols: &mut Symbols) -> Graph {
        for number in self.before..self.symbols.len() {
            let number = u32::try_from(number).expect("fewer than 2^32 keys");
            symbols.intern(self.symbols.text(number));
        }
        self.graph
    }
}
