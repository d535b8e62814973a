//! Asking a server again and again while it may go away.
//!
//! A server keeps what it was asked to do in its log. So a command that waits need not give up when the server is
//! killed: the next one goes on with it. A request that got no answer is sent again under the same idempotency key,
//! so that it is carried out once. A server that was told to stop is not started again behind the back of the
//! person who stopped it.

use super::client::{Client, LogPart, LogPrintout};
use super::connect;
use super::error::CliError;
use super::lost::{is_gone, MOST_LOST};
use super::output;
use super::shared_args::GlobalArgs;
use crate::daemon::{find, Found, NotRunning, Token};
use crate::os::Deadline;
use serde::de::DeserializeOwned;
use serde::Serialize;
use std::time::Duration;

/// Pause between two looks at a server that goes.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a server may take to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the workspace's server, also after another one took over.
pub struct Steady<'c> {
    first: &'c Client,
    later: Option<Client>,
    /// A client of the server after this one.
    another: Another<'c>,
}

type Another<'c> = Box<dyn Fn(&Client) -> Result<Client, CliError> + 'c>;

/// What a command waits for.
#[derive(Debug, Clone, Copy)]
enum WaitsFor<'c> {
    /// The end of this want or trial.
    Work(&'c str),
    /// What this run prints.
    Log(&'c str),
    /// The answer to its request.
    Answer,
}

/// Sends a request that must be carried out once, again if the server is killed before it answers. Returns the answer, and
/// the client of whichever server gave it if that is not the first one.
///
/// # Errors
/// The server was stopped, cannot be started, or answered with an error.
pub fn post_once<B: Serialize, T: DeserializeOwned>(
    global: &GlobalArgs,
    client: &Client,
    path: &str,
    body: &B,
) -> Result<(T, Option<Client>), CliError> {
    let mut server = Steady::of(global, client, WaitsFor::Answer);
    let answer = server.post_once(path, body)?;
    Ok((answer, server.later))
}

impl<'c> Steady<'c> {
    /// One that begins with `client`, to wait for the want or trial `what`.
    pub fn new(global: &'c GlobalArgs, client: &'c Client, what: &'c str) -> Steady<'c> {
        Steady::of(global, client, WaitsFor::Work(what))
    }

    /// One that begins with `client`, to follow the log of a run.
    pub fn of_log(global: &'c GlobalArgs, client: &'c Client, run: &'c str) -> Steady<'c> {
        Steady::of(global, client, WaitsFor::Log(run))
    }

    fn of(global: &'c GlobalArgs, first: &'c Client, waits_for: WaitsFor<'c>) -> Steady<'c> {
        let another = Box::new(move |gone: &Client| another(global, gone, waits_for));
        Steady { first, later: None, another }
    }

    /// The client of now.
    pub fn client(&self) -> &Client {
        self.later.as_ref().unwrap_or(self.first)
    }

    /// `GET`, of another server if this one was killed.
    ///
    /// # Errors
    /// The server was stopped, cannot be started, or answered with an error.
    pub fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, CliError> {
        self.ask(|client| client.get(path))
    }

    /// A part of a log, from another server if this one was killed.
    ///
    /// # Errors
    /// As [`Steady::get`].
    pub fn log(&mut self, path: &str) -> Result<LogPart, CliError> {
        self.ask(|client| client.log(path))
    }

    /// Lines of a log, from another server if this one was killed.
    ///
    /// # Errors
    /// As [`Steady::get`].
    pub fn log_printout(&mut self, path: &str) -> Result<LogPrintout, CliError> {
        self.ask(|client| client.log_printout(path))
    }

    fn post_once<B: Serialize, T: DeserializeOwned>(&mut self, path: &str, body: &B) -> Result<T, CliError> {
        let key = Token::generate().map_err(|error| {
            CliError::new("no_random_numbers", format!("the system gives no random numbers: {error}"))
        })?;
        self.ask(|client| client.post_with_key(path, key.expose(), body))
    }

    fn ask<T>(&mut self, question: impl Fn(&Client) -> Result<T, CliError>) -> Result<T, CliError> {
        let mut lost = 0;
        loop {
            let error = match question(self.client()) {
                Err(error) if is_gone(&error) => error,
                // It is what this command asked for before, without having got the answer.
                Err(error) if error.code() == "idempotency_key_in_flight" => {
                    std::thread::sleep(LOOK_AGAIN);
                    continue;
                }
                answer => return answer,
            };
            lost += 1;
            if lost > MOST_LOST {
                return Err(error);
            }
            self.later = Some((self.another)(self.client())?);
        }
    }
}

/// A client of the server after the one of `client`, which did not answer.
fn another(global: &GlobalArgs, client: &Client, waits_for: WaitsFor<'_>) -> Result<Client, CliError> {
    if client.process().is_none() {
        return back(client);
    }
    let state = connect::state_dir(global)?;
    let what = match waits_for {
        WaitsFor::Work(what) => what.to_owned(),
        WaitsFor::Log(run) => format!("the log of {run}"),
        WaitsFor::Answer => "this command".to_owned(),
    };
    let gone = || output::talk(&format!("the server is gone; {what} goes on with another one"));
    let deadline = Deadline::after(PATIENCE);
    let mut dead = false;
    loop {
        match find(&state, Client::probe)? {
            Found::Running(info) => {
                if Some(info.process()) != client.process() {
                    gone();
                }
                return Ok(Client::new(&info));
            }
            Found::NotAnswering { .. } if !deadline.expired() => std::thread::sleep(LOOK_AGAIN),
            Found::None(NotRunning::Absent) => {
                let (message, hint) = match waits_for {
                    WaitsFor::Work(what) => (
                        format!("the server was stopped; {what} goes on when a server is started"),
                        "any command starts one, such as: databuild status".to_owned(),
                    ),
                    WaitsFor::Log(run) => (
                        format!("the server was stopped, and with it this look at the log of {run}"),
                        format!("follow it again, which starts a server: databuild logs -f {run}"),
                    ),
                    WaitsFor::Answer => (
                        "the server was stopped before it answered".to_owned(),
                        "see what it began by `databuild want list`, `databuild plans` or `databuild trials`, or give the command again".to_owned(),
                    ),
                };
                return Err(CliError::new("server_stopped", message).hint(hint));
            }
            // One that stops takes its file away before it ends, perhaps between the two looks that `find` takes.
            Found::None(_) if !dead => dead = true,
            _ => {
                gone();
                return connect::attach(global);
            }
        }
    }
}

/// The same client, once its server, which somebody else starts, answers again.
fn back(client: &Client) -> Result<Client, CliError> {
    let deadline = Deadline::after(PATIENCE);
    while let Err(reason) = client.is_well() {
        if deadline.expired() {
            let message = format!("the server at {} does not come back: {reason}", client.url());
            return Err(CliError::new("server_unreachable", message));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(client.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::ServerInfo;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::thread::JoinHandle;

    /// A server of one request, which it returns; it answers, or goes as if it was killed.
    fn server(answer: Option<&'static str>) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut request, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line == "\r\n" {
                    break;
                }
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                // These differ from server to server.
                if !line.starts_with("host: ") {
                    request.push_str(&line);
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            request.push_str(std::str::from_utf8(&body).unwrap());
            if let Some(answer) = answer {
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())
                    .unwrap();
            }
            request
        };
        (address, std::thread::spawn(serve))
    }

    fn client(address: SocketAddr) -> Client {
        let info = serde_json::json!({
            "pid": 1, "start_time": 1, "boot_id": "b", "host": "h", "address": address, "token": "t", "version": "0",
            "binary_sha256": "", "protocol": 1, "workspace": "/w", "state_dir": {"dev": 1, "ino": 1},
            "started_at_ms": 0,
        });
        Client::new(&serde_json::from_value::<ServerInfo>(info).unwrap())
    }

    #[test]
    fn a_request_without_an_answer_is_sent_again_under_the_same_key() {
        let (killed, first) = server(None);
        let (alive, second) = server(Some("7"));
        let gone = client(killed);
        let another = move |before: &Client| {
            assert_eq!(before.url(), format!("http://{killed}"));
            Ok(client(alive))
        };
        let mut steady = Steady { first: &gone, later: None, another: Box::new(another) };
        let answer: u32 = steady.post_once("/api/v1/wants", &["d"]).unwrap();
        assert_eq!((answer, steady.client().url()), (7, &*format!("http://{alive}")));
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(first, second);
        assert!(first.contains("idempotency-key: "), "{first}");
        // The next request is another one.
        let (alive, third) = server(Some("8"));
        let mut steady = Steady { first: &client(alive), later: None, another: Box::new(|_| unreachable!()) };
        let _: u32 = steady.post_once("/api/v1/wants", &["d"]).unwrap();
        assert_ne!(third.join().unwrap(), second);
    }

    #[test]
    fn servers_that_go_one_after_the_other_are_not_followed_for_ever() {
        let (killed, _request) = server(None);
        let gone = client(killed);
        // From the second on nobody listens.
        let mut steady = Steady { first: &gone, later: None, another: Box::new(move |_| Ok(client(killed))) };
        let error = steady.post_once::<_, u32>("/api/v1/wants", &["d"]).unwrap_err();
        assert_eq!(error.code(), "server_unreachable");
    }
}
