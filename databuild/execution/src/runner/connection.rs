//! One connection: bytes in, lines out of them; lines in, bytes out. Never
//! blocks.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{recv, send, RecvFlags, SendFlags};
use serde::Serialize;

use super::protocol::{Answer, Call, Fault, MAX_LINE};

/// Bytes taken from one connection per turn of the loop.
const READ_AT_ONCE: usize = 256 << 10;
/// A peer that lets this much pile up is cut off; what it misses is in the
/// answer to its next `hello`.
const MAX_UNSENT: usize = 64 << 20;

/// A peer, with what is on its way in both directions.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    incoming: Vec<u8>,
    /// Start of the bytes of `incoming` not searched for a newline yet.
    searched: usize,
    outgoing: Vec<u8>,
    sent: usize,
    open: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, incoming: Vec::new(), searched: 0, outgoing: Vec::new(), sent: 0, open: true }
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> impl AsFd + '_ {
        &self.stream
    }

    /// Whether the peer is there.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether bytes wait to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.open && self.sent < self.outgoing.len()
    }

    /// Reads what is there and returns the complete lines.
    pub(super) fn receive(&mut self) -> Vec<Vec<u8>> {
        let mut chunk = vec![0u8; 64 << 10];
        let mut taken = 0;
        while self.open && taken < READ_AT_ONCE {
            match recv(&self.stream, &mut chunk[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.open = false,
                Ok((read, _)) => {
                    self.incoming.extend_from_slice(chunk.get(..read).unwrap_or_default());
                    taken += read;
                    if read < chunk.len() {
                        break;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => self.open = false,
            }
        }
        self.take_lines()
    }

    fn take_lines(&mut self) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut start = 0;
        let mut from = self.searched;
        while let Some(offset) =
            self.incoming.get(from..).and_then(|rest| rest.iter().position(|&byte| byte == b'\n'))
        {
            let end = from + offset;
            lines.push(self.incoming.get(start..end).unwrap_or_default().to_vec());
            start = end + 1;
            from = start;
        }
        self.incoming.drain(..start);
        self.searched = self.incoming.len();
        if self.incoming.len() > MAX_LINE {
            self.open = false;
        }
        lines
    }

    /// Queues an answer.
    pub(super) fn answer<R: Serialize>(&mut self, id: serde_json::Value, result: Result<R, Fault>) {
        let (result, error) = match result {
            Ok(result) => (Some(result), None),
            Err(fault) => (None, Some(fault)),
        };
        self.queue(&Answer { jsonrpc: "2.0".to_owned(), id, result, error });
    }

    /// Queues a notification.
    pub(super) fn notify<P: Serialize>(&mut self, method: &str, params: P) {
        self.queue(&Call::notification(method, params));
    }

    fn queue<M: Serialize>(&mut self, message: &M) {
        if !self.open {
            return;
        }
        match serde_json::to_writer(&mut self.outgoing, message) {
            Ok(()) => self.outgoing.push(b'\n'),
            // Half a message would garble all that follows.
            Err(_) => self.open = false,
        }
        if self.outgoing.len() - self.sent > MAX_UNSENT {
            self.open = false;
        }
    }

    /// Sends what the peer takes now.
    pub(super) fn flush(&mut self) {
        while self.has_unsent() {
            let rest = self.outgoing.get(self.sent..).unwrap_or_default();
            match send(&self.stream, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) => self.sent += sent,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.open = false,
            }
        }
        self.outgoing.clear();
        self.sent = 0;
    }

    /// Sends what can be sent now and counts as closed from then on.
    pub(super) fn hang_up(&mut self) {
        self.flush();
        self.open = false;
    }
}

/// Reads one line as a message.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(line: &'a [u8]) -> Result<T, io::Error> {
    serde_json::from_slice(line).map_err(io::Error::from)
}
