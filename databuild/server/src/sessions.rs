//! Browsers that are signed in: links that are good once, and cookies.
//!
//! A cookie says whose it is and until when, and is sealed with a key that follows from the server's token. So nothing is kept
//! of it, it survives a server that comes back with its token, and it ends with the token. Cookies know no ports: a browser
//! sends them to every server on this machine. So each server has a name of its own for its cookie.

use crate::daemon::Token;
use axum::http::{header, HeaderMap};
use base16ct::lower;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long a link is good.
pub(super) const LINK: SignedDuration = SignedDuration::from_secs(60);
/// How long a browser stays signed in.
const SIGNED_IN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Links that are good at once. An older one gives way.
const MOST_LINKS: usize = 100;

/// What signs browsers in.
#[derive(Debug)]
pub struct Sessions {
    token: Token,
    /// Of the cookie.
    name: String,
    /// By the digest of their codes: until when they are good, and for whom.
    links: Mutex<BTreeMap<[u8; 32], (Timestamp, String)>>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) person: String,
    /// What forms of its pages send, so that they count as its own.
    pub(super) csrf: String,
}

impl Sessions {
    /// Those of a server with this token; `place` is what no other server has, such as its state folder.
    #[must_use]
    pub fn new(token: Token, place: &str) -> Sessions {
        let name = format!("databuild-{}", lower::encode_string(&Sha256::digest(place)[..6]));
        Sessions { token, name, links: Mutex::default() }
    }

    /// The code of a link that signs this person in.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub(super) fn link(&self, person: &str, now: Timestamp) -> std::io::Result<String> {
        let code = Token::generate()?.expose().to_owned();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, (until, _)| *until > now);
        while links.len() >= MOST_LINKS {
            let oldest = links.iter().min_by_key(|(_, (until, _))| *until).map(|(digest, _)| *digest);
            oldest.map(|digest| links.remove(&digest));
        }
        links.insert(Sha256::digest(&code).into(), (now + LINK, person.to_owned()));
        Ok(code)
    }

    /// The cookie that a link's code is good for, as a header says it; none if the code is not good any more.
    pub(super) fn redeem(&self, code: &str, now: Timestamp) -> Option<String> {
        let digest: [u8; 32] = Sha256::digest(code).into();
        let (until, person) = self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest)?;
        let value = self.value(&person, (now + SIGNED_IN).as_second());
        let (name, seconds) = (&self.name, SIGNED_IN.as_secs());
        (until > now).then(|| format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}"))
    }

    /// The value of a cookie.
    fn value(&self, person: &str, until: i64) -> String {
        let said = format!("{until}.{}", lower::encode_string(person.as_bytes()));
        format!("{said}.{}", self.seal("session", &said))
    }

    fn seal(&self, what: &str, text: &str) -> String {
        // A key of HMAC may have any length.
        let Ok(mut seal) = Hmac::<Sha256>::new_from_slice(self.token.expose().as_bytes()) else {
            return String::new();
        };
        for part in [what, &self.name, text] {
            seal.update(&(part.len() as u64).to_le_bytes());
            seal.update(part.as_bytes());
        }
        lower::encode_string(&seal.finalize().into_bytes())
    }

    /// The session of a request, by its cookie.
    pub(super) fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let value = cookie(headers, &self.name)?;
        let (said, seal) = value.rsplit_once('.')?;
        let (until, person) = said.split_once('.')?;
        let is_ours = Token::is_same(seal, &self.seal("session", said));
        if !is_ours || until.parse::<i64>().ok()? <= now.as_second() {
            return None;
        }
        let person = String::from_utf8(lower::decode_vec(person).ok()?).ok()?;
        Some(Session { person, csrf: self.seal("form", value)[..32].to_owned() })
    }

    /// The name of another cookie of this server's pages.
    pub(super) fn cookie_name(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own == name).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn headers(cookies: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookies).unwrap())])
    }

    /// What a browser sends of a `Set-Cookie`.
    fn sent(cookie: &str) -> HeaderMap {
        headers(cookie.split(';').next().unwrap())
    }

    #[test]
    fn a_link_is_good_once_for_a_minute() {
        let sessions = Sessions::new(Token::generate().unwrap(), "/w/.databuild");
        let code = sessions.link("\u{c5}da", at(0)).unwrap();
        assert_eq!(sessions.redeem("0".repeat(64).as_str(), at(1)), None);
        let cookie = sessions.redeem(&code, at(59)).unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"), "{cookie}");
        assert_eq!(sessions.redeem(&code, at(59)), None, "once");
        assert_eq!(sessions.of(&sent(&cookie), at(60)).unwrap().person, "\u{c5}da");
        let late = sessions.link("ada", at(0)).unwrap();
        assert_eq!(sessions.redeem(&late, at(60)), None);
    }

    #[test]
    fn links_that_nobody_takes_do_not_pile_up() {
        let sessions = Sessions::new(Token::generate().unwrap(), "w");
        let codes: Vec<_> = (0..2 * MOST_LINKS as i64)
            .map(|n| sessions.link("ada", at(0) + SignedDuration::from_millis(n)).unwrap())
            .collect();
        assert_eq!(sessions.links.lock().unwrap().len(), MOST_LINKS);
        assert_eq!(sessions.redeem(&codes[0], at(1)), None);
        assert!(sessions.redeem(codes.last().unwrap(), at(1)).is_some());
    }

    #[test]
    fn a_cookie_ends_in_time_and_with_the_token_and_is_nobody_elses() {
        let token = Token::generate().unwrap();
        let sessions = Sessions::new(token.clone(), "/w");
        let cookie = sessions.redeem(&sessions.link("ada", at(0)).unwrap(), at(0)).unwrap();
        let month = 30 * 24 * 3600;
        let own = sent(&cookie);
        assert!(sessions.of(&own, at(month - 1)).is_some());
        assert_eq!(sessions.of(&own, at(month)), None);
        assert!(Sessions::new(token.clone(), "/w").of(&own, at(1)).is_some(), "it survives the server");
        assert_eq!(Sessions::new(Token::generate().unwrap(), "/w").of(&own, at(1)), None);
        let other = Sessions::new(token, "/other");
        assert_eq!(other.of(&own, at(1)), None);
        // Under the other's name it is still sealed for its own.
        let renamed = cookie.split(';').next().unwrap().replace(&sessions.name, &other.name);
        assert_eq!(other.of(&headers(&renamed), at(1)), None);
    }

    #[test]
    fn whatever_is_changed_in_a_cookie_it_is_worth_nothing() {
        let sessions = Sessions::new(Token::generate().unwrap(), "w");
        let cookie = sessions.redeem(&sessions.link("ada", at(0)).unwrap(), at(0)).unwrap();
        let pair = cookie.split(';').next().unwrap();
        for at_byte in sessions.name.len() + 1..pair.len() {
            let mut bytes = pair.as_bytes().to_vec();
            bytes[at_byte] = if bytes[at_byte] == b'1' { b'2' } else { b'1' };
            assert_eq!(sessions.of(&headers(&String::from_utf8(bytes).unwrap()), at(1)), None, "{at_byte}");
        }
        for broken in ["x=1", "", ";;", &format!("{}=", sessions.name), &format!("{}=...", sessions.name)] {
            assert_eq!(sessions.of(&headers(broken), at(1)), None, "{broken}");
        }
        assert!(sessions.of(&headers(&format!("a=b; {pair}; c=d")), at(1)).is_some());
    }
}
