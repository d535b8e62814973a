//! Who brought a fact about, and on what occasion. Each record has it beside its time, so no event says it once more.

use crate::ids::{RunId, WantId};
use std::fmt;
use std::sync::Arc;

/// Where a fact comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// On what occasion; none for what follows from time, from a start of the server, or from several things at once.
    pub cause: Option<Cause>,
}

/// Who brings facts about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// DataBuild itself.
    #[default]
    System,
    /// A person, by the name that their client gave. Nothing proves it: whoever has the token may give any name.
    Person(Arc<str>),
    /// Whoever holds the token of this name, which the token proves.
    Token(Arc<str>),
}

/// What a fact follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked.
    Request {
        /// Names the request in the server's log; chosen by the client, or else by the server.
        id: Arc<str>,
        /// The program that sent it, such as `cli`.
        client: Arc<str>,
    },
    /// What became of a run.
    Run(RunId),
    /// What is done for a want.
    Want(WantId),
    /// A tick of the schedule of this name.
    Schedule(Arc<str>),
}

impl Actor {
    /// Stable word of the kind, as the API says it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::System => "system",
            Actor::Person(_) => "person",
            Actor::Token(_) => "token",
        }
    }

    /// The name, if this kind has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Actor::System => None,
            Actor::Person(name) | Actor::Token(name) => Some(name),
        }
    }
}

impl Cause {
    /// Stable word of the kind, as the API says it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Cause::Request { .. } => "request",
            Cause::Run(_) => "run",
            Cause::Want(_) => "want",
            Cause::Schedule(_) => "schedule",
        }
    }

    /// Which one.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Cause::Request { id, .. } => id.to_string(),
            Cause::Run(run) => run.to_string(),
            Cause::Want(want) => want.to_string(),
            Cause::Schedule(name) => name.to_string(),
        }
    }

    /// The program that asked, if somebody did.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        match self {
            Cause::Request { client, .. } => Some(client),
            _ => None,
        }
    }
}

impl Origin {
    /// DataBuild itself did it, because of that.
    #[must_use]
    pub fn because(cause: Cause) -> Origin {
        Origin { actor: Actor::System, cause: Some(cause) }
    }

    /// Where a want comes from: the program that asked for it, or `schedule`; empty for what follows from other work.
    #[must_use]
    pub fn source(&self) -> &str {
        match &self.cause {
            Some(Cause::Request { client, .. }) => client,
            Some(Cause::Schedule(_)) => "schedule",
            Some(Cause::Run(_) | Cause::Want(_)) | None => "",
        }
    }
}

/// Whom people mean: a person or the holder of a token, else the run, the schedule or the program that it comes from, else
/// DataBuild.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.actor, &self.cause) {
            (Actor::Person(name) | Actor::Token(name), _) => f.write_str(name),
            (Actor::System, Some(Cause::Run(run))) => write!(f, "{run}"),
            (Actor::System, Some(Cause::Request { client, .. })) => f.write_str(client),
            (Actor::System, Some(Cause::Schedule(name))) => write!(f, "schedule {name}"),
            (Actor::System, _) => f.write_str("databuild"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_people_mean() {
        let person = Actor::Person("ada".into());
        let asked = Cause::Request { id: "x".into(), client: "cli".into() };
        for (actor, cause, whom) in [
            (person.clone(), Some(asked.clone()), "ada"),
            (person, Some(Cause::Run(RunId(12))), "ada"),
            (Actor::Token("dashboard".into()), None, "dashboard"),
            (Actor::System, Some(Cause::Run(RunId(12))), "r12"),
            (Actor::System, Some(asked), "cli"),
            (Actor::System, Some(Cause::Want(WantId(3))), "databuild"),
            (Actor::System, Some(Cause::Schedule("nightly".into())), "schedule nightly"),
            (Actor::System, None, "databuild"),
        ] {
            assert_eq!(Origin { actor, cause }.to_string(), whom);
        }
    }
}
