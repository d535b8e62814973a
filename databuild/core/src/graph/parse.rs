//! Reading graph files: old ones as they are, new ones strictly.

use super::clash::check_clashes;
use super::model::Graph;
use super::problem::{GraphProblem, Problems};
use super::resolve::{check_bounds, parse_file, resolve};
use crate::symbols::Symbols;

impl Graph {
    /// Reads a graph that was registered once. `symbols` gains the static keys; it may be a fresh one.
    ///
    /// # Errors
    /// What keeps it from being a graph, in the file's order. No rule is among that which later versions made for new
    /// graphs.
    pub fn parse(content: &str, symbols: &mut Symbols) -> Result<Graph, Vec<GraphProblem>> {
        resolve(&parse_file(content)?, Problems::of_past(), symbols)
    }

    /// Reads and checks a graph that is to be followed from now on.
    ///
    /// # Errors
    /// Every problem found, in the file's order.
    pub fn parse_new(content: &str, symbols: &mut Symbols) -> Result<Graph, Vec<GraphProblem>> {
        let file = parse_file(content)?;
        let graph = resolve(&file, Problems::of_new(), symbols)?;
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
