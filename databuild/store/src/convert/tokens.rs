//! Events of tokens, both ways.

use super::form::{read_some, store_some, value, Stored};
use super::ConvertError;
use databuild_core::event::{TokenCreated, TokenRevoked};
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

impl Stored for TokenCreated {
    type Message = stored::TokenCreated;
    const WHAT: &'static str = "a token";

    fn store(&self) -> stored::TokenCreated {
        let TokenCreated { name, hash, scopes, datasets, expires_at } = self;
        stored::TokenCreated {
            name: name.clone(),
            hash: hash.clone(),
            scopes: scopes.iter().map(|scope| scope.number()).collect(),
            datasets: datasets.clone(),
            expires_at: store_some(expires_at.as_ref()),
            ..Default::default()
        }
    }

    fn of_known(message: stored::TokenCreated) -> Result<TokenCreated, ConvertError> {
        let stored::TokenCreated { name, hash, scopes, datasets, expires_at, special_fields: _ } = message;
        let scopes = scopes.into_iter().map(value).collect::<Result<_, _>>()?;
        Ok(TokenCreated { name, hash, scopes, datasets, expires_at: read_some(expires_at)? })
    }
}

impl Stored for TokenRevoked {
    type Message = stored::TokenRevoked;
    const WHAT: &'static str = "the end of a token";

    fn store(&self) -> stored::TokenRevoked {
        let TokenRevoked { name } = self;
        stored::TokenRevoked { name: name.clone(), ..Default::default() }
    }

    fn of_known(message: stored::TokenRevoked) -> Result<TokenRevoked, ConvertError> {
        let stored::TokenRevoked { name, special_fields: _ } = message;
        Ok(TokenRevoked { name })
    }
}
