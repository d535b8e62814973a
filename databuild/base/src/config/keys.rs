//! The list of settings.

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An address of this machine.
    Host,
    /// An address with a port.
    Address,
    /// The number of a port.
    Port,
    /// A length of time; `never` is allowed.
    Time,
    /// A number of at least 1.
    Count,
    /// Texts, none of which has a comma.
    List,
    /// A text.
    Text,
    /// A file or a folder.
    Path,
}

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// What files call it. The variable is `DATABUILD_` with this in capitals.
    pub name: &'static str,
    /// How it is written.
    pub(super) form: Form,
    /// What holds if nobody says anything, as `config` shows it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl Key {
    /// The variable of the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("DATABUILD_{}", self.name.to_uppercase())
    }

    /// The setting of this name.
    pub(super) fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, form: Form, default: &'static str, meaning: &'static str) -> Key {
    Key { name, form, default, meaning }
}

/// All settings, in the order of their names.
pub const KEYS: &[Key] = &[
    key("allowed_hosts", Form::List, "", "names by which the server is called at `bind`"),
    key("allowed_origins", Form::List, "http://localhost:3000", "origins whose pages may call the API"),
    key(
        "bind",
        Form::Address,
        "",
        "address and port to listen on besides, for other machines, such as 0.0.0.0:8443",
    ),
    key(
        "deploy",
        Form::Text,
        "automatic",
        "explicit: only `deploy` changes the graph; automatic: build, plan and invoke do, too",
    ),
    key("host", Form::Host, "127.0.0.1", "address to listen on"),
    key("idle_timeout", Form::Time, "3h", "end after so long without use; never, or 0, stays"),
    key("keep_events", Form::Time, "", "archive events older than this; without it the graph's rule holds"),
    key("keep_logs", Form::Time, "30d", "`gc` keeps logs of attempts younger than this"),
    key("log", Form::Text, "info", "what the server logs, such as info or databuild_server=debug,info"),
    key("otlp_endpoint", Form::Text, "", "where traces are sent, by OTLP over HTTP"),
    key("places", Form::Count, "", "attempts that may run at once; without it as many as there are cores"),
    key("port", Form::Port, "0", "port to listen on; 0 takes the last one again, or a free one"),
    key("proxy", Form::Host, "", "address of the proxy from which alone `bind` takes connections"),
    key("state_dir", Form::Path, ".databuild", "folder of the server's state"),
    key("tls_certificate", Form::Path, "", "file with the certificates for `bind`, in PEM"),
    key("tls_key", Form::Path, "", "file with their private key, in PEM"),
];
