//! Servers that know their versions, do not, and hang.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(60);

/// A server that answers each request with what `answer` makes of its first line; with nothing, it hangs.
fn serve(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            match answer(&first) {
                Some(text) => {
                    // A client that has seen enough hangs up.
                    let _ = stream.write_all(text.as_bytes());
                }
                None => held.push(stream),
            }
        }
    });
    format!("http://{address}")
}

fn reply(status: &str, headers: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"))
}

fn look(url: &str) -> Result<Answer, HttpError> {
    HttpClient::default().look(url, LONG)
}

fn version(text: &str) -> Answer {
    Answer::Version(text.to_owned())
}

#[test]
fn an_etag_goes_before_a_time_and_both_before_the_content() {
    let url = serve(|line| match line.split(' ').nth(1).unwrap() {
        "/both" => reply("200 OK", "ETag: \"a1\"\r\nLast-Modified: Tue, 05 Jan 2010 00:00:00 GMT\r\n", ""),
        "/weak" => reply("200 OK", "ETag: W/\"a1\"\r\n", ""),
        "/time" => reply("200 OK", "Last-Modified: Tue, 05 Jan 2010 00:00:00 GMT\r\n", ""),
        _ if line.starts_with("HEAD") => Some("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
        _ => reply("200 OK", "", "abc"),
    });
    assert_eq!(look(&format!("{url}/both")).unwrap(), version("etag:\"a1\""));
    assert_eq!(look(&format!("{url}/weak")).unwrap(), version("etag:W/\"a1\""));
    assert_eq!(look(&format!("{url}/time")).unwrap(), version("modified:Tue, 05 Jan 2010 00:00:00 GMT"));
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(look(&format!("{url}/none")).unwrap(), version(abc));
}

#[test]
fn a_server_that_refuses_head_is_asked_by_get_of_which_only_the_head_is_read() {
    for refusal in ["405 Method Not Allowed", "501 Not Implemented"] {
        let url = serve(move |line| {
            if line.starts_with("HEAD") {
                return Some(format!("HTTP/1.1 {refusal}\r\nConnection: close\r\n\r\n"));
            }
            // The rest of the content never comes.
            Some("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\nETag: \"b\"\r\n\r\nbeginning".to_owned())
        });
        assert_eq!(look(&url).unwrap(), version("etag:\"b\""));
    }
}

#[test]
fn what_is_gone_is_absent_and_other_answers_are_errors() {
    let url = serve(|line| match line.split(' ').nth(1).unwrap() {
        "/moved" => reply("302 Found", "Location: /there\r\n", ""),
        "/there" => reply("200 OK", "ETag: \"t\"\r\n", ""),
        "/round" => reply("302 Found", "Location: /round\r\n", ""),
        "/empty" => reply("200 OK", "ETag: \r\n", ""),
        "/long" => reply("200 OK", &format!("ETag: {}\r\n", "x".repeat(2000)), ""),
        path => reply(&format!("{} Said", path[1..].split('?').next().unwrap()), "", ""),
    });
    for status in [404, 410] {
        assert_eq!(look(&format!("{url}/{status}")).unwrap(), Answer::Absent);
    }
    for status in [400, 401, 403, 429, 500, 503] {
        let error = look(&format!("{url}/{status}?key=secret")).unwrap_err();
        assert!(!error.is_silence());
        let text = error.to_string();
        assert!(text.contains(&format!("{url}/{status} answered with status {status}")), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    assert_eq!(look(&format!("{url}/moved")).unwrap(), version("etag:\"t\""));
    assert!(look(&format!("{url}/round")).unwrap_err().to_string().contains("redirects more than 5 times"));
    assert!(look(&format!("{url}/empty")).unwrap_err().to_string().contains("a header `etag` that is empty"));
    assert!(look(&format!("{url}/long")).unwrap_err().to_string().contains("is longer than 1024 bytes"));
}

#[test]
fn silence_ends_at_the_time_limit() {
    let silent = serve(|_| None);
    let slow = serve(|line| match line.starts_with("HEAD") {
        true => Some("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
        // The content never comes.
        false => Some("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_owned()),
    });
    let client = HttpClient::default();
    let error = client.look(&silent, Duration::from_millis(300)).unwrap_err();
    assert!(error.is_silence() && error.to_string().contains("no answer within 300 ms"), "{error}");
    let error = client.look(&slow, Duration::from_millis(300)).unwrap_err();
    assert!(error.is_silence(), "{error}");
    // A port that nobody listens on.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client.look(&format!("http://{free}/x"), LONG).unwrap_err();
    assert!(error.is_silence() && error.to_string().contains("cannot be asked: "), "{error}");
}

#[test]
fn nonsense_is_an_error() {
    let url = serve(|_| Some("hello\r\n\r\n".to_owned()));
    assert!(look(&url).unwrap_err().to_string().contains("cannot be asked"), "nonsense");
    let url = serve(|_| Some("HTTP/1.1 200 OK\r\nETag: \"\u{7f}\u{ff}\"\r\n\r\n".to_owned()));
    assert!(look(&url).is_err());
}

#[test]
fn content_without_end_is_not_read_to_its_end() {
    let url = serve(|line| match line.starts_with("HEAD") {
        true => Some("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
        false => Some(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
            "x".repeat(MOST_BYTES as usize + 1)
        )),
    });
    let error = look(&url).unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
}

#[test]
fn a_server_that_speaks_no_tls_is_no_server_for_https() {
    let url = serve(|_| reply("200 OK", "", "")).replace("http://", "https://");
    let error = HttpClient::default().look(&url, Duration::from_secs(5)).unwrap_err();
    assert!(error.is_silence(), "{error}");
}
