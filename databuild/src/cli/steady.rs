//! Asking a server again and again while it may go away.
//!
//! What a server was asked to do stands in its log. So whoever waits for it need not give up when the server is killed: the
//! next one goes on with it. A server that was told to stop is not started again behind the back of who did that.

use super::args::Cli;
use super::client::Client;
use super::connect;
use super::error::{CliError, Kind};
use super::output;
use crate::daemon::{find, Deadline, Found, NotRunning};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Servers that may go in a row, none of them having answered.
const MOST_LOST: u32 = 3;
/// Pause between two looks at a server that goes.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a server may take to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of whichever server the workspace has.
pub struct Steady<'c> {
    cli: &'c Cli,
    first: &'c Client,
    later: Option<Client>,
    /// The want or trial that is waited for.
    what: &'c str,
}

impl<'c> Steady<'c> {
    /// One that begins with `client`, to wait for the want or trial `what`.
    pub fn new(cli: &'c Cli, client: &'c Client, what: &'c str) -> Steady<'c> {
        Steady { cli, first: client, later: None, what }
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
        let mut lost = 0;
        loop {
            let error = match self.client().get(path) {
                Err(error) if is_gone(&error) => error,
                answer => return answer,
            };
            lost += 1;
            if lost > MOST_LOST {
                return Err(error);
            }
            self.later = Some(self.another()?);
        }
    }

    fn another(&self) -> Result<Client, CliError> {
        let state = connect::state_dir(self.cli)?;
        let gone = || output::talk(&format!("the server is gone; {} goes on with another one", self.what));
        let deadline = Deadline::after(PATIENCE);
        let mut dead = false;
        loop {
            match find(&state, Client::probe)? {
                Found::Running(info) => {
                    if info.address != self.client().address() {
                        gone();
                    }
                    return Client::new(&info);
                }
                Found::NotAnswering { .. } if !deadline.expired() => std::thread::sleep(LOOK_AGAIN),
                Found::None(NotRunning::Absent) => {
                    let message =
                        format!("the server was stopped; {} goes on when one is started", self.what);
                    return Err(CliError::new(Kind::Unreachable, "server_stopped", message)
                        .hint("any command starts one, such as: databuild status"));
                }
                // One that stops takes its file away before it ends, perhaps between the two looks that `find` takes.
                Found::None(_) if !dead => dead = true,
                _ => {
                    gone();
                    return connect::attach(self.cli);
                }
            }
        }
    }
}

fn is_gone(error: &CliError) -> bool {
    matches!(error.code(), "server_unreachable" | "shutting_down")
}
