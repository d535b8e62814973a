//! Events of graphs, both ways.

use super::form::Stored;
use super::ConvertError;
use databuild_core::event::GraphRegistered;
use databuild_core::ids::GraphId;
use databuild_proto::v1 as stored;

impl Stored for GraphRegistered {
    type Message = stored::GraphRegistered;
    const WHAT: &'static str = "a graph registration";

    fn store(&self) -> stored::GraphRegistered {
        let GraphRegistered { graph, content: _, inherited, sources } = self;
        stored::GraphRegistered {
            graph: graph.0.clone(),
            inherited: inherited.clone(),
            sources: sources.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::GraphRegistered) -> Result<GraphRegistered, ConvertError> {
        let stored::GraphRegistered { graph, inherited, sources, special_fields: _ } = message;
        // The content is added to the whole record.
        Ok(GraphRegistered { graph: GraphId(graph), content: "".into(), inherited, sources })
    }
}
