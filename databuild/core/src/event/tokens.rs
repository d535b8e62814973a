//! What is said of tokens: who may ask the server for what.

use super::fact::Fact;
use super::origin::Origin;
use crate::word::Word as _;
use crate::words;
use jiff::Timestamp;

words! {
    /// What a token lets its holder do.
    #[derive(PartialOrd, Ord)]
    pub enum Scope: "scope" {
        /// Look at everything.
        Read = 1 => "read",
        /// Ask for partitions: wants, plans, trials. Includes `read`.
        Want = 2 => "want",
        /// Steer what is under way: cancel, pause, pools, keys, cleaning up. Includes `want`.
        Operate = 3 => "operate",
        /// Judge data and code: accept, taint, adopt. Includes `read`.
        Approve = 4 => "approve",
        /// Everything, also graphs, tokens and stopping the server.
        Admin = 5 => "admin",
    }
}

impl Scope {
    /// Whether who has this may do what needs `needed`.
    #[must_use]
    pub fn includes(self, needed: Scope) -> bool {
        match self {
            Scope::Admin => true,
            Scope::Approve => matches!(needed, Scope::Read | Scope::Approve),
            Scope::Read | Scope::Want | Scope::Operate => needed <= self,
        }
    }
}

/// See [`super::Event::TokenCreated`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenCreated {
    /// Its name, under which what its holder does is recorded. No other token ever has it.
    pub name: String,
    /// SHA-256 of the token, in hexadecimal. Nobody but its holder has the token itself.
    pub hash: String,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// Patterns of the datasets that its holder may ask about; all, if none.
    pub datasets: Vec<String>,
    /// It is worth nothing from then on.
    pub expires_at: Option<Timestamp>,
}

/// See [`super::Event::TokenRevoked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRevoked {
    /// Its name.
    pub name: String,
}

impl Fact for TokenCreated {
    fn text(&self, who: &Origin) -> String {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.word()).collect();
        let of = match self.datasets.as_slice() {
            [] => String::new(),
            datasets => format!(" of {}", datasets.join(", ")),
        };
        let until = self.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{who} created the token {} for {}{of}{until}", self.name, scopes.join(", "))
    }

    fn example() -> TokenCreated {
        TokenCreated {
            name: "dashboard".into(),
            hash: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8".into(),
            scopes: vec![Scope::Read, Scope::Approve],
            datasets: vec!["sales/*".into()],
            expires_at: Timestamp::from_second(1_900_000_000).ok(),
        }
    }
}

impl Fact for TokenRevoked {
    fn text(&self, who: &Origin) -> String {
        format!("{who} revoked the token {}", self.name)
    }

    fn example() -> TokenRevoked {
        TokenRevoked { name: "dashboard".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_include_what_is_below_them() {
        use Scope::{Admin, Approve, Operate, Read, Want};
        let included = |scope: Scope| {
            [Read, Want, Operate, Approve, Admin]
                .into_iter()
                .filter(|needed| scope.includes(*needed))
                .collect::<Vec<_>>()
        };
        assert_eq!(included(Read), [Read]);
        assert_eq!(included(Want), [Read, Want]);
        assert_eq!(included(Operate), [Read, Want, Operate]);
        assert_eq!(included(Approve), [Read, Approve]);
        assert_eq!(included(Admin), [Read, Want, Operate, Approve, Admin]);
    }
}
