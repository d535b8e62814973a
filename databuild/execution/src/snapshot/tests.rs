use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::{symlink, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

const SCRIPT: &str = "#!/bin/sh\ncat \"$(dirname \"$0\")/lib/data.txt\"\n";

/// A folder with a job's files, as Bazel's runfiles would be, and a store beside it.
struct Lab {
    dir: TempDir,
    store: Store,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("store")).unwrap();
        let lab = Self { dir, store };
        lab.write("_main/job", SCRIPT);
        lab.write("_main/lib/data.txt", "hello\n");
        lab.write("_repo_mapping", ",_main,_main\n");
        lab
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("src")
    }

    fn write(&self, runfile: &str, content: &str) {
        let path = self.source().join(runfile);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn file(&self, runfile: &str) -> Entry {
        let bytes = fs::read(self.source().join(runfile)).unwrap();
        Entry::File {
            path: runfile.to_owned(),
            digest: FileDigest::from_bytes(Sha256::digest(&bytes).into()),
            size: bytes.len() as u64,
            executable: runfile == "_main/job",
        }
    }

    fn manifest(&self) -> CodeManifest {
        CodeManifest::new(vec![
            self.file("_main/job"),
            self.file("_main/lib/data.txt"),
            self.file("_repo_mapping"),
            Entry::Empty { path: "_main/lib/__init__.py".to_owned() },
            Entry::Link { path: "_main/venv/bin/lib".to_owned(), target: "../../lib".to_owned() },
        ])
        .unwrap()
    }

    fn take(&self, manifest: &CodeManifest) -> Result<SnapshotRef, SnapshotError> {
        let source = self.source();
        self.store.materialize(manifest, &|runfile| source.join(runfile))
    }

    /// Files below a part of the store.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let mut pending = vec![self.store.root().join(part)];
        let mut files = Vec::new();
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    pending.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }
}

/// Runs a program just written. Another test thread's child may still hold the descriptor it was
/// written through until it execs; in production the writer never forks.
fn run(program: &Path) -> Output {
    loop {
        match Command::new(program).output() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            result => return result.unwrap(),
        }
    }
}

/// This test program again, running only `test`, with `role` in its environment.
fn again(test: &str, role: &str) -> Command {
    // "crate::snapshot::tests" without the crate is the prefix of test names.
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("{module}::{test}"), "--exact", "--nocapture"]).env("DATABUILD_TEST_ROLE", role);
    command
}

fn role() -> Option<PathBuf> {
    std::env::var_os("DATABUILD_TEST_ROLE").map(PathBuf::from)
}

fn error_code(result: Result<SnapshotRef, SnapshotError>) -> (&'static str, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_snapshot_is_the_manifests_tree_and_runs() {
    let lab = Lab::new();
    let manifest = lab.manifest();
    let snapshot = lab.take(&manifest).unwrap();
    assert_eq!((snapshot.new_files(), snapshot.new_bytes()), (3, SCRIPT.len() as u64 + 6 + 13));
    assert_eq!(snapshot.digest(), manifest.digest());
    assert_eq!(snapshot.file("_main/job"), lab.store.executable(&manifest.digest(), manifest.executable()));

    let output = run(&snapshot.file(manifest.executable()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n");
    assert_eq!(fs::read(snapshot.file("_main/lib/__init__.py")).unwrap(), b"");
    assert_eq!(fs::read_link(snapshot.file("_main/venv/bin/lib")).unwrap(), Path::new("../../lib"));
    assert_eq!(fs::read_to_string(snapshot.file("_main/venv/bin/lib/data.txt")).unwrap(), "hello\n");
    assert_eq!(fs::read_to_string(snapshot.file("_repo_mapping")).unwrap(), ",_main,_main\n");
    let copy = fs::read(lab.store.path_of(&manifest.digest()).join("manifest")).unwrap();
    assert_eq!(CodeManifest::parse(&copy).unwrap(), manifest);
    assert!(lab.files("tmp").is_empty());
}

#[test]
fn files_in_the_store_are_never_writable_and_the_root_is_private() {
    let lab = Lab::new();
    lab.take(&lab.manifest()).unwrap();
    let cas = lab.files("cas");
    assert_eq!(cas.len(), 3);
    for path in cas {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o555, "{}", path.display());
    }
    assert_eq!(fs::metadata(lab.store.root()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_snapshot_outlives_its_sources_and_taking_it_again_reads_none() {
    let lab = Lab::new();
    let manifest = lab.manifest();
    let first = lab.take(&manifest).unwrap();
    fs::remove_dir_all(lab.source()).unwrap();
    let second = lab.take(&manifest).unwrap();
    assert_eq!(second.new_files(), 0);
    assert_eq!(lab.store.find(&manifest.digest()).unwrap(), Some(second));
    assert_eq!(run(&first.file("_main/job")).stdout, b"hello\n");
}

#[test]
fn an_edit_in_place_of_the_source_does_not_reach_the_snapshot() {
    let lab = Lab::new();
    let snapshot = lab.take(&lab.manifest()).unwrap();
    lab.write("_main/lib/data.txt", "edited");
    assert_eq!(fs::read_to_string(snapshot.file("_main/lib/data.txt")).unwrap(), "hello\n");
}

#[test]
fn a_second_snapshot_copies_only_what_is_new() {
    let lab = Lab::new();
    let first = lab.take(&lab.manifest()).unwrap();
    lab.write("_main/lib/data.txt", "other");
    let second = lab.take(&lab.manifest()).unwrap();
    assert_ne!(first.digest(), second.digest());
    assert_eq!((second.new_files(), second.new_bytes()), (1, 5));
    let inode = |snapshot: &SnapshotRef| fs::metadata(snapshot.file("_main/job")).unwrap().ino();
    assert_eq!(inode(&first), inode(&second));
}

#[test]
fn many_files_are_copied_in_parallel_and_the_first_changed_one_is_named() {
    let lab = Lab::new();
    let mut entries = vec![lab.file("_main/job")];
    for n in 0..200 {
        let path = format!("_main/many/{n:03}");
        lab.write(&path, &format!("content {n}"));
        entries.push(lab.file(&path));
    }
    let manifest = CodeManifest::new(entries).unwrap();
    for n in [41, 40, 199] {
        lab.write(&format!("_main/many/{n:03}"), "changed");
    }
    assert_eq!(error_code(lab.take(&manifest)).0, "changed_since_build");
    assert!(lab.take(&manifest).unwrap_err().to_string().contains("`_main/many/040`"));
    for n in [41, 40, 199] {
        lab.write(&format!("_main/many/{n:03}"), &format!("content {n}"));
    }
    let snapshot = lab.take(&manifest).unwrap();
    assert_eq!(snapshot.new_files(), 201);
    assert_eq!(fs::read_to_string(snapshot.file("_main/many/123")).unwrap(), "content 123");
}

#[test]
fn a_file_that_is_not_as_built_is_named_and_leaves_no_trace() {
    let lab = Lab::new();
    let manifest = lab.manifest();
    let nothing_done = || {
        assert!(lab.files("cas").is_empty() && lab.files("snap").is_empty() && lab.files("tmp").is_empty());
    };
    let data = lab.source().join("_main/lib/data.txt");

    lab.write("_main/lib/data.txt", "hellO\n");
    let (code, message) = error_code(lab.take(&manifest));
    assert_eq!(code, "changed_since_build");
    assert!(message.contains("`_main/lib/data.txt`") && message.contains("build again"), "{message}");
    nothing_done();

    fs::remove_file(&data).unwrap();
    let (code, message) = error_code(lab.take(&manifest));
    assert_eq!(code, "missing_runfile");
    assert!(message.contains("build again"), "{message}");
    symlink("gone", &data).unwrap();
    assert_eq!(error_code(lab.take(&manifest)).0, "missing_runfile");
    nothing_done();

    fs::remove_file(&data).unwrap();
    fs::create_dir(&data).unwrap();
    assert_eq!(error_code(lab.take(&manifest)).0, "runfile_not_a_file");
    fs::remove_dir(&data).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &data, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(error_code(lab.take(&manifest)).0, "runfile_not_a_file");
    nothing_done();
}

#[test]
fn an_inode_with_all_the_links_it_can_have_gets_a_successor() {
    fn at_most_three(from: &Path, to: &Path) -> io::Result<()> {
        if fs::metadata(from)?.nlink() >= 3 {
            return Err(rustix::io::Errno::MLINK.into());
        }
        fs::hard_link(from, to)
    }
    let mut lab = Lab::new();
    lab.store.linker = at_most_three;
    let mut entries = vec![lab.file("_main/job")];
    for n in 0..7 {
        lab.write(&format!("_main/same/{n}"), "the same");
        entries.push(lab.file(&format!("_main/same/{n}")));
    }
    let snapshot = lab.take(&CodeManifest::new(entries).unwrap()).unwrap();
    let mut inodes = HashSet::new();
    for n in 0..7 {
        let path = snapshot.file(&format!("_main/same/{n}"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "the same");
        let meta = fs::metadata(&path).unwrap();
        assert!(meta.nlink() <= 3 && meta.mode() & 0o777 == 0o555);
        inodes.insert(meta.ino());
    }
    assert_eq!(inodes.len(), 4, "two names each besides the one in the CAS");
    assert_eq!(lab.files("cas").len(), 2);
}

#[test]
fn where_hard_links_do_not_reach_files_are_copied() {
    let mut lab = Lab::new();
    lab.store.linker = |_, _| Err(rustix::io::Errno::XDEV.into());
    let snapshot = lab.take(&lab.manifest()).unwrap();
    assert_eq!(run(&snapshot.file("_main/job")).stdout, b"hello\n");
    assert_eq!(fs::metadata(snapshot.file("_main/job")).unwrap().nlink(), 1);
    let report = lab.store.collect(&HashSet::from([snapshot.digest()]), Duration::ZERO, false).unwrap();
    assert_eq!((report.snapshots_removed, report.files_removed, report.kept), (0, 3, 1));
    assert_eq!(run(&snapshot.file("_main/job")).stdout, b"hello\n");
}

#[test]
fn a_file_that_a_job_wrote_to_is_not_given_to_the_next_snapshot() {
    let lab = Lab::new();
    let first = lab.take(&lab.manifest()).unwrap();
    let victim = first.file("_main/lib/data.txt");
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&victim, "HELLO\n").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o555)).unwrap();
    lab.write("_repo_mapping", "another\n");
    let second = lab.take(&lab.manifest()).unwrap();
    assert_eq!(second.new_files(), 2);
    assert_eq!(fs::read_to_string(second.file("_main/lib/data.txt")).unwrap(), "hello\n");
}

#[test]
fn a_snapshot_that_was_changed_in_any_way_is_not_used_and_taken_anew() {
    let lab = Lab::new();
    let manifest = lab.manifest();
    let digest = manifest.digest();
    assert_eq!(lab.store.intact(&digest).unwrap(), None);
    type Change = fn(&Path);
    let write = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path, "changed").unwrap();
    };
    let changes: [(&str, Change); 9] = [
        ("runfiles/_main/job", write),
        ("runfiles/_main/lib/data.txt", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap()
        }),
        ("runfiles/_main/lib/data.txt", |path| {
            // Another file with the same bytes is not one that is known to have them.
            fs::remove_file(path).unwrap();
            fs::write(path, "hello\n").unwrap();
        }),
        ("runfiles/_repo_mapping", |path| fs::remove_file(path).unwrap()),
        ("runfiles/_main/lib/__init__.py", write),
        ("runfiles/_main/venv/bin/lib", |path| {
            fs::remove_file(path).unwrap();
            symlink("../../elsewhere", path).unwrap();
        }),
        ("runfiles/_main/lib", |path| {
            fs::rename(path, path.with_extension("old")).unwrap();
            fs::write(path, "").unwrap();
        }),
        ("manifest", write),
        ("manifest", |path| fs::remove_file(path).unwrap()),
    ];
    for (name, change) in changes {
        let taken = lab.take(&manifest).unwrap();
        assert_eq!(lab.store.intact(&digest).unwrap(), lab.store.find(&digest).unwrap(), "before {name}");
        let path = lab.store.path_of(&digest).join(name);
        change(&path);
        let (code, message) = error_code(lab.store.intact(&digest).map(Option::unwrap));
        assert_eq!(code, "code_store_damaged", "{name}");
        assert!(message.contains(path.to_str().unwrap()), "{name}: {message}");
        assert_eq!(lab.store.intact(&digest).unwrap(), None);
        assert!(lab.files("tmp").is_empty());
        assert!(!taken.runfiles().exists());
    }
    lab.take(&manifest).unwrap();
    assert_eq!(run(&lab.store.executable(&digest, "_main/job")).stdout, b"hello\n");
}

#[test]
fn threads_and_processes_taking_the_same_snapshot_at_once_all_get_it() {
    if let Some(dir) = role() {
        let manifest = CodeManifest::parse(&fs::read(dir.join("manifest")).unwrap()).unwrap();
        let store = Store::open(dir.join("store")).unwrap();
        let snapshot = store.materialize(&manifest, &|runfile| dir.join("src").join(runfile)).unwrap();
        assert!(snapshot.file("_main/many/0").exists());
        return;
    }
    let lab = Lab::new();
    let mut entries = lab.manifest().entries().to_vec();
    for n in 0..100 {
        let path = format!("_main/many/{n}");
        lab.write(&path, &format!("{n}"));
        entries.push(lab.file(&path));
    }
    let manifest = CodeManifest::new(entries).unwrap();
    fs::write(lab.dir.path().join("manifest"), manifest.text()).unwrap();

    let test = "threads_and_processes_taking_the_same_snapshot_at_once_all_get_it";
    let children: Vec<_> = (0..4)
        .map(|_| {
            again(test, lab.dir.path().to_str().unwrap())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| lab.take(&manifest).unwrap());
        }
    });
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child ran the test");
    }
    assert_eq!(lab.files("cas").len(), 103);
    assert_eq!(lab.files("snap").len(), 106, "files, the empty one, the link, the manifest");
    assert!(lab.files("tmp").is_empty());
}

#[test]
fn snapshots_survive_a_collector_that_sweeps_all_the_time() {
    let lab = Lab::new();
    let manifests: Vec<_> = (0..10)
        .map(|n| {
            lab.write("_main/lib/data.txt", &format!("{n}"));
            let source = lab.dir.path().join(format!("src{n}"));
            fs::create_dir_all(source.join("_main/lib")).unwrap();
            for file in ["_main/job", "_main/lib/data.txt", "_repo_mapping"] {
                fs::copy(lab.source().join(file), source.join(file)).unwrap();
            }
            (source, lab.manifest())
        })
        .collect();
    let wanted: HashSet<_> = manifests.iter().map(|(_, manifest)| manifest.digest()).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                lab.store.collect(&wanted, Duration::ZERO, false).unwrap();
            }
        });
        for (source, manifest) in &manifests {
            lab.store.materialize(manifest, &|runfile| source.join(runfile)).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for (n, (_, manifest)) in manifests.iter().enumerate() {
        let job = lab.store.executable(&manifest.digest(), manifest.executable());
        assert_eq!(String::from_utf8(run(&job).stdout).unwrap(), format!("{n}"));
    }
}

/// Three snapshots that share the script; the last write's content is the data file's.
fn three(lab: &Lab) -> Vec<SnapshotRef> {
    ["one", "two", "three"]
        .map(|content| {
            lab.write("_main/lib/data.txt", content);
            lab.take(&lab.manifest()).unwrap()
        })
        .into()
}

#[test]
fn the_collector_honors_the_roots_of_every_workspace_that_exists() {
    let lab = Lab::new();
    let snapshots = three(&lab);
    let other = lab.dir.path().join("other workspace");
    let gone = lab.dir.path().join("gone");
    fs::create_dir(&other).unwrap();
    let roots =
        |snapshot: &SnapshotRef| Roots { codes: BTreeSet::from([snapshot.digest()]), ..Roots::default() };
    lab.store.write_roots(&other, &roots(&snapshots[1])).unwrap();
    lab.store.write_roots(&gone, &roots(&snapshots[2])).unwrap();
    let reachable = HashSet::from([snapshots[0].digest()]);

    let dry = lab.store.collect(&reachable, Duration::ZERO, true).unwrap();
    assert_eq!((dry.snapshots_removed, dry.files_removed, dry.kept), (1, 1, 2));
    let manifest_size =
        fs::metadata(lab.store.path_of(&snapshots[2].digest()).join("manifest")).unwrap().len();
    assert_eq!(dry.bytes, 5 + manifest_size);
    assert_eq!(run(&snapshots[2].file("_main/job")).stdout, b"three");

    assert_eq!(lab.store.collect(&reachable, Duration::ZERO, false).unwrap(), dry);
    assert_eq!(run(&snapshots[0].file("_main/job")).stdout, b"one");
    assert_eq!(run(&snapshots[1].file("_main/job")).stdout, b"two");
    assert_eq!(lab.store.find(&snapshots[2].digest()).unwrap(), None);
    assert_eq!(lab.files("roots").len(), 1, "the gone workspace is forgotten");

    fs::remove_file(lab.store.roots_path(&WorkspaceId::of(&other))).unwrap();
    let all = lab.store.collect(&HashSet::new(), Duration::ZERO, false).unwrap();
    assert_eq!((all.snapshots_removed, all.kept), (2, 0));
    assert!(lab.files("cas").is_empty() && lab.files("snap").is_empty());
}

#[test]
fn the_collector_leaves_what_was_asked_for_lately() {
    let lab = Lab::new();
    let snapshots = three(&lab);
    let hour = Duration::from_secs(3600);
    assert_eq!(lab.store.collect(&HashSet::new(), hour, false).unwrap().kept, 3);

    let age = |snapshot: &SnapshotRef| {
        let dir = fs::File::open(lab.store.path_of(&snapshot.digest())).unwrap();
        dir.set_modified(std::time::SystemTime::now() - 2 * hour).unwrap();
    };
    snapshots.iter().for_each(age);
    // The manifest now on disk is the third one: asking for it again makes it young.
    lab.take(&lab.manifest()).unwrap();
    let report = lab.store.collect(&HashSet::new(), hour, false).unwrap();
    assert_eq!((report.snapshots_removed, report.kept), (2, 1));
    assert!(lab.store.find(&snapshots[2].digest()).unwrap().is_some());
}

#[test]
fn the_collector_takes_the_rest_of_crashes() {
    let lab = Lab::new();
    lab.take(&lab.manifest()).unwrap();
    let tmp = lab.store.root().join("tmp");
    fs::create_dir(tmp.join("12-crashed")).unwrap();
    fs::write(tmp.join("12-crashed/half"), "x").unwrap();
    fs::write(lab.store.root().join("cas").join(&lab.files("cas")[0]).with_file_name("half"), "orphan")
        .unwrap();
    let report = lab.store.collect(&HashSet::new(), Duration::from_secs(3600), false).unwrap();
    assert_eq!((report.files_removed, report.bytes, report.kept), (1, 6, 1));
    assert!(lab.files("tmp").is_empty());
}

#[test]
fn roots_that_cannot_be_understood_stop_the_collector() {
    let lab = Lab::new();
    let snapshot = lab.take(&lab.manifest()).unwrap();
    let path = lab.store.root().join("roots/x.json");
    for text in ["{\"format\":2,\"new\":1}", "garbage", "{\"format\":1,\"workspace\":\"/\"}"] {
        fs::write(&path, text).unwrap();
        let error = lab.store.collect(&HashSet::new(), Duration::ZERO, false).unwrap_err();
        assert_eq!(error.code(), "bad_roots");
        assert!(error.to_string().contains("x.json"), "{error}");
        assert!(lab.store.find(&snapshot.digest()).unwrap().is_some());
    }
}

#[test]
fn the_programs_own_copy_is_keyed_by_content_and_kept_by_roots() {
    let lab = Lab::new();
    let program = lab.source().join("databuild");
    fs::write(&program, "#!/bin/sh\necho v1\n").unwrap();
    let v1 = lab.store.binary(&program).unwrap();
    assert_eq!(v1.file_name().unwrap(), "databuild");
    assert_eq!(lab.store.binary(&program).unwrap(), v1);
    let digest = lab.store.binary_digest(&v1).unwrap();
    assert_eq!(digest, FileDigest::from_bytes(Sha256::digest("#!/bin/sh\necho v1\n").into()));
    assert_eq!(lab.store.binary_digest(&program), None);

    fs::write(&program, "#!/bin/sh\necho v2\n").unwrap();
    let v2 = lab.store.binary(&program).unwrap();
    assert_ne!(v1, v2);
    fs::remove_file(&program).unwrap();
    assert_eq!(run(&v1).stdout, b"v1\n");
    assert_eq!(run(&v2).stdout, b"v2\n");
    assert_eq!(lab.store.binary(&program).unwrap_err().code(), "code_store_io");

    let roots = Roots { binaries: BTreeSet::from([digest]), ..Roots::default() };
    lab.store.write_roots(lab.dir.path(), &roots).unwrap();
    let report = lab.store.collect(&HashSet::new(), Duration::ZERO, false).unwrap();
    assert_eq!((report.files_removed, report.bytes), (1, 18));
    assert!(v1.exists() && !v2.exists());
}

#[test]
fn a_program_seen_before_is_not_read_again() {
    let lab = Lab::new();
    // Its inode has not changed for long, so it is remembered at first sight.
    let program = Path::new("/bin/sh");
    let copy = lab.store.binary(program).unwrap();
    assert_eq!(lab.files("bin/index").len(), 1);
    assert_eq!(lab.store.binary(program).unwrap(), copy);
    // A copy damaged behind the index is noticed and made again.
    fs::remove_file(&copy).unwrap();
    assert_eq!(lab.store.binary(program).unwrap(), copy);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(program).unwrap());
    // One that was read would be remembered under the content that it has.
    let place = copy.parent().unwrap().with_file_name("0".repeat(64)).join("sh");
    fs::create_dir(place.parent().unwrap()).unwrap();
    fs::rename(&copy, &place).unwrap();
    assert_eq!(lab.store.binary(&place).unwrap(), place);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_half_written() {
    let test = "a_full_disk_is_named_and_nothing_is_left_half_written";
    if let Some(full) = role() {
        let source = PathBuf::from(std::env::var_os("DATABUILD_TEST_SOURCE").unwrap());
        let manifest = CodeManifest::parse(&fs::read(source.join("manifest")).unwrap()).unwrap();
        let store = Store::open(full.join("store")).unwrap();
        let error = store.materialize(&manifest, &|runfile| source.join(runfile)).unwrap_err();
        assert_eq!(error.code(), "disk_full", "{error}");
        assert!(error.to_string().contains(full.to_str().unwrap()), "{error}");
        for part in ["cas", "snap", "tmp"] {
            assert_eq!(fs::read_dir(full.join("store").join(part)).unwrap().count(), 0, "{part}");
        }
        println!("disk was full: {error}");
        return;
    }
    // A real full file system where this user may mount one in a namespace of his own; else a limit
    // on the size of files, which write(2) reports by another number but which means the same to us.
    const SMALL_DISK: &str = r#"
        own() { unshare --mount true 2>/dev/null && unshare --mount "$@" || unshare -U -r --mount "$@"; }
        mount_small='mount -t tmpfs -o size=1m none "$DATABUILD_TEST_ROLE"'
        if own sh -c "$mount_small" 2>/dev/null; then
            own sh -c "$mount_small"' && exec "$@"' sh "$@"
        else
            trap '' XFSZ
            ulimit -f 2048
            "$@"
        fi"#;
    let lab = Lab::new();
    lab.write("_main/lib/data.txt", &"x".repeat(4 << 20));
    fs::write(lab.source().join("manifest"), lab.manifest().text()).unwrap();
    let full = tempfile::tempdir().unwrap();
    let child = again(test, "");
    let output = Command::new("sh")
        .args(["-c", SMALL_DISK, "sh"])
        .arg(child.get_program())
        .args(child.get_args())
        .env("DATABUILD_TEST_ROLE", full.path())
        .env("DATABUILD_TEST_SOURCE", lab.source())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("disk was full"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The repository that `source` knows as `name`: an entry of its own, or else the one with the longest prefix.
fn mapped<'a>(mapping: &'a str, source: &str, name: &str) -> Option<&'a str> {
    let fits = |entry: &str| match entry.strip_suffix('*') {
        Some(prefix) => source.starts_with(prefix).then_some(prefix.len()),
        None => (entry == source).then_some(usize::MAX),
    };
    mapping
        .lines()
        .filter_map(|line| {
            let [entry, apparent, canonical] = line.split(',').collect::<Vec<_>>()[..] else {
                panic!("not an entry: {line}");
            };
            (apparent == name).then(|| fits(entry)).flatten().map(|length| (length, canonical))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, canonical)| canonical)
}

/// Bazel 9 writes one entry for all repositories of a module extension; those before it one for each.
#[test]
fn the_jobs_own_repo_mapping_stands_where_runfiles_libraries_look() {
    for golden in [include_str!("testdata/exact.repo_mapping"), include_str!("testdata/compact.repo_mapping")]
    {
        let lab = Lab::new();
        lab.write("_main/job.repo_mapping", golden);
        lab.write("+deps+dep1/table.txt", "of dep1\n");
        lab.write("+deps+dep2/table.txt", "of dep2\n");
        let files = ["_main/job", "_main/job.repo_mapping", "+deps+dep1/table.txt", "+deps+dep2/table.txt"];
        let manifest = CodeManifest::new(files.map(|path| lab.file(path)).to_vec()).unwrap();
        let taken = lab.take(&manifest).unwrap();

        let mapping = fs::read_to_string(taken.file("_repo_mapping")).unwrap();
        assert_eq!(mapping, golden);
        for (source, name, content) in [
            ("", "dep", "of dep1\n"),
            ("+deps+dep1", "dep2", "of dep2\n"),
            ("+deps+dep2", "dep", "of dep1\n"),
        ] {
            let repository = mapped(&mapping, source, name).unwrap();
            let table = taken.file(&format!("{repository}/table.txt"));
            assert_eq!(fs::read_to_string(table).unwrap(), content);
        }
        assert_eq!(mapped(&mapping, "+deps+dep2", "work"), Some("_main"));
        assert_eq!(mapped(&mapping, "", "dep2"), None);
    }
}
