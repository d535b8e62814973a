//! Browsers that are signed in: links that are good once, and cookies.
//!
//! A cookie says whose it is, until when, and whose token made its link, and is sealed with a key that follows from the server's
//! token. So nothing is kept of it, it survives a server that comes back with its token, and it ends with the token. Who was given a
//! link by another token may do what that may, as long as it is good (`asker`). Cookies know no ports: a browser sends them to every
//! server on this machine. So each server has a name of its own for its cookie.

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
/// Links of one token, or of the owner, that are good at once. An older one of theirs gives way.
const MOST_LINKS: usize = 100;

/// What signs browsers in.
#[derive(Debug)]
pub struct Sessions {
    token: Token,
    /// Of the cookie.
    name: String,
    /// By the digest of their codes: until when they are good, and for whom.
    links: Mutex<BTreeMap<[u8; 32], (Timestamp, Link)>>,
}

/// Who gets in by a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Whose it is.
    pub(super) person: String,
    /// The name of the token that asked for it; none if the owner did. A name is given once.
    pub(super) token: Option<String>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Whose it is.
    pub(super) person: String,
    /// The name of the token by which it may do what it may; none if that is the owner's.
    pub(super) token: Option<String>,
    /// What forms of its pages send, so that they count as its own.
    pub(super) csrf: String,
}

/// Why a browser is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedOut {
    /// It has no cookie.
    Never,
    /// Its time is over.
    Over,
    /// It is sealed with another token, or what it says was changed.
    OtherSeal,
    /// The token that made its link is worth nothing any more.
    TokenEnded,
}

impl SignedOut {
    /// For people.
    pub(super) fn message(self) -> &'static str {
        match self {
            SignedOut::Never => "Only who can read this workspace can see its pages.",
            SignedOut::Over => "You were signed out, since you signed in more than 30 days ago.",
            SignedOut::OtherSeal => "You were signed out, since the server has another token now.",
            SignedOut::TokenEnded => {
                "You were signed out, since the token that you signed in with was revoked or has expired."
            }
        }
    }
}

impl Sessions {
    /// Those of a server with this token; `place` is what no other server has, such as its state folder.
    #[must_use]
    pub fn new(token: Token, place: &str) -> Sessions {
        let name = format!("databuild-{}", lower::encode_string(&Sha256::digest(place)[..6]));
        Sessions { token, name, links: Mutex::default() }
    }

    /// The code of a link.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub(super) fn link(&self, link: Link, now: Timestamp) -> std::io::Result<String> {
        let code = Token::generate()?.expose().to_owned();
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, (until, _)| *until > now);
        let own = || links.iter().filter(|(_, (_, other))| other.token == link.token);
        if own().count() >= MOST_LINKS {
            let oldest = own().min_by_key(|(_, (until, _))| *until).map(|(digest, _)| *digest);
            oldest.map(|digest| links.remove(&digest));
        }
        links.insert(Sha256::digest(&code).into(), (now + LINK, link));
        Ok(code)
    }

    /// The cookie that a link's code is good for, as a header says it; none if the code is not good any more. A browser that got
    /// it over an encrypted connection sends it over no other.
    pub(super) fn redeem(&self, code: &str, now: Timestamp, secure: bool) -> Option<String> {
        let digest: [u8; 32] = Sha256::digest(code).into();
        let (until, link) = self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest)?;
        let value = self.value(&link, (now + SIGNED_IN).as_second());
        (until > now).then(|| set_cookie(&self.name, &value, SIGNED_IN, secure))
    }

    /// The value of a cookie.
    fn value(&self, link: &Link, until: i64) -> String {
        let text = |text: &str| lower::encode_string(text.as_bytes());
        let said =
            format!("{until}.{}.{}", text(&link.person), text(link.token.as_deref().unwrap_or_default()));
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
    ///
    /// # Errors
    /// There is none, and why.
    pub(super) fn of(&self, headers: &HeaderMap, now: Timestamp) -> Result<Session, SignedOut> {
        let value = cookie(headers, &self.name).ok_or(SignedOut::Never)?;
        let (said, seal) = value.rsplit_once('.').ok_or(SignedOut::OtherSeal)?;
        if !Token::is_same(seal, &self.seal("session", said)) {
            return Err(SignedOut::OtherSeal);
        }
        // What is sealed was said here, perhaps by another version.
        let (until, link) = read(said).ok_or(SignedOut::OtherSeal)?;
        if until <= now.as_second() {
            return Err(SignedOut::Over);
        }
        let Link { person, token } = link;
        Ok(Session { person, token, csrf: self.seal("form", value)[..32].to_owned() })
    }

    /// The name of another cookie of this server's pages.
    pub(super) fn cookie_name(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }
}

/// What a cookie says.
fn read(said: &str) -> Option<(i64, Link)> {
    let text = |text: &str| String::from_utf8(lower::decode_vec(text).ok()?).ok();
    let mut parts = said.split('.');
    let (until, person, token) = (parts.next()?, parts.next()?, parts.next()?);
    let link = Link { person: text(person)?, token: Some(text(token)?).filter(|token| !token.is_empty()) };
    let until = until.parse().ok()?;
    parts.next().is_none().then_some((until, link))
}

/// A header that gives a browser a cookie which no page and no other site can use.
pub(super) fn set_cookie(name: &str, value: &str, lasts: SignedDuration, secure: bool) -> String {
    let (seconds, secure) = (lasts.as_secs(), if secure { "; Secure" } else { "" });
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
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

    fn ada() -> Link {
        Link { person: "ada".to_owned(), token: None }
    }

    #[test]
    fn a_link_is_good_once_for_a_minute() {
        let sessions = Sessions::new(Token::generate().unwrap(), "/w/.databuild");
        let code = sessions.link(Link { person: "\u{c5}da".to_owned(), ..ada() }, at(0)).unwrap();
        assert_eq!(sessions.redeem("0".repeat(64).as_str(), at(1), false), None);
        let cookie = sessions.redeem(&code, at(59), false).unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"), "{cookie}");
        assert_eq!(sessions.redeem(&code, at(59), false), None, "once");
        let session = sessions.of(&sent(&cookie), at(60)).unwrap();
        assert_eq!((session.person.as_str(), session.token), ("\u{c5}da", None));
        let late = sessions.link(ada(), at(0)).unwrap();
        assert_eq!(sessions.redeem(&late, at(60), false), None);
        let by_token = Link { token: Some("ci.bot@x".to_owned()), ..ada() };
        let cookie = sessions.redeem(&sessions.link(by_token, at(0)).unwrap(), at(1), true).unwrap();
        assert!(cookie.ends_with("; Max-Age=2592000; Secure"), "{cookie}");
        assert_eq!(sessions.of(&sent(&cookie), at(60)).unwrap().token.as_deref(), Some("ci.bot@x"));
    }

    #[test]
    fn links_that_nobody_takes_do_not_pile_up() {
        let sessions = Sessions::new(Token::generate().unwrap(), "w");
        let codes: Vec<_> = (0..2 * MOST_LINKS as i64)
            .map(|n| sessions.link(ada(), at(0) + SignedDuration::from_millis(n)).unwrap())
            .collect();
        assert_eq!(sessions.links.lock().unwrap().len(), MOST_LINKS);
        assert_eq!(sessions.redeem(&codes[0], at(1), false), None);
        assert!(sessions.redeem(codes.last().unwrap(), at(1), false).is_some());
    }

    #[test]
    fn links_of_one_token_push_out_no_others() {
        let sessions = Sessions::new(Token::generate().unwrap(), "w");
        let of = |token: Option<&str>| Link { token: token.map(str::to_owned), ..ada() };
        let kept = [None, Some("other")].map(|token| sessions.link(of(token), at(0)).unwrap());
        for _ in 0..2 * MOST_LINKS {
            sessions.link(of(Some("bot")), at(1)).unwrap();
        }
        assert_eq!(sessions.links.lock().unwrap().len(), MOST_LINKS + kept.len());
        for code in kept {
            assert!(sessions.redeem(&code, at(2), false).is_some());
        }
    }

    #[test]
    fn a_cookie_ends_in_time_and_with_the_token_and_is_nobody_elses() {
        let token = Token::generate().unwrap();
        let sessions = Sessions::new(token.clone(), "/w");
        let cookie = sessions.redeem(&sessions.link(ada(), at(0)).unwrap(), at(0), false).unwrap();
        let month = 30 * 24 * 3600;
        let own = sent(&cookie);
        assert!(sessions.of(&own, at(month - 1)).is_ok());
        assert_eq!(sessions.of(&own, at(month)), Err(SignedOut::Over));
        assert!(Sessions::new(token.clone(), "/w").of(&own, at(1)).is_ok(), "it survives the server");
        let anew = Sessions::new(Token::generate().unwrap(), "/w");
        assert_eq!(anew.of(&own, at(1)), Err(SignedOut::OtherSeal));
        let other = Sessions::new(token, "/other");
        assert_eq!(other.of(&own, at(1)), Err(SignedOut::Never));
        // Under the other's name it is still sealed for its own.
        let renamed = cookie.split(';').next().unwrap().replace(&sessions.name, &other.name);
        assert_eq!(other.of(&headers(&renamed), at(1)), Err(SignedOut::OtherSeal));
    }

    #[test]
    fn whatever_is_changed_in_a_cookie_it_is_worth_nothing() {
        let sessions = Sessions::new(Token::generate().unwrap(), "w");
        let cookie = sessions.redeem(&sessions.link(ada(), at(0)).unwrap(), at(0), false).unwrap();
        let pair = cookie.split(';').next().unwrap();
        for at_byte in sessions.name.len() + 1..pair.len() {
            let mut bytes = pair.as_bytes().to_vec();
            bytes[at_byte] = if bytes[at_byte] == b'1' { b'2' } else { b'1' };
            let changed = headers(&String::from_utf8(bytes).unwrap());
            assert_eq!(sessions.of(&changed, at(1)), Err(SignedOut::OtherSeal), "{at_byte}");
        }
        for broken in ["x=1", "", ";;", &format!("{}=", sessions.name), &format!("{}=...", sessions.name)] {
            assert!(sessions.of(&headers(broken), at(1)).is_err(), "{broken}");
        }
        assert!(sessions.of(&headers(&format!("a=b; {pair}; c=d")), at(1)).is_ok());
    }
}
