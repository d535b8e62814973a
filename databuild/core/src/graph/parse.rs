//! Reading graph files: old ones as they are, new ones strictly.

use super::clash::check_clashes;
use super::model::Graph;
use super::problem::GraphProblem;
use super::resolve::{check_bounds, parse_file, resolve};
use crate::symbols::Symbols;

impl Graph {
    /// Parses, resolves and checks a graph file. `symbols` gains the static keys; it may be a fresh one.
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn parse(content: &str, symbols: &mut Symbols) -> Result<Graph, Vec<GraphProblem>> {
        let file = parse_file(content)?;
        resolve(&file, symbols)
    }

    /// The same for a graph that is to be followed from now on: no two partitions may have one path, or one inside of the
    /// other, and key spaces have to begin and end with keys. Graphs of the past are read by [`Graph::parse`].
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn parse_new(content: &str, symbols: &mut Symbols) -> Result<Graph, Vec<GraphProblem>> {
        let file = parse_file(content)?;
        let graph = resolve(&file, symbols)?;
        let bounds = check_bounds(&file);
        if !bounds.is_empty() {
            return Err(bounds);
        }
        match check_clashes(&graph, symbols) {
            problems if problems.is_empty() => Ok(graph),
            problems => Err(problems),
        }
    }
}
