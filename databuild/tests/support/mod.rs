//! A workspace with a graph file made by hand, as Bazel would have built it, and the program in it.

#![allow(dead_code)]

pub mod golden;

use databuild_core::digest::sha256_hex;
use serde_json::{json, Value};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys of the dataset `many`.
pub const MANY: usize = 3_000;

/// Names its process and a child of it, prints a line, and runs until it is told to end.
const SLOW: &str = "#!/bin/sh
sleep 3600 &
echo \"working on $1\"
echo \"$$ $!\" > pids.new
mv pids.new pids
wait
";
/// Writes the value of `WHO`, if it is set.
const QUICK: &str = "#!/bin/sh\necho \"made $1\"\necho \"for ${WHO-nobody}\" > \"$1\"\n";

/// See the module's words.
pub struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// One with the datasets `many` and `quick`, which are made at once, and `slow`, which is not; and the key space `names`.
    pub fn new() -> Workspace {
        let folder = tempfile::Builder::new().prefix("dbt").tempdir().unwrap();
        let workspace = Workspace { folder };
        let runfiles = workspace.at("bin/databuild.runfiles/_main");
        fs::create_dir_all(&runfiles).unwrap();
        fs::create_dir_all(workspace.path()).unwrap();
        fs::write(workspace.path().join("MODULE.bazel"), "").unwrap();
        symlink(program(), workspace.at("bin/databuild")).unwrap();
        let keys: Vec<String> = (0..MANY).map(|number| format!("key-{number:05}")).collect();
        let many = json!([{"name": "key", "keys": {"kind": "static", "keys": keys}}]);
        let names = json!([{"name": "name", "keys": {"kind": "dynamic", "name": "names"}}]);
        let dataset = |name: &str, dims: &Value, path: &str| json!({"name": name, "label": format!("//:{name}"), "external": false, "dims": dims, "path": path});
        let job = |output: &str, script: &str| {
            let mut job = json!({
                "label": format!("//:make_{output}"), "args": ["{path}"], "inputs": [], "outputs": [output], "env": {},
                "env_inherit": [], "retries": 0, "backoff_ms": 1000, "backoff_max_ms": 60000, "timeout_ms": null,
                "grace_ms": 500, "on_code_change": "stale",
            });
            for (name, value) in code(&runfiles, output, script) {
                job[name] = value.into();
            }
            job
        };
        let graph = json!({
            "format": 1, "label": "//:databuild",
            "datasets": [
                dataset("many", &many, "out/many/{key}"),
                dataset("named", &names, "out/named/{name}"),
                dataset("quick", &json!([]), "out/quick"),
                dataset("slow", &json!([]), "out/slow"),
            ],
            "jobs": [
                job("many", QUICK), job("named", QUICK), job("quick", QUICK), job("slow", SLOW),
            ],
        });
        fs::write(workspace.at("bin/databuild.graph.json"), graph.to_string()).unwrap();
        workspace
    }

    /// Writes another graph file, as a build by Bazel would.
    pub fn change_graph(&self, change: impl FnOnce(&mut Value)) {
        let path = self.at("bin/databuild.graph.json");
        let mut graph = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut graph);
        fs::write(path, graph.to_string()).unwrap();
    }

    /// Lets the job that makes a dataset run another script, as a build by Bazel after an edit would.
    pub fn change_code(&self, output: &str, script: &str) {
        let entry = code(&self.at("bin/databuild.runfiles/_main"), output, script);
        self.change_graph(|graph| {
            let jobs = graph["jobs"].as_array_mut().unwrap();
            let job = jobs.iter_mut().find(|job| job["outputs"][0] == output).unwrap();
            entry.into_iter().for_each(|(name, value)| job[name] = value.into());
        });
    }

    /// Lets new work follow the graph that is built.
    pub fn deploy(&self) {
        self.done(&["deploy", "--yes"]);
    }

    /// A path in the folder around the workspace.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The workspace's folder.
    pub fn path(&self) -> PathBuf {
        self.at("ws")
    }

    /// The command with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.at("bin/databuild"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.at("cache"))
            // Texts are the same whoever runs the tests.
            .env("USER", "ada")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it to its end, which is a good one, and returns what it printed.
    pub fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Processes of a job of `slow`, once it runs.
    pub fn slow_processes(&self) -> Vec<u32> {
        let pids = self.path().join("pids");
        wait_until("the job runs", || {
            let text = fs::read_to_string(&pids).ok()?;
            text.split_whitespace().map(|pid| pid.parse().ok()).collect::<Option<Vec<u32>>>()
        })
    }

    /// Processes that are about this workspace.
    pub fn processes(&self) -> Vec<String> {
        let about = self.folder.path().as_os_str().as_encoded_bytes();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let found = entries.filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let at = fs::read_link(entry.path().join("cwd")).ok()?;
            let ours =
                line.windows(about.len()).any(|window| window == about) || at.starts_with(self.folder.path());
            (ours && is_alive(pid)).then(|| format!("{pid} {}", text(&line).replace('\0', " ")))
        });
        found.collect()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.run(&["stop", "--jobs"]);
        for process in self.processes() {
            let pid = process.split(' ').next().and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// The program, which Bazel names by a path from where tests run.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_databuild")).canonicalize().unwrap()
}

/// Writes a script as Bazel's outputs would have it; returns what a job says of it.
fn code(runfiles: &Path, name: &str, script: &str) -> [(&'static str, String); 4] {
    let at = runfiles.join(name);
    fs::write(&at, script).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
    let digest = sha256_hex(script.as_bytes());
    let manifest = format!("databuild-code-manifest 1\nF {digest} {} x _main/{name}\n", script.len());
    fs::write(runfiles.join(format!("{name}.manifest")), &manifest).unwrap();
    let sources = r#"{"format":1,"label":"//:job","files":[],"edges":[]}"#;
    fs::write(runfiles.join(format!("{name}.sources")), sources).unwrap();
    [
        ("executable", format!("_main/{name}")),
        ("manifest", format!("_main/{name}.manifest")),
        ("sources", format!("_main/{name}.sources")),
        ("code", sha256_hex(manifest.as_bytes())),
    ]
}

/// Looks until there is something.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
