//! Tokens for the API.

use crate::decide::messages::input::TokenRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, TokenCreated, TokenRevoked};

/// Gives somebody a token.
pub(crate) fn create(out: &mut Out, request: TokenRequest) -> Result<Reply, Refusal> {
    let TokenRequest { name, hash, scopes, datasets, expires_at } = request;
    if out.state.tokens().get(&name).is_some() {
        return Err(Refusal::TokenNameTaken(name));
    }
    if expires_at.is_some_and(|end| end <= out.now) {
        return Err(Refusal::TokenEnded(name));
    }
    out.event(Event::TokenCreated(TokenCreated { name, hash, scopes, datasets, expires_at }));
    Ok(Reply::Done)
}

/// Makes a token worth nothing. Doing it twice is no error.
pub(crate) fn revoke(out: &mut Out, name: String) -> Result<Reply, Refusal> {
    let token = out.state.tokens().get(&name).ok_or_else(|| Refusal::UnknownToken(name.clone()))?;
    if token.revoked_at.is_none() {
        out.event(Event::TokenRevoked(TokenRevoked { name }));
    }
    Ok(Reply::Done)
}
