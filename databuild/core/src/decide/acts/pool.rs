//! Pools whose size is changed by hand.

use crate::decide::messages::input::PoolRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, PoolResized};

/// Gives a pool another size than it is declared to have, or that again.
pub(crate) fn resize(out: &mut Out, request: PoolRequest) -> Result<Reply, Refusal> {
    let registered = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    let mut pools = registered.graph.pools();
    let found = pools.find(|pool| pool.label == request.pool || pool.name == request.pool);
    let Some(label) = found.map(|pool| pool.label.clone()) else {
        let known = registered.graph.pools().map(|pool| pool.name.clone()).collect();
        return Err(Refusal::UnknownPool { name: request.pool, known });
    };
    if out.state.pool_sizes().get(&label).copied() != request.slots {
        out.event(Event::PoolResized(PoolResized { pool: label, slots: request.slots }));
    }
    Ok(Reply::Done)
}
