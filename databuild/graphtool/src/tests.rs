//! The commands, driven through parameter files in temporary folders, as Bazel's actions drive them.

use super::run;
use crate::error::ToolError;
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::PathBuf;

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, with the folders above it, and returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn link(&self, name: &str, target: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, &path).unwrap();
        path.display().to_string()
    }

    fn run(&self, lines: &[String]) -> Result<(), ToolError> {
        let params = self.file("params", &(lines.join("\n") + "\n"));
        run([format!("@{params}").into()].into_iter())
    }

    /// Runs a command that writes `out` and returns what it wrote.
    fn output(&self, command: &str, lines: &[String]) -> Result<String, ToolError> {
        let out = self.path("out");
        let _ = fs::remove_file(&out);
        let mut all = vec![command.to_owned(), format!("--out={}", out.display())];
        all.extend_from_slice(lines);
        let result = self.run(&all);
        assert_eq!(out.exists(), result.is_ok(), "an output is written if and only if the command succeeds");
        result.map(|()| fs::read_to_string(out).unwrap())
    }

    fn manifest(&self, directives: &[String]) -> Result<String, ToolError> {
        let mut lines = vec!["--executable=_main/job".to_owned()];
        lines.extend_from_slice(directives);
        self.output("manifest", &lines)
    }
}

fn file(rpath: &str, path: &str) -> String {
    format!("file\t{rpath}\t{path}")
}

/// The manifest's lines without header and hashes: `F size mark path`.
fn shape(manifest: &str) -> Vec<String> {
    manifest
        .lines()
        .skip(1)
        .map(|line| match line.split_once(' ') {
            Some(("F", rest)) => format!("F {}", rest.split_once(' ').unwrap().1),
            _ => line.to_owned(),
        })
        .collect()
}

#[test]
fn a_manifest_is_exact_and_does_not_depend_on_order_mode_or_time() {
    let sandbox = Sandbox::new();
    let job = sandbox.file("job.sh", "abc");
    let lib = sandbox.file("lib/ü b.txt", "");
    let directives =
        [file("_main/job", &job), file("_main/lib/ü b.txt", &lib), "empty\t_main/__init__.py".to_owned()];
    let text = sandbox.manifest(&directives).unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(
        text,
        format!(
            "databuild-code-manifest 1\nE _main/__init__.py\nF {ABC} 3 x _main/job\nF {empty} 0 - _main/lib/ü b.txt\n"
        )
    );

    let mut reordered = directives.clone();
    reordered.reverse();
    fs::set_permissions(&lib, fs::Permissions::from_mode(0o755)).unwrap();
    fs::File::options()
        .append(true)
        .open(&job)
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(sandbox.manifest(&reordered).unwrap(), text);

    fs::write(&lib, "x").unwrap();
    assert_ne!(sandbox.manifest(&directives).unwrap(), text);
    fs::write(&lib, "").unwrap();
    assert_eq!(sandbox.manifest(&directives).unwrap(), text);
}

/// Bazel 7 separates the parts of repository names by `~`, later ones by `+`. Bazel 9 has entries for a prefix of names in
/// repository mappings. Both are content like any other: another form is another fingerprint.
#[test]
fn repositories_and_their_mapping_are_taken_as_bazel_has_them() {
    let sandbox = Sandbox::new();
    let job = sandbox.file("job.sh", "abc");
    let dep = sandbox.file("dep", "22");
    let manifest = |repository: &str, mapping: &str| {
        let mapping = sandbox.file("mapping", mapping);
        let directives = [
            file("_main/job", &job),
            file("_main/job.repo_mapping", &mapping),
            file(&format!("{repository}/dep"), &dep),
        ];
        sandbox.manifest(&directives).unwrap()
    };
    let of_7 = manifest("_main~deps~dep1", ",dep,_main~deps~dep1\n_main~deps~dep1,dep,_main~deps~dep1\n");
    assert_eq!(
        shape(&of_7),
        ["F 3 x _main/job", "F 57 - _main/job.repo_mapping", "F 2 - _main~deps~dep1/dep"]
    );
    let exact = manifest("+deps+dep1", ",dep,+deps+dep1\n+deps+dep1,dep,+deps+dep1\n");
    let compact = manifest("+deps+dep1", ",dep,+deps+dep1\n+deps+*,dep,+deps+dep1\n");
    assert_eq!(shape(&exact), ["F 2 - +deps+dep1/dep", "F 3 x _main/job", "F 42 - _main/job.repo_mapping"]);
    assert_eq!(shape(&compact), ["F 2 - +deps+dep1/dep", "F 3 x _main/job", "F 39 - _main/job.repo_mapping"]);
}

#[test]
fn directories_are_walked_and_links_in_them_followed() {
    let sandbox = Sandbox::new();
    sandbox.file("tree/b/two", "22");
    sandbox.file("tree/a", "1");
    sandbox.link("tree/to_file", "a");
    sandbox.link("tree/to_dir", "b");
    sandbox.link("tree/nowhere", "../no such file");
    let tree = sandbox.path("tree").display().to_string();
    let text = sandbox.manifest(&[file("_main/tree", &tree)]).unwrap();
    assert_eq!(
        shape(&text),
        [
            "F 1 - _main/tree/a",
            "F 2 - _main/tree/b/two",
            "L ../no%20such%20file _main/tree/nowhere",
            "F 2 - _main/tree/to_dir/two",
            "F 1 - _main/tree/to_file",
        ]
    );
}

#[test]
fn a_link_to_a_directory_above_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.file("tree/a/file", "1");
    sandbox.link("tree/a/up", "..");
    let tree = sandbox.path("tree").display().to_string();
    let error = sandbox.manifest(&[file("_main/tree", &tree)]).unwrap_err();
    assert!(error.report().starts_with("error[link_loop]: the link "), "{}", error.report());
}

#[test]
fn declared_and_dangling_links_are_kept_as_links() {
    let sandbox = Sandbox::new();
    sandbox.file("real", "abc");
    let good = sandbox.link("good", "real");
    let dangling = sandbox.link("dangling", "../elsewhere/python3");
    let text = sandbox
        .manifest(&[
            format!("link\t_main/declared\t{good}"),
            file("_main/followed", &good),
            file("_main/dangling", &dangling),
        ])
        .unwrap();
    assert_eq!(
        text,
        format!(
            "databuild-code-manifest 1\nL ../elsewhere/python3 _main/dangling\nL real _main/declared\nF {ABC} 3 - _main/followed\n"
        )
    );
}

#[test]
fn later_directives_win_and_empty_files_only_fill_gaps() {
    let sandbox = Sandbox::new();
    let one = sandbox.file("one", "1");
    let two = sandbox.file("two", "22");
    let text = sandbox
        .manifest(&[
            "empty\t_main/p".to_owned(),
            file("_main/p", &one),
            file("_main/p", &two),
            "empty\t_main/p".to_owned(),
        ])
        .unwrap();
    assert_eq!(shape(&text), ["F 2 - _main/p"]);
}

#[test]
fn unreadable_and_unspeakable_files_are_named() {
    let sandbox = Sandbox::new();
    let error = sandbox.manifest(&[file("_main/gone", "no/such/file")]).unwrap_err();
    assert!(
        error.report().starts_with("error[unreadable_file]: cannot read no/such/file: "),
        "{}",
        error.report()
    );
    assert!(error.report().contains("\n  help: "));

    let tab = sandbox.file("a\tb", "");
    let error = sandbox.manifest(&[file("_main/a\tb", &tab)]).unwrap_err();
    assert!(error.report().starts_with("error[bad_file_name]: "), "{}", error.report());

    sandbox.file("tree/a\nb", "");
    let tree = sandbox.path("tree").display().to_string();
    let error = sandbox.manifest(&[file("_main/tree", &tree)]).unwrap_err();
    assert!(error.report().contains("a\\nb contains a line break"), "{}", error.report());
    assert_eq!(error.exit_code(), 1);

    let _socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket")).unwrap();
    let socket = sandbox.path("socket").display().to_string();
    let error = sandbox.manifest(&[file("_main/socket", &socket)]).unwrap_err();
    assert!(error.report().starts_with("error[special_file]: "), "{}", error.report());
}

#[test]
fn the_other_parts_files_are_listed_as_unused_unless_a_link_uses_them() {
    let sandbox = Sandbox::new();
    let own = sandbox.file("own", "1");
    let linked = sandbox.file("linked", "2");
    let unused = sandbox.path("unused");
    let text = sandbox
        .manifest(&[
            format!("--unused={}", unused.display()),
            file("_main/own", &own),
            file("_main/alias", &linked),
            format!("unused\t{linked}"),
            "unused\texternal/repo/other".to_owned(),
        ])
        .unwrap();
    assert_eq!(shape(&text), ["F 1 - _main/alias", "F 1 - _main/own"]);
    assert_eq!(fs::read_to_string(unused).unwrap(), "external/repo/other\n");
}

#[test]
fn merging_gives_the_manifest_of_the_whole() {
    let sandbox = Sandbox::new();
    let a = sandbox.file("a", "abc");
    let b = sandbox.file("b", "abc");
    let main = sandbox.manifest(&[file("_main/job", &a)]).unwrap();
    let ext = sandbox.manifest(&[file("lib+/b", &b)]).unwrap();
    let whole = sandbox.manifest(&[file("lib+/b", &b), file("_main/job", &a)]).unwrap();
    let parts =
        [("main", main), ("ext", ext)].map(|(name, text)| format!("manifest\t{}", sandbox.file(name, &text)));
    assert_eq!(sandbox.output("merge", &parts).unwrap(), whole);

    let broken = format!("manifest\t{}", sandbox.file("broken", "nonsense\n"));
    let error = sandbox.output("merge", &[broken]).unwrap_err();
    assert!(error.report().contains("broken, line 1: "), "{}", error.report());
}

#[test]
fn source_manifests_are_sorted_and_name_owners_and_edges() {
    let sandbox = Sandbox::new();
    let py = sandbox.file("b.py", "abc");
    let folder = sandbox.path("folder");
    fs::create_dir(&folder).unwrap();
    let text = sandbox
        .output(
            "sources",
            &[
                "--label=//:job".to_owned(),
                format!("file\t//:lib\t{py}"),
                format!("file\t//:job\t{py}"),
                format!("file\t//:job\t{}", folder.display()),
                "edge\t//:job\t//:lib".to_owned(),
                "edge\t//:job\t//:lib".to_owned(),
            ],
        )
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "format": 1,
        "label": "//:job",
        "files": [
            {"path": py, "owner": "//:job", "sha256": ABC},
            {"path": py, "owner": "//:lib", "sha256": ABC},
        ],
        "edges": [["//:job", "//:lib"]],
    });
    assert_eq!(json, expected);
    assert!(sandbox
        .output("sources", &["--label=//:job".to_owned(), "file\t//:job\tno/such".to_owned()])
        .is_err());
}

#[test]
fn a_wrong_call_is_told_apart_from_a_wrong_graph() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["dance".to_owned()]).unwrap_err().exit_code(), 2);
    assert_eq!(sandbox.run(&["manifest".to_owned()]).unwrap_err().exit_code(), 2);
    assert_eq!(run(["x".into()].into_iter()).unwrap_err().exit_code(), 2);
    assert_eq!(run([].into_iter()).unwrap_err().exit_code(), 2);
}

fn spec(inputs: &str) -> String {
    format!(
        r#"{{"format":2,"label":"//:databuild","datasets":[
        {{"name":"clean","label":"//:clean","external":false,"dims":[{{"name":"city","keys":{{"kind":"static","keys":["a"]}}}}],"path":"out/{{city}}"}},
        {{"name":"raw","label":"//:raw","external":true,"dims":[{{"name":"city","keys":{{"kind":"static","keys":["a"]}}}}],"path":"in/{{city}}"}}],
        "jobs":[{{"label":"//:job","program":{{"executable":"_main/job","args":[],"env":{{}},"env_inherit":[],"timeout_ms":null,"grace_ms":1,"manifest":"m"}},"inputs":[{inputs}],"outputs":["clean"],
        "retries":0,"backoff_ms":1,"backoff_max_ms":1,"on_code_change":"stale","sources":"s"}}]}}"#
    )
}

fn input(dataset: &str) -> String {
    format!(
        r#"{{"name":"x","dataset":"{dataset}","dims":[{{"dim":"city","rule":{{"kind":"same","of":"city"}}}}],"before_start":"fail","after_end":"fail"}}"#
    )
}

fn assemble(sandbox: &Sandbox, spec: &str, jobs: &[&str]) -> Result<String, ToolError> {
    let mut lines = vec![format!("--spec={}", sandbox.file("spec", spec))];
    let manifest = sandbox.file("m", "abc");
    lines.extend(jobs.iter().map(|job| format!("job\t{job}\t{manifest}")));
    sandbox.output("assemble", &lines)
}

#[test]
fn a_sound_graph_gets_the_jobs_fingerprints_and_canonical_form() {
    let sandbox = Sandbox::new();
    let graph = assemble(&sandbox, &spec(&input("raw")), &["//:job"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&graph).unwrap();
    assert_eq!(json["jobs"][0]["program"]["code"], ABC);
    assert!(
        graph.starts_with("{\n  \"format\": 2,\n  \"label\": \"//:databuild\",\n") && graph.ends_with("}\n")
    );
    // What was assembled is its own canonical form.
    assert_eq!(assemble(&sandbox, &graph, &["//:job"]).unwrap(), graph);
}

#[test]
fn an_unsound_graph_names_label_reason_and_remedy() {
    let sandbox = Sandbox::new();
    let error = assemble(&sandbox, &spec(&input("nobody")), &["//:job"]).unwrap_err();
    let report = error.report();
    assert!(
        report.starts_with("error[unknown_dataset]: ") && report.contains("(//:job)\n  help: "),
        "{report}"
    );
    assert_eq!(error.exit_code(), 1);

    let error = assemble(&sandbox, &spec(&input("clean")), &["//:job"]).unwrap_err();
    assert!(error.report().starts_with("error[cycle]: "), "{}", error.report());

    let clash = spec(&input("raw")).replace("in/{city}", "out/a/{city}");
    let error = assemble(&sandbox, &clash, &["//:job"]).unwrap_err();
    assert!(error.report().starts_with("error[path_clash]: "), "{}", error.report());

    let error = assemble(&sandbox, "{\"format\": 9}", &[]).unwrap_err();
    assert!(error.report().starts_with("error[unsupported_format]: "), "{}", error.report());

    let error = assemble(&sandbox, &spec(&input("raw")), &[]).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{}", error.report());
}

#[test]
fn a_check_gets_its_fingerprint_and_is_looked_at() {
    let sandbox = Sandbox::new();
    let with_check = |dataset: &str| {
        let check = format!(
            r#","checks":[{{"label":"//:c","dataset":"{dataset}","blocking":true,"program":{{"executable":"_main/c","args":[],"env":{{}},"env_inherit":[],"timeout_ms":1,"grace_ms":1,"manifest":"m"}}}}]}}"#
        );
        spec(&input("raw")).strip_suffix('}').unwrap().to_owned() + &check
    };
    let assemble = |spec: &str, programs: &[&str]| {
        let manifest = sandbox.file("m", "abc");
        let mut lines = vec![format!("--spec={}", sandbox.file("spec", spec))];
        lines.extend(programs.iter().map(|program| format!("{program}\t{manifest}")));
        sandbox.output("assemble", &lines)
    };
    let graph = assemble(&with_check("clean"), &["job\t//:job", "check\t//:c"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&graph).unwrap();
    assert_eq!(json["checks"][0]["program"]["code"], ABC);
    let error = assemble(&with_check("raw"), &["job\t//:job", "check\t//:c"]).unwrap_err();
    let report = error.report();
    assert!(
        report.starts_with("error[external_checked]: ") && report.contains("(//:c)\n  help: "),
        "{report}"
    );
    let error = assemble(&with_check("clean"), &["job\t//:job", "job\t//:c"]).unwrap_err();
    assert!(error.report().contains("no code manifest for check //:c"), "{}", error.report());
}
