//! Who brought a fact about and on what occasion, both ways.

use super::form::{known, malformed};
use super::ConvertError;
use databuild_core::event::{Actor, Cause, Origin};
use databuild_core::ids::{RunId, WantId};
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;
use databuild_proto::v1::record::Event as StoredEvent;

pub(super) fn actor(actor: &Actor) -> MessageField<stored::Actor> {
    match actor {
        Actor::System => MessageField::none(),
        Actor::Person(name) => {
            let actor = Some(stored::actor::Actor::Person(name.to_string()));
            MessageField::some(stored::Actor { actor, ..Default::default() })
        }
        Actor::Token(name) => {
            let actor = Some(stored::actor::Actor::Token(name.to_string()));
            MessageField::some(stored::Actor { actor, ..Default::default() })
        }
    }
}

pub(super) fn cause(cause: Option<&Cause>) -> MessageField<stored::Cause> {
    let Some(cause) = cause else { return MessageField::none() };
    let cause = match cause {
        Cause::Request { id, client } => {
            let (id, client) = (id.to_string(), client.to_string());
            stored::cause::Cause::Request(stored::RequestCause { id, client, ..Default::default() })
        }
        Cause::Run(run) => stored::cause::Cause::Run(run.0),
        Cause::Want(want) => stored::cause::Cause::Want(want.0),
        Cause::Schedule(name) => stored::cause::Cause::Schedule(name.to_string()),
    };
    MessageField::some(stored::Cause { cause: Some(cause), ..Default::default() })
}

/// The origin of a record that has this envelope and this event.
pub(super) fn read(
    actor: MessageField<stored::Actor>,
    cause: MessageField<stored::Cause>,
    event: &StoredEvent,
) -> Result<Origin, ConvertError> {
    let (actor, cause) = (actor.into_option(), cause.into_option());
    if actor.is_none() && cause.is_none() {
        return Ok(said_by_event(event));
    }
    let actor = match actor {
        None => Actor::System,
        Some(actor) => {
            known(&actor, "an actor")?;
            match actor.actor {
                Some(stored::actor::Actor::Person(name)) => Actor::Person(name.into()),
                Some(stored::actor::Actor::Token(name)) => Actor::Token(name.into()),
                None => return Err(malformed("has an actor that is nobody")),
            }
        }
    };
    let cause = match cause {
        None => None,
        Some(cause) => {
            known(&cause, "a cause")?;
            Some(match cause.cause {
                Some(stored::cause::Cause::Request(request)) => {
                    known(&request, "a request")?;
                    let stored::RequestCause { id, client, special_fields: _ } = request;
                    Cause::Request { id: id.into(), client: client.into() }
                }
                Some(stored::cause::Cause::Run(run)) => Cause::Run(RunId(run)),
                Some(stored::cause::Cause::Want(want)) => Cause::Want(WantId(want)),
                Some(stored::cause::Cause::Schedule(name)) => Cause::Schedule(name.into()),
                None => return Err(malformed("has a cause that is nothing")),
            })
        }
    };
    Ok(Origin { actor, cause })
}

/// Until format 3, records had no origin. What people asked for said it in the event, each in its own field.
fn said_by_event(event: &StoredEvent) -> Origin {
    let by = match event {
        StoredEvent::WantCreated(want) => return of_want(want),
        StoredEvent::Tainted(e) => &e.by,
        StoredEvent::Untainted(e) => &e.by,
        StoredEvent::CodeAccepted(e) => &e.by,
        StoredEvent::Adopted(e) => &e.by,
        StoredEvent::KeysAdded(e) => &e.by,
        StoredEvent::KeysRetired(e) => &e.by,
        StoredEvent::PoolResized(e) => &e.by,
        StoredEvent::TrialCreated(e) => &e.by,
        _ => return Origin::default(),
    };
    match by.parse() {
        _ if by.is_empty() => Origin::default(),
        Ok(run) => Origin::because(Cause::Run(run)),
        Err(_) => Origin { actor: Actor::Person(by.as_str().into()), cause: None },
    }
}

fn of_want(want: &stored::WantCreated) -> Origin {
    match (want.source.as_str(), want.parent) {
        ("", _) => Origin::default(),
        (client, 0) => Origin::because(Cause::Request { id: "".into(), client: client.into() }),
        (_, run) => Origin::because(Cause::Run(RunId(run))),
    }
}
