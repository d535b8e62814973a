//! Settings as the layers together make them.

use super::error::ConfigError;
use super::file;
use super::given::{Given, Source};
use super::keys::{Form, Key, KEYS};
use crate::daemon::{SETTINGS_FILE_NAME, STATE_DIR_NAME};
use databuild_core::amounts::seconds_of;
use databuild_core::text::shown;
use databuild_core::word::Word as _;
use databuild_core::words;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that names a file to be read in the place of the workspace's.
const FILE_VARIABLE: &str = "DATABUILD_CONFIG";

words! {
    /// What changes the graph that new work follows.
    pub enum Deploying: "way of deploying" {
        /// `deploy` does, and `build`, `plan` and `invoke` do as long as the graph starts no work by itself.
        Automatic => "automatic",
        /// Only `deploy` does.
        Explicit => "explicit",
    }
}

/// Values of arguments.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    given: Vec<(&'static str, &'static str, Vec<String>)>,
}

impl Flags {
    /// Adds the values of `flag`, which sets `name`; none if the flag was not given.
    #[must_use]
    pub fn with(mut self, name: &'static str, flag: &'static str, values: Vec<String>) -> Flags {
        if !values.is_empty() {
            self.given.push((name, flag, values));
        }
        self
    }
}

/// What a setting is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The setting.
    pub key: &'static Key,
    /// As it was written; empty if nothing was.
    pub texts: Vec<String>,
    /// Where.
    pub source: Source,
}

impl Row {
    /// What holds, as people write it; empty if it is none.
    #[must_use]
    pub fn value(&self) -> String {
        if self.texts.is_empty() {
            self.key.default.to_owned()
        } else {
            self.texts.join(",")
        }
    }
}

/// What the layers say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names by which the server is called at `bind`.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the API.
    pub allowed_origins: Vec<String>,
    /// Where the server listens besides, for other machines.
    pub bind: Option<SocketAddr>,
    /// What changes the graph that new work follows.
    pub deploy: Deploying,
    /// Where the server listens.
    pub host: IpAddr,
    /// The server ends after so long without use; never, if none.
    pub idle_timeout: Option<Duration>,
    /// Older events are archived; never, if the inner one is none; as the graph says, if the outer one is.
    pub keep_events: Option<Option<Duration>>,
    /// `gc` keeps logs of younger attempts; all, if none.
    pub keep_logs: Option<Duration>,
    /// What the server logs.
    pub log: String,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
    /// Attempts that may run at once; as many as there are cores, if none.
    pub places: Option<u32>,
    /// The port; 0 for any.
    pub port: u16,
    /// Who alone may connect to `bind`.
    pub proxy: Option<IpAddr>,
    /// The folder of the server's state.
    pub state_dir: PathBuf,
    /// Certificates for `bind`.
    pub tls_certificate: Option<PathBuf>,
    /// Their key.
    pub tls_key: Option<PathBuf>,
    rows: Vec<Row>,
    files: Vec<PathBuf>,
    named: Option<PathBuf>,
}

/// Where a command looks for settings.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The root of the workspace.
    pub workspace: &'a Path,
    /// The folder that the command was called in.
    pub called_from: &'a Path,
    /// A file to be read in the place of the workspace's.
    pub file: Option<&'a Path>,
}

impl Settings {
    /// Reads all layers.
    ///
    /// # Errors
    /// A file cannot be read, or a value anywhere makes no sense, whether or not a stronger layer has another one.
    pub fn load(
        place: Place<'_>,
        variable: impl Fn(&str) -> Option<OsString>,
        flags: &Flags,
    ) -> Result<Settings, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let named = place
            .file
            .map(Path::to_owned)
            .or_else(|| variable(FILE_VARIABLE).map(|path| place.called_from.join(path)));
        let mut settings = Settings { named: named.clone(), ..Settings::of(place.workspace) };
        let mut layers = Vec::new();
        let of_workspace = named.clone().unwrap_or_else(|| place.workspace.join(SETTINGS_FILE_NAME));
        for path in [Some(of_workspace), file::user_file(variable)].into_iter().flatten() {
            match file::read(&path)? {
                Some(given) => {
                    layers.extend(given);
                    settings.files.push(path);
                }
                None if named.as_ref() == Some(&path) => {
                    return Err(ConfigError::Unreadable { path, error: std::io::ErrorKind::NotFound.into() })
                }
                None => {}
            }
        }
        for key in KEYS {
            if let Some(value) = variable(&key.variable()) {
                layers.push(from_variable(key, &value, place.called_from)?);
            }
        }
        for (name, flag, values) in &flags.given {
            let Some(key) = Key::find(name) else { continue };
            layers.push(Given {
                key,
                texts: values.clone(),
                list: values.len() > 1,
                source: Source::Flag(flag),
                folder: place.called_from.to_owned(),
            });
        }
        for given in layers {
            settings.take(given)?;
        }
        settings.check_bind()?;
        Ok(settings)
    }

    /// What holds where nobody says anything.
    fn of(workspace: &Path) -> Settings {
        let row = |key: &'static Key| Row { key, texts: Vec::new(), source: Source::Default };
        Settings {
            allowed_hosts: Vec::new(),
            bind: None,
            proxy: None,
            tls_certificate: None,
            tls_key: None,
            allowed_origins: vec!["http://localhost:3000".to_owned()],
            deploy: Deploying::Automatic,
            host: Ipv4Addr::LOCALHOST.into(),
            idle_timeout: Some(Duration::from_secs(3 * 3600)),
            keep_events: None,
            keep_logs: Some(Duration::from_secs(30 * 86_400)),
            log: "info".to_owned(),
            otlp_endpoint: None,
            places: None,
            port: 0,
            state_dir: workspace.join(STATE_DIR_NAME),
            rows: KEYS.iter().map(row).collect(),
            files: Vec::new(),
            named: None,
        }
    }

    /// Each setting, by name.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The files that were read, the weakest first.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The file that was named in the place of the workspace's.
    #[must_use]
    pub fn named_file(&self) -> Option<&Path> {
        self.named.as_deref()
    }

    /// The row of a setting.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.key.name == name)
    }

    /// Other machines reach a server that can start processes only by a way on which nobody listens, and by a name.
    fn check_bind(&self) -> Result<(), ConfigError> {
        let wrong = |name: &str, what: &str| {
            let row = self.row(name);
            Err(ConfigError::Value {
                key: row.map_or("bind", |row| row.key.name),
                source_of: row.map_or(Source::Default, |row| row.source.clone()),
                what: format!("`{name}`: {what}"),
            })
        };
        match (self.bind, &self.tls_certificate, &self.tls_key) {
            (_, Some(_), None) => wrong("tls_certificate", "needs `tls_key`, the file with its private key"),
            (_, None, Some(_)) => wrong("tls_key", "needs `tls_certificate`, the file with its certificates"),
            (Some(_), None, None) if self.proxy.is_none() => wrong(
                "bind",
                "needs `tls_certificate` and `tls_key`, or `proxy`, the address of the proxy that speaks TLS",
            ),
            (Some(_), ..) if self.allowed_hosts.is_empty() => {
                wrong("bind", "needs `allowed_hosts`, the names by which others call the server")
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, given: Given) -> Result<(), ConfigError> {
        let wrong = |what: String| {
            let what = match &given.source {
                Source::File(_) => format!("`{}`: {what}", given.key.name),
                _ => what,
            };
            ConfigError::Value { key: given.key.name, source_of: given.source.clone(), what }
        };
        if given.list && given.key.form != Form::List {
            return Err(wrong("takes one value, not a list".to_owned()));
        }
        self.set(&given).map_err(wrong)?;
        if let Some(row) = self.rows.iter_mut().find(|row| row.key == given.key) {
            row.texts = given.texts;
            row.source = given.source;
        }
        Ok(())
    }

    fn set(&mut self, given: &Given) -> Result<(), String> {
        let text = given.texts.first().map(|text| text.trim()).unwrap_or_default();
        match given.key.name {
            "allowed_hosts" => self.allowed_hosts = hosts(&given.texts)?,
            "bind" => self.bind = Some(address(text)?),
            "proxy" => self.proxy = Some(ip(text)?),
            "tls_certificate" | "tls_key" | "state_dir" if text.is_empty() => {
                return Err("it is empty".to_owned())
            }
            "tls_certificate" => self.tls_certificate = Some(given.folder.join(text)),
            "tls_key" => self.tls_key = Some(given.folder.join(text)),
            "allowed_origins" => self.allowed_origins = origins(&given.texts)?,
            "deploy" => {
                self.deploy = Deploying::of_word(text).ok_or_else(|| Deploying::unknown(&shown(text)))?
            }
            "host" => self.host = host(text)?,
            "idle_timeout" => self.idle_timeout = time(text)?,
            "keep_events" => self.keep_events = Some(time(text)?),
            "keep_logs" => self.keep_logs = time(text)?,
            "log" => self.log = text.to_owned(),
            "otlp_endpoint" => self.otlp_endpoint = Some(endpoint(text)?),
            "places" => self.places = Some(count(text)?),
            "port" => self.port = port(text)?,
            "state_dir" => self.state_dir = given.folder.join(text),
            name => return Err(format!("`{name}` is no setting")),
        }
        Ok(())
    }
}

fn from_variable(key: &'static Key, value: &OsString, folder: &Path) -> Result<Given, ConfigError> {
    let source = Source::Variable(key.variable());
    let Some(text) = value.to_str() else {
        let what = "it is not UTF-8".to_owned();
        return Err(ConfigError::Value { key: key.name, source_of: source, what });
    };
    let list = key.form == Form::List;
    let texts = if list { text.split(',').map(str::to_owned).collect() } else { vec![text.to_owned()] };
    Ok(Given { key, texts, list, source, folder: folder.to_owned() })
}

fn origins(texts: &[String]) -> Result<Vec<String>, String> {
    let origin = |text: &String| {
        let text = text.trim();
        let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        match host {
            Some(host) if !host.is_empty() && !host.contains(['/', ' ', '*', '@']) => Ok(text.to_owned()),
            _ => Err(format!("`{}` is no origin; write it as http://localhost:3000", shown(text))),
        }
    };
    texts.iter().filter(|text| !text.trim().is_empty()).map(origin).collect()
}

fn hosts(texts: &[String]) -> Result<Vec<String>, String> {
    let host = |text: &String| {
        let text = text.trim();
        match text.contains(['/', ' ', '*', '@', ':']) {
            false => Ok(text.to_lowercase()),
            true => Err(format!("`{}` is no name of a host; write it as databuild.example.com", shown(text))),
        }
    };
    texts.iter().filter(|text| !text.trim().is_empty()).map(host).collect()
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{}` is no address with a port; write it as 0.0.0.0:8443", shown(text)))
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{}` is no address; write it as 10.0.0.5", shown(text)))
}

fn host(text: &str) -> Result<IpAddr, String> {
    let address = match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        text => text.parse::<IpAddr>(),
    };
    let address = address
        .map_err(|_| format!("`{}` is no address; write it as 127.0.0.1, ::1 or localhost", shown(text)))?;
    if !address.is_loopback() {
        return Err(format!("other machines could reach {address}; set `bind` for those"));
    }
    Ok(address)
}

/// None if it never comes.
fn time(text: &str) -> Result<Option<Duration>, String> {
    let seconds = match text.parse() {
        Ok(seconds) => seconds,
        Err(_) if text == "never" => 0,
        Err(_) => seconds_of(text)?,
    };
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`{}` is not a number of 1 or more", shown(text)))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("`{}` is no port: a number from 0 to 65535", shown(text)))
}

fn endpoint(text: &str) -> Result<String, String> {
    match text.starts_with("http://") || text.starts_with("https://") {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is no URL; write it as http://localhost:4318", shown(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    struct Lab {
        folder: tempfile::TempDir,
        variables: BTreeMap<String, OsString>,
        flags: Flags,
        file: Option<PathBuf>,
    }

    impl Lab {
        fn new() -> Lab {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("ws")).unwrap();
            std::fs::create_dir_all(folder.path().join("home/.config/databuild")).unwrap();
            let home = folder.path().join("home").into_os_string();
            let variables = BTreeMap::from([("HOME".to_owned(), home)]);
            Lab { folder, variables, flags: Flags::default(), file: None }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.at(name), text).unwrap();
        }

        fn set(&mut self, name: &str, value: &str) {
            self.variables.insert(name.to_owned(), value.into());
        }

        fn load(&self) -> Result<Settings, ConfigError> {
            let (workspace, called_from) = (self.at("ws"), self.at("ws/below"));
            let place =
                Place { workspace: &workspace, called_from: &called_from, file: self.file.as_deref() };
            Settings::load(place, |name| self.variables.get(name).cloned(), &self.flags)
        }

        fn refused(&self) -> (&'static str, String) {
            let error = self.load().unwrap_err();
            (error.code(), error.to_string().replace(&*self.folder.path().to_string_lossy(), ""))
        }
    }

    const USER: &str = "home/.config/databuild/config.toml";

    #[test]
    fn each_layer_is_stronger_than_those_before_it() {
        let mut lab = Lab::new();
        let port = |lab: &Lab| {
            let settings = lab.load().unwrap();
            (settings.port, settings.row("port").unwrap().source.clone())
        };
        assert_eq!(port(&lab), (0, Source::Default));
        lab.write("ws/databuild.toml", "port = 1\nidle_timeout = \"90s\"\n");
        assert_eq!(port(&lab), (1, Source::File(lab.at("ws/databuild.toml"))));
        lab.write(USER, "port = 2");
        assert_eq!(port(&lab), (2, Source::File(lab.at(USER))));
        lab.set("DATABUILD_PORT", "3");
        assert_eq!(port(&lab), (3, Source::Variable("DATABUILD_PORT".to_owned())));
        lab.flags = Flags::default().with("port", "--port", vec!["4".to_owned()]);
        assert_eq!(port(&lab), (4, Source::Flag("--port")));
        let settings = lab.load().unwrap();
        assert_eq!(settings.idle_timeout, Some(Duration::from_secs(90)), "the others are as they were");
        assert_eq!(settings.files(), [lab.at("ws/databuild.toml"), lab.at(USER)]);
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_was_probably_meant() {
        let lab = Lab::new();
        lab.write("ws/databuild.toml", "idle_timout = \"1h\"");
        let said = "/ws/databuild.toml: there is no setting `idle_timout`; did you mean `idle_timeout`?";
        assert_eq!(lab.refused(), ("unknown_setting", said.to_owned()));
        lab.write("ws/databuild.toml", "colour = \"red\"");
        let (code, message) = lab.refused();
        assert!(code == "unknown_setting" && message.contains("these are: `allowed_hosts`, "), "{message}");
        lab.write("ws/databuild.toml", "port = 1\nport =\n");
        let (code, message) = lab.refused();
        assert!(code == "settings_unreadable" && message.contains("databuild.toml: line 2: "), "{message}");
    }

    #[test]
    fn a_bad_value_is_refused_where_it_stands_though_a_stronger_layer_has_a_good_one() {
        let bad = [
            ("port = 70000", "`port`: `70000` is no port: a number from 0 to 65535"),
            ("port = [1, 2]", "`port`: takes one value, not a list"),
            ("port = true", "`port` is a boolean, which no setting is"),
            ("places = 0", "`places`: `0` is not a number of 1 or more"),
            (
                "idle_timeout = \"soon\"",
                "`idle_timeout`: `soon` is not a length of time; write it as 90s, 30m, 2h or 3d",
            ),
            (
                "host = \"example.com\"",
                "`host`: `example.com` is no address; write it as 127.0.0.1, ::1 or localhost",
            ),
            (
                "allowed_origins = [\"*\"]",
                "`allowed_origins`: `*` is no origin; write it as http://localhost:3000",
            ),
            ("otlp_endpoint = \"x\"", "`otlp_endpoint`: `x` is no URL; write it as http://localhost:4318"),
            ("state_dir = \"\"", "`state_dir`: it is empty"),
            ("deploy = \"never\"", "`deploy`: `never` is no way of deploying; use `automatic` or `explicit`"),
        ];
        for (text, said) in bad {
            let mut lab = Lab::new();
            lab.set("DATABUILD_PORT", "1");
            lab.set("DATABUILD_PLACES", "1");
            lab.write("ws/databuild.toml", text);
            assert_eq!(lab.refused(), ("bad_setting", format!("/ws/databuild.toml: {said}")), "{text}");
        }
        let mut lab = Lab::new();
        lab.set("DATABUILD_PLACES", "many");
        assert_eq!(
            lab.refused(),
            ("bad_setting", "DATABUILD_PLACES: `many` is not a number of 1 or more".to_owned())
        );
        let mut lab = Lab::new();
        lab.flags = Flags::default().with("places", "--places", vec!["0".to_owned()]);
        assert_eq!(lab.refused(), ("usage", "--places: `0` is not a number of 1 or more".to_owned()));
    }

    #[test]
    fn values_mean_the_same_in_each_layer() {
        let mut lab = Lab::new();
        lab.write(
            "ws/databuild.toml",
            "allowed_origins = [\"http://a:1\", \"https://b\"]\nidle_timeout = 7\nkeep_events = \"never\"\nstate_dir = \"x\"\n",
        );
        let settings = lab.load().unwrap();
        assert_eq!(settings.allowed_origins, ["http://a:1", "https://b"]);
        assert_eq!(settings.idle_timeout, Some(Duration::from_secs(7)));
        assert_eq!((settings.keep_events, settings.state_dir), (Some(None), lab.at("ws/x")));
        lab.set("DATABUILD_ALLOWED_ORIGINS", "http://c, http://d");
        lab.set("DATABUILD_IDLE_TIMEOUT", "never");
        lab.set("DATABUILD_STATE_DIR", "y");
        lab.set("DATABUILD_PORT", "");
        let settings = lab.load().unwrap();
        assert_eq!(settings.allowed_origins, ["http://c", "http://d"]);
        assert_eq!((settings.idle_timeout, settings.port), (None, 0), "an empty variable says nothing");
        assert_eq!(settings.state_dir, lab.at("ws/below/y"), "a relative path begins where the command does");
    }

    #[test]
    fn another_file_takes_the_place_of_the_workspaces() {
        let mut lab = Lab::new();
        lab.write("ws/databuild.toml", "port = 1\nplaces = 3");
        lab.write("other.toml", "port = 2");
        lab.set("DATABUILD_CONFIG", "../../other.toml");
        std::fs::create_dir(lab.at("ws/below")).unwrap();
        let settings = lab.load().unwrap();
        assert_eq!((settings.port, settings.places), (2, None));
        lab.file = Some(lab.at("none.toml"));
        let (code, message) = lab.refused();
        assert!(code == "settings_unreadable" && message.contains("/none.toml: "), "{message}");
    }

    #[test]
    fn other_machines_need_a_name_and_a_way_on_which_nobody_listens() {
        let refused = |text: &str| {
            let lab = Lab::new();
            lab.write("ws/databuild.toml", text);
            lab.refused()
        };
        for (text, needs) in [
            ("bind = \"0.0.0.0:1\"", "`bind`: needs `tls_certificate` and `tls_key`, or `proxy`"),
            ("bind = \"0.0.0.0:1\"\nproxy = \"10.0.0.5\"", "`bind`: needs `allowed_hosts`"),
            ("tls_key = \"k\"", "`tls_key`: needs `tls_certificate`"),
            ("host = \"0.0.0.0\"", "other machines could reach 0.0.0.0; set `bind` for those"),
        ] {
            let (code, said) = refused(text);
            assert!(code == "bad_setting" && said.contains(needs), "{text}: {said}");
        }
        let lab = Lab::new();
        lab.write(
            "ws/databuild.toml",
            "bind = \"0.0.0.0:1\"\ntls_key = \"k.pem\"\ntls_certificate = \"c.pem\"\nallowed_hosts = [\"Data.example\"]",
        );
        let settings = lab.load().unwrap();
        assert_eq!(settings.tls_key, Some(lab.at("ws/k.pem")));
        assert_eq!(settings.allowed_hosts, ["data.example"]);
    }

    #[test]
    fn each_setting_has_its_default() {
        let settings = Lab::new().load().unwrap();
        for row in settings.rows() {
            if row.key.default.is_empty() {
                continue;
            }
            let texts = row.key.default.split(',').map(str::to_owned).collect();
            let mut lab = Lab::new();
            lab.flags = Flags::default().with(row.key.name, "--it", texts);
            lab.variables.clear();
            let workspace = lab.at("ws");
            let place = Place { workspace: &workspace, called_from: &workspace, file: None };
            let set = Settings::load(place, |_| None, &lab.flags).unwrap();
            let unset = Settings::of(&workspace);
            assert_eq!(
                Settings { rows: Vec::new(), ..set },
                Settings { rows: Vec::new(), ..unset },
                "{row:?}"
            );
        }
    }
}
