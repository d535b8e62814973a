//! `assemble`: from the rules' specification and the code manifests of jobs and checks to the checked graph file.
//!
//! All checking is the core's, the same that a server does when a graph is registered: a graph file that
//! exists was sound when it was built. Directives: `job<TAB>LABEL<TAB>CODE MANIFEST`, `check` likewise, and for a
//! dataset that a program observes `observer<TAB>DATASET<TAB>CODE MANIFEST`.

use crate::digest::hash_file;
use crate::error::ToolError;
use crate::params::{unknown_directive, write_output, Params};
use databuild_core::graph::file::ObserveEntry;
use databuild_core::graph::{parse_file, Graph};
use databuild_core::symbols::Symbols;
use std::collections::BTreeMap;
use std::path::Path;

/// Runs the command.
///
/// # Errors
/// A graph that is not sound, or programs and manifests that do not match.
pub fn run(params: &Params) -> Result<(), ToolError> {
    let spec = params.path("spec")?;
    let text = std::fs::read_to_string(&spec).map_err(|source| ToolError::read(&spec, source))?;
    let mut file = parse_file(&text).map_err(ToolError::Graph)?;

    let directives: Vec<_> = params.directives().collect();
    let mut manifests = BTreeMap::new();
    for fields in &directives {
        let [kind @ ("job" | "check" | "observer"), name, manifest] = fields[..] else {
            return Err(unknown_directive(fields));
        };
        manifests.insert((kind, name), manifest);
    }
    let code = |kind: &'static str, name: &str| {
        let manifest = manifests
            .get(&(kind, name))
            .ok_or_else(|| ToolError::Usage(format!("no code manifest for {kind} {name}")))?;
        hash_file(Path::new(manifest)).map(|file| Some(file.sha256))
    };
    for job in &mut file.jobs {
        job.program.code = code("job", &job.label)?;
    }
    for check in &mut file.checks {
        check.program.code = code("check", &check.label)?;
    }
    for dataset in &mut file.datasets {
        if let Some(ObserveEntry::Program(observer)) = &mut dataset.observe {
            observer.program.code = code("observer", &dataset.name)?;
        }
    }

    let mut graph = serde_json::to_string_pretty(&file)
        .map_err(|error| ToolError::Usage(format!("the graph file cannot be written: {error}")))?;
    graph.push('\n');
    Graph::parse_new(&graph, &mut Symbols::new()).map_err(ToolError::Graph)?;
    write_output(&params.path("out")?, graph.as_bytes())
}
