//! Sends traces to whoever collects them: OTLP over HTTP, in JSON.
//!
//! Invariants:
//! - Nobody waits for it. It reads what was committed, on a thread of the runtime's pool.
//! - An endpoint that is down costs a request now and then: what it would have been told is dropped, and it is asked ever more
//!   rarely. No more is kept for it than one part of the log.

use crate::app::traces::{document, spans};
use crate::store::Reader;
use databuild_core::ids::Seq;
use std::time::Duration;
use tokio::sync::watch;
use ureq::Agent;

/// What is over within this time is sent together.
const TOGETHER: Duration = Duration::from_secs(1);
/// An endpoint that is down is asked again so much later, at most.
const RARELY: Duration = Duration::from_secs(60);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where below an endpoint traces go.
const PATH: &str = "/v1/traces";

/// Sends the traces of a workspace.
pub(super) struct Sender {
    agent: Agent,
    url: String,
    workspace: String,
    reader: Reader,
    /// What happened up to here was sent, or dropped.
    after: Seq,
}

impl Sender {
    /// Sends what happens after an event to an endpoint such as `http://localhost:4318`.
    pub(super) fn new(endpoint: &str, workspace: String, reader: Reader, after: Seq) -> Sender {
        let base = endpoint.trim_end_matches('/');
        let url = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0);
        Sender { agent: config.build().into(), url, workspace, reader, after }
    }

    /// Sends what was committed up to an event; false if that is in vain.
    fn send(&mut self, until: Seq) -> bool {
        while self.after < until {
            let found = match spans(&self.reader, self.after, until) {
                Ok((_, last)) if last == self.after => return true,
                Ok((spans, last)) => {
                    self.after = last;
                    if spans.is_empty() {
                        continue;
                    }
                    let body = document(&self.workspace, &spans).to_string();
                    let request = self.agent.post(&self.url).header("content-type", "application/json");
                    request.send(body).map(drop).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = found {
                tracing::warn!(url = self.url, error, "traces are dropped: they cannot be sent");
                self.after = until;
                return false;
            }
        }
        true
    }

    /// Sends what is committed until the server stops, and then what is left if the endpoint is there.
    pub(super) async fn run(mut self, mut seq: watch::Receiver<u64>, mut stop: watch::Receiver<bool>) {
        let mut pause = TOGETHER;
        loop {
            let goes = tokio::select! {
                changed = seq.changed() => changed.is_err(),
                stops = stops_within(Duration::MAX, &mut stop) => stops,
            };
            let last = goes || stops_within(pause, &mut stop).await;
            if last && pause > TOGETHER {
                return;
            }
            let until = Seq(*seq.borrow_and_update());
            let sending = tokio::task::spawn_blocking(move || {
                let sent = self.send(until);
                (self, sent)
            });
            let Ok((sender, sent)) = sending.await else { return };
            self = sender;
            pause = if sent { TOGETHER } else { (2 * pause).min(RARELY) };
            if last {
                return;
            }
        }
    }
}

/// Whether the server stops within a time.
async fn stops_within(time: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    // Whoever would say so may be gone: then it does.
    tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, EventLog as _, SqliteLog};
    use databuild_core::event::{Event, Origin, Record};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;

    /// A log of a want that is over.
    fn log(folder: &Path) -> Reader {
        let at = "2026-01-02T00:00:00Z".parse().unwrap();
        let events = Event::examples().into_iter();
        let events = events.filter(|event| matches!(event, Event::WantCreated(_) | Event::WantEnded(_)));
        let records = events.map(|event| Record { at, origin: Origin::default(), event }).collect();
        let database = folder.join("log.db");
        SqliteLog::open(&database).unwrap().append(&Batch { records, ..Batch::default() }).unwrap();
        Reader::new(&database, 1)
    }

    fn sender(endpoint: &str, reader: Reader) -> Sender {
        Sender::new(endpoint, "here".to_owned(), reader, Seq(0))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_is_over_is_sent_before_the_server_is() {
        let folder = tempfile::tempdir().unwrap();
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = collector.local_addr().unwrap();
        let told = std::thread::spawn(move || {
            let mut client = collector.accept().unwrap().0;
            let (mut text, mut bytes) = (String::new(), [0; 4096]);
            while !text.ends_with("]}]}]}") {
                let read = client.read(&mut bytes).unwrap();
                text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            text
        });
        let sender = sender(&format!("http://{address}/"), log(folder.path()));
        let (_seq, committed) = watch::channel(2);
        let (_stop, stopped) = watch::channel(true);
        sender.run(committed, stopped).await;
        let told = told.join().unwrap();
        assert!(told.starts_with("POST /v1/traces HTTP/1.1"), "{told}");
        assert!(told.contains("\"traceId\":\"") && told.contains("w3"), "{told}");
    }

    #[test]
    fn an_endpoint_that_is_down_is_told_nothing_later() {
        let folder = tempfile::tempdir().unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut sender = sender(&format!("http://{nobody}"), log(folder.path()));
        assert!(!sender.send(Seq(2)));
        assert_eq!(sender.after, Seq(2));
        assert!(sender.send(Seq(2)), "there is nothing to send");
    }
}
