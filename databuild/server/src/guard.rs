//! Who may talk to a server that can start processes: loopback is no protection against a web page.

use super::sessions::Sessions;
use crate::daemon::Token;
use axum::http::{header, HeaderMap, HeaderName, Uri};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// What requests are held against.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Browsers that are signed in.
    pub sessions: Arc<Sessions>,
    /// The bearer token of `server.json`.
    pub token: Token,
    /// Where the server listens.
    pub address: SocketAddr,
    /// What other machines call it.
    pub hosts: Vec<String>,
    /// Origins of web apps in development that may call the API, e.g. `http://localhost:3000`.
    pub allowed_origins: Vec<String>,
}

/// Whether somebody on this connection has shown the token.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Arc<AtomicBool>);

impl Trusted {
    /// It was shown.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Marks a request on a connection that only the server's own user can open: it needs no token.
#[derive(Debug, Clone, Copy)]
pub struct Private;

/// Marks a request on a connection that is encrypted.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted;

/// Whether a path answers without a token: it says nothing but that the server lives, or what every server of this version
/// says; or it is where a browser signs in.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, "/health" | "/healthz" | "/api/health" | "/ready" | "/sign-in")
        || path.starts_with("/assets/")
}

/// Whether people are to read the answer: a browser asks, and for a page.
pub(super) fn is_for_people(path: &str, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accepts.contains("text/html") && path != "/api" && !path.starts_with("/api/")
}

impl Guard {
    /// A DNS name that was rebound to loopback arrives with its own name as host. A request names it in one Host header,
    /// and once more if it has an absolute URI.
    pub(super) fn host_is_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let is_ours = |host: &str| {
            if self.is_named_beyond(host) {
                return true;
            }
            self.is_own(host) || self.without_port(host).is_some_and(|name| self.is_own(name))
        };
        host.to_str().is_ok_and(is_ours)
            && uri.authority().is_none_or(|authority| is_ours(authority.as_str()))
            && uri.scheme_str().is_none_or(|scheme| scheme == "http" || !self.hosts.is_empty())
    }

    /// Whether a host, perhaps with a port, is what other machines call the server.
    pub(super) fn is_named_beyond(&self, host: &str) -> bool {
        let (name, _) = host.rsplit_once(':').unwrap_or((host, ""));
        self.hosts.iter().any(|known| name.eq_ignore_ascii_case(known))
    }

    pub(super) fn origin_is_ours(&self, origin: &str) -> bool {
        let host =
            origin.strip_prefix("https://").map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        let named = origin.strip_prefix("http://").and_then(|host| self.without_port(host));
        named.is_some_and(|name| self.is_own(name))
            || host.is_some_and(|host| self.hosts.iter().any(|known| host == known))
    }

    /// Whether a page may change something by the cookie of its browser, which also sends it for pages of other servers on this machine:
    /// it is one of ours, or of an origin that is allowed. A browser says whose page asks by `Origin`, which no page can change, and
    /// most also by `Sec-Fetch-Site`.
    pub(super) fn page_may_act(&self, headers: &HeaderMap) -> bool {
        let said = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let site = said(HeaderName::from_static("sec-fetch-site"));
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (Some(_), None) = (origins.next(), origins.next()) else { return false };
        said(header::ORIGIN).is_some_and(|origin| self.origin_may_call(origin))
            && site.is_none_or(|site| matches!(site, "same-origin" | "same-site"))
    }

    /// Whether pages of an origin may call the server.
    pub(super) fn origin_may_call(&self, origin: &str) -> bool {
        self.origin_is_ours(origin) || self.allowed_origins.iter().any(|allowed| allowed == origin)
    }

    /// Whether the server is called so on its machine.
    fn is_own(&self, name: &str) -> bool {
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
            || match self.address.ip() {
                IpAddr::V4(ip) => name.parse() == Ok(ip),
                IpAddr::V6(ip) => {
                    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
                    inner.is_some_and(|inner| inner.parse() == Ok(ip))
                }
            }
    }

    /// What stands before the port of this server; none if another port follows, or none.
    fn without_port<'h>(&self, host: &'h str) -> Option<&'h str> {
        let (name, port) = host.rsplit_once(':')?;
        let canonical = port.bytes().all(|digit| digit.is_ascii_digit()) && !port.starts_with('0');
        (canonical && port.parse() == Ok(self.address.port())).then_some(name)
    }

    pub(super) fn token_fits(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .is_some_and(|token| self.token.matches(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn every_name_that_a_request_gives_the_server_must_be_its_own() {
        let token = Token::generate().unwrap();
        let address = "127.0.0.2:80".parse().unwrap();
        let hosts = Vec::new();
        let sessions = Arc::new(Sessions::new(token.clone(), "w"));
        let guard = Guard { sessions, token, address, hosts, allowed_origins: Vec::new() };
        let cases: [(&str, &[&str], bool); 14] = [
            ("/x", &["127.0.0.2:80"], true),
            ("/x", &["127.0.0.3:80"], false),
            ("/x", &["127.0.0.1:80"], true),
            ("/x", &["localhost"], true),
            ("/x", &["[::1]:80"], true),
            ("/x", &["localhost:81"], false),
            ("/x", &["evil.example"], false),
            ("/x", &[], false),
            ("/x", &["localhost", "localhost"], false),
            ("/x", &["localhost", "evil.example"], false),
            ("http://127.0.0.1:80/x", &["127.0.0.1:80"], true),
            ("http://evil.example/x", &["127.0.0.1:80"], false),
            ("http://me@127.0.0.1:80/x", &["127.0.0.1:80"], false),
            ("https://127.0.0.1:80/x", &["127.0.0.1:80"], false),
        ];
        for (uri, hosts, ours) in cases {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(guard.host_is_ours(&uri.parse().unwrap(), &headers), ours, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn others_call_the_server_by_its_names_alone() {
        let token = Token::generate().unwrap();
        let guard = Guard {
            sessions: Arc::new(Sessions::new(token.clone(), "w")),
            token,
            address: "127.0.0.1:80".parse().unwrap(),
            hosts: vec!["data.example".to_owned()],
            allowed_origins: Vec::new(),
        };
        let is_ours = |host: &'static str| {
            let headers = [(header::HOST, HeaderValue::from_static(host))].into_iter().collect();
            guard.host_is_ours(&Uri::from_static("/x"), &headers)
        };
        assert!(is_ours("data.example") && is_ours("DATA.example:8443") && is_ours("localhost:80"));
        assert!(!is_ours("evil.example") && !is_ours("data.example.evil") && !is_ours("x.data.example"));
        assert!(
            guard.origin_is_ours("https://data.example") && guard.origin_is_ours("https://data.example:8443")
        );
        assert!(
            !guard.origin_is_ours("http://data.example") && !guard.origin_is_ours("https://evil.example")
        );
    }
}
