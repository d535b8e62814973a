use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{symlink, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

struct Lab(TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A directory with files of this content, all the same.
    fn dir(&self, name: &str, content: &str) -> PathBuf {
        for file in ["a.txt", "b.txt", "sub/c.txt"] {
            self.file(&format!("{name}/{file}"), content);
        }
        self.path(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

fn unreserved() -> Reserved {
    Reserved::new(Path::new("/no workspace"), Path::new("/no workspace/state"))
}

fn output(staging: &Path, place: &Path) -> Output {
    let content = Some(ContentHash::from_sha256([0; 32]));
    Output { staging: staging.to_owned(), place: place.to_owned(), content, body: 0 }
}

/// Publishes one output; returns the folders that changed.
fn publish(staging: &Path, place: &Path) -> Result<BTreeSet<PathBuf>, PublishError> {
    carry_out(Publication::first(vec![output(staging, place)]))
}

fn carry_out(mut publication: Publication) -> Result<BTreeSet<PathBuf>, PublishError> {
    publication.forward(&unreserved())?;
    Ok(publication.changed_dirs().clone())
}

const NO_FLAGS: Rename = |from, to, flags| match flags.is_empty() {
    true => rustix::fs::rename(from, to),
    false => Err(Errno::INVAL),
};

fn refused(path: &Path) -> (&'static str, String) {
    let error = inspect(path).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn the_hash_of_a_file_is_the_sha256_of_its_bytes() {
    let lab = Lab::new();
    let found = inspect(&lab.file("abc", "abc")).unwrap();
    assert_eq!(
        found.hash.to_string(),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!((found.kind, found.bytes, found.files), (Kind::File, 3, 1));
}

#[test]
fn the_hash_of_a_directory_is_pinned_because_it_is_stored() {
    let lab = Lab::new();
    lab.file("d/b.txt", "abc");
    fs::create_dir(lab.path("d/a")).unwrap();
    symlink("../b.txt", lab.path("d/a/l")).unwrap();

    let mut expected = Sha256::new();
    expected.update(b"databuild-directory 1\n");
    expected.update(b"\x01\x01\0\0\0\0\0\0\0a");
    expected.update(b"\x03\x03\0\0\0\0\0\0\0a/l\x08\0\0\0\0\0\0\0../b.txt");
    expected.update(b"\x02\x05\0\0\0\0\0\0\0b.txt");
    expected.update(Sha256::digest("abc"));
    let found = inspect(&lab.path("d")).unwrap();
    assert_eq!(found.hash, ContentHash::from_sha256(expected.finalize().into()));
    assert_eq!((found.kind, found.bytes, found.files), (Kind::Dir, 3, 1));
}

#[test]
fn every_change_to_a_directory_changes_its_hash_and_its_mark_and_a_touch_only_its_mark() {
    let lab = Lab::new();
    let dir = lab.dir("d", "1");
    let changes: [(&str, &dyn Fn()); 6] = [
        ("content", &|| fs::write(dir.join("a.txt"), "2").unwrap()),
        ("name", &|| fs::rename(dir.join("a.txt"), dir.join("z.txt")).unwrap()),
        ("empty folder", &|| fs::create_dir(dir.join("empty")).unwrap()),
        ("link", &|| symlink("b.txt", dir.join("link")).unwrap()),
        ("file gone", &|| fs::remove_file(dir.join("b.txt")).unwrap()),
        ("deep file", &|| fs::write(dir.join("sub/d.txt"), "").unwrap()),
    ];
    for (what, change) in changes {
        let before = inspect(&dir).unwrap();
        change();
        let after = inspect(&dir).unwrap();
        assert_ne!(before.hash, after.hash, "{what}");
        assert_ne!(before.mark, after.mark, "{what}");
    }
    let before = inspect(&dir).unwrap();
    File::open(dir.join("sub/c.txt")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let after = inspect(&dir).unwrap();
    assert_eq!(before.hash, after.hash);
    assert_ne!(before.mark, after.mark);
}

#[test]
fn what_cannot_be_published_is_refused_with_its_path() {
    let lab = Lab::new();
    assert_eq!(refused(&lab.path("nothing")).0, "output_missing");
    lab.file("target", "x");
    symlink("target", lab.path("link")).unwrap();
    assert_eq!(refused(&lab.path("link")).0, "output_link_outside");

    let fifo = |path: &Path| {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    };
    fifo(&lab.path("fifo"));
    assert_eq!(refused(&lab.path("fifo")).0, "output_special_file");
    let dir = lab.dir("d", "x");
    fifo(&dir.join("sub/fifo"));
    let (code, message) = refused(&dir);
    assert_eq!(code, "output_special_file");
    assert!(message.contains("sub/fifo"), "{message}");
    fs::remove_file(dir.join("sub/fifo")).unwrap();

    for (target, inside) in [
        ("../a.txt", true),
        ("./c.txt", true),
        ("not there", true),
        ("..", true),
        ("../../d/a.txt", false),
        ("/etc/passwd", false),
        ("x/../../..", false),
    ] {
        symlink(target, dir.join("sub/l")).unwrap();
        match inspect(&dir) {
            Ok(_) => assert!(inside, "{target}"),
            Err(error) => {
                assert!(!inside, "{target}: {error}");
                assert_eq!(error.code(), "output_link_outside");
                assert!(error.to_string().contains("sub/l"), "{error}");
            }
        }
        fs::remove_file(dir.join("sub/l")).unwrap();
    }
}

#[test]
fn an_external_file_is_seen_through_the_users_link_and_may_be_missing() {
    let lab = Lab::new();
    let data = lab.file("disk/data.csv", "1");
    symlink("disk/data.csv", lab.path("data.csv")).unwrap();
    let seen = observe(&lab.path("data.csv")).unwrap().unwrap();
    assert_eq!(seen, inspect(&data).unwrap());
    assert_eq!(stat_mark(&lab.path("data.csv")).unwrap(), Some(seen.mark));
    fs::write(&data, "22").unwrap();
    assert_ne!(stat_mark(&lab.path("data.csv")).unwrap(), Some(seen.mark));
    fs::remove_file(&data).unwrap();
    assert_eq!(observe(&lab.path("data.csv")).unwrap(), None);
    assert_eq!(stat_mark(&lab.path("data.csv")).unwrap(), None);
    assert_eq!(stat_mark(&lab.path("disk/data.csv/below")).unwrap(), None);
}

#[test]
fn a_mark_taken_in_the_place_is_that_of_what_was_published() {
    let lab = Lab::new();
    for (staging, path) in [(lab.file("s1", "x"), lab.path("out/f")), (lab.dir("s2", "x"), lab.path("out/d"))]
    {
        let inspected = inspect(&staging).unwrap();
        publish(&staging, &path).unwrap();
        let mark = stat_mark(&path).unwrap().unwrap();
        assert_eq!(observe(&path).unwrap(), Some(Inspected { mark, ..inspected }));
        assert_eq!(check_files(&[(path, mark)], 1), [FileState::Same]);
    }
}

#[test]
fn publishing_creates_the_folders_above_and_names_every_changed_one() {
    let lab = Lab::new();
    let staging = lab.file("staging", "new");
    fs::create_dir(lab.path("out")).unwrap();
    sync(&[&staging]).unwrap();
    let changed = publish(&staging, &lab.path("out/a/b/file")).unwrap();
    assert_eq!(read(lab.path("out/a/b/file")), "new");
    assert_eq!(changed, BTreeSet::from(["out", "out/a", "out/a/b"].map(|name| lab.path(name))));
    assert_eq!(sync_dirs(&changed), BTreeMap::new());
    assert_eq!(
        sync_dirs(&BTreeSet::from([lab.path("out"), lab.path("none")])),
        BTreeMap::from([(lab.path("none"), Errno::NOENT)])
    );
    let changed = publish(&lab.file("staging", "newer"), &lab.path("out/a/b/file")).unwrap();
    assert_eq!(changed, BTreeSet::from([lab.path("out/a/b")]));
}

/// Publishes each kind of output over each kind of what may be there.
fn over_everything(alter: impl Fn(Publication) -> Publication) {
    type Make = fn(&Lab);
    let old: [(&str, Make); 6] = [
        ("nothing", |_| {}),
        ("file", |lab| drop(lab.file("out", "old"))),
        ("directory", |lab| drop(lab.dir("out", "old"))),
        ("empty directory", |lab| fs::create_dir(lab.path("out")).unwrap()),
        ("link to file", |lab| symlink(lab.file("elsewhere", "old"), lab.path("out")).unwrap()),
        ("link to directory", |lab| symlink(lab.dir("elsewhere", "old"), lab.path("out")).unwrap()),
    ];
    for (what, make_old) in old {
        for directory in [false, true] {
            let lab = Lab::new();
            make_old(&lab);
            let staging = if directory { lab.dir("staging", "new") } else { lab.file("staging", "new") };
            let hash = inspect(&staging).unwrap().hash;
            carry_out(alter(Publication::first(vec![output(&staging, &lab.path("out"))]))).unwrap();
            let context = format!("{what} {directory}");
            assert_eq!(inspect(&lab.path("out")).unwrap().hash, hash, "{context}");
            // What was replaced waits in the folder of the staging path.
            remove(&staging).unwrap();
            remove(&lab.path(".databuild-replaced")).unwrap();
            if what.starts_with("link") {
                assert_eq!(lab.names(), ["elsewhere", "out"], "{context}");
                let there = lab.path("elsewhere");
                let file = if there.is_dir() { there.join("a.txt") } else { there };
                assert_eq!(read(file), "old", "{context}: written through the link");
            } else {
                assert_eq!(lab.names(), ["out"], "{context}");
            }
        }
    }
}

#[test]
fn any_output_replaces_whatever_is_there_and_follows_no_link() {
    over_everything(|publication| publication);
}

#[test]
fn where_paths_cannot_be_exchanged_two_renames_do() {
    over_everything(|publication| publication.with_rename(NO_FLAGS));
}

#[test]
fn links_in_the_folders_above_are_the_users_layout() {
    let lab = Lab::new();
    fs::create_dir(lab.path("big disk")).unwrap();
    symlink("big disk", lab.path("out")).unwrap();
    publish(&lab.file("staging", "new"), &lab.path("out/sub/f")).unwrap();
    assert_eq!(read(lab.path("big disk/sub/f")), "new");
}

#[test]
fn failures_of_publishing_are_named_and_leave_the_old_output() {
    let lab = Lab::new();
    let code = |staging: &Path, path: &Path| publish(staging, path).unwrap_err().code();
    let old = lab.file("out/f", "old");
    assert_eq!(code(&lab.path("nothing"), &old), "output_missing");
    assert_eq!(code(&lab.file("staging", "new"), &lab.path("out/f/below")), "output_io");
    assert_eq!(read(&old), "old");
    assert_eq!(read(lab.path("staging")), "new");
    let other = Path::new("/proc/self/databuild-test");
    assert_eq!(code(&lab.path("staging"), other), "output_other_file_system");
    assert_eq!(PublishError::io("write", &old, Errno::NOSPC).code(), "disk_full");
    assert_eq!(PublishError::io("write", &old, Errno::DQUOT).code(), "disk_full");
}

#[test]
fn a_file_that_is_still_being_written_is_noticed() {
    let lab = Lab::new();
    let path = lab.file("out", &"x".repeat(1 << 20));
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                file.write_all(b"x").unwrap();
            }
        });
        // The writer never pauses and one look takes many of its writes.
        let seen = (0..1000).any(|_| matches!(inspect(&path), Err(PublishError::StillChanging { .. })));
        done.store(true, Ordering::Relaxed);
        seen
    });
    assert!(seen);
    inspect(&path).unwrap();
}

#[test]
fn a_reader_never_sees_a_torn_file() {
    let lab = Lab::new();
    let path = lab.path("out");
    let content = |n: usize| format!("{n:08}").repeat(4096);
    publish(&lab.file("staging", &content(0)), &path).unwrap();
    let done = AtomicBool::new(false);
    let versions = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut versions = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let text = read(&path);
                assert_eq!(text.len(), 8 * 4096);
                assert_eq!(text, text[..8].repeat(4096));
                versions.insert(text[..8].to_owned());
            }
            versions
        });
        for n in 1..200 {
            publish(&lab.file("staging", &content(n)), &path).unwrap();
            remove(&lab.path("staging")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(!versions.is_empty());
    assert_eq!(read(&path), content(199));
}

#[test]
fn a_reader_never_sees_a_mixed_or_missing_directory() {
    let lab = Lab::new();
    let path = lab.path("out");
    publish(&lab.dir("staging", "0"), &path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let open =
                |dir: &File, name: &str| rustix::fs::openat(dir, name, rustix::fs::OFlags::RDONLY, 0.into());
            while !done.load(Ordering::Relaxed) {
                // The name always leads to a directory; its files are of one version, or it is the
                // old one and being removed.
                let dir = File::open(&path).unwrap();
                let texts: Vec<String> = ["a.txt", "b.txt", "sub/c.txt"]
                    .into_iter()
                    .filter_map(|name| open(&dir, name).ok())
                    .map(|fd| {
                        let mut text = String::new();
                        File::from(fd).read_to_string(&mut text).unwrap();
                        text
                    })
                    .collect();
                assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
                assert!(texts.iter().all(|text| !text.is_empty()));
            }
        });
        for n in 1..100 {
            publish(&lab.dir("staging", &n.to_string()), &path).unwrap();
            remove(&lab.path("staging")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(read(path.join("sub/c.txt")), "99");
}

/// Three outputs of one attempt, files, of which each replaces one.
fn three(lab: &Lab) -> Vec<Output> {
    let one = |n| {
        let staging = lab.file(&format!("staging/{n}/f"), "new");
        let content = Some(inspect(&staging).unwrap().hash);
        Output { staging, place: lab.file(&format!("out/{n}/f"), "old"), content, body: 0 }
    };
    (0..3).map(one).collect()
}

#[test]
fn what_got_lost_in_a_crash_is_said_and_the_other_outputs_are_put_back() {
    type Crash = fn(&[Output]);
    let crashes: [(&str, Crash, &str, &str); 4] = [
        (
            "the staged bytes did not reach the disk",
            |outputs| fs::write(&outputs[1].staging, "").unwrap(),
            "output_lost",
            "old",
        ),
        (
            "the staging folder is gone",
            |outputs| remove(outputs[1].staging.parent().unwrap()).unwrap(),
            "output_lost",
            "old",
        ),
        (
            "it was published, and then somebody changed it",
            |outputs| {
                publish(&outputs[1].staging, &outputs[1].place).unwrap();
                fs::write(&outputs[1].place, "edited").unwrap();
            },
            "output_lost",
            "edited",
        ),
        (
            "something else is staged",
            |outputs| {
                fs::remove_file(&outputs[1].staging).unwrap();
                symlink("f", &outputs[1].staging).unwrap();
            },
            "output_link_outside",
            "old",
        ),
    ];
    for (what, crash, code, content) in crashes {
        let lab = Lab::new();
        let outputs = three(&lab);
        publish(&outputs[0].staging, &outputs[0].place).unwrap();
        publish(&outputs[2].staging, &outputs[2].place).unwrap();
        crash(&outputs);
        let error = carry_out(Publication::again(outputs)).unwrap_err();
        assert_eq!(error.code(), code, "{what}");
        assert_eq!(
            [0, 1, 2].map(|n| read(lab.path(&format!("out/{n}/f")))),
            ["old", content, "old"],
            "{what}"
        );
    }
}

#[test]
fn a_link_that_leads_into_the_state_folder_by_now_keeps_all_outputs_from_being_published() {
    let lab = Lab::new();
    let outputs = three(&lab);
    fs::rename(lab.path("out/2"), lab.path("state")).unwrap();
    symlink("../state", lab.path("out/2")).unwrap();
    let reserved = Reserved::new(&lab.path("workspace"), &lab.path("state"));
    let error = Publication::first(outputs).forward(&reserved).unwrap_err();
    assert_eq!(error.code(), "output_reserved");
    assert_eq!([0, 1, 2].map(|n| read(lab.path(&format!("out/{n}/f")))), ["old"; 3]);
}

#[test]
fn what_cannot_be_put_back_is_said() {
    let lab = Lab::new();
    let outputs = three(&lab);
    fs::remove_file(&outputs[2].staging).unwrap();
    // The third fails; going back, the second does.
    let rename: Rename = |from, to, flags| match from.is_dir() || (from.ends_with("1/f") && read(to) == "new")
    {
        true => Err(Errno::PERM),
        false => rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags),
    };
    let error = carry_out(Publication::first(outputs).with_rename(rename)).unwrap_err();
    assert_eq!(error.code(), "output_not_put_back");
    let text = error.to_string();
    assert!(text.contains("was not written; the outputs published before it"), "{text}");
    assert!(text.contains("out/1/f was not: cannot restore"), "{text}");
    assert_eq!([0, 1, 2].map(|n| read(lab.path(&format!("out/{n}/f")))), ["old", "new", "old"]);
}

/// Takes all rights from this thread, and from no other: the system call is for one thread.
fn become_common_user() {
    // SAFETY: plain calls; nothing in this process compares users among its threads.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_setresgid, 65534, 65534, 65534), 0);
        assert_eq!(libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534), 0);
    }
}

/// Does `work` on a thread that has no rights but those of a common user, to whom all of the lab belongs.
fn as_common_user(lab: &Lab, work: impl FnOnce() + Send) {
    fn give(path: &Path) {
        std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
        if path.is_dir() && !path.is_symlink() {
            fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
        }
    }
    let root = rustix::process::geteuid().is_root();
    if root {
        give(lab.0.path());
    }
    std::thread::scope(|scope| {
        let user = scope.spawn(|| {
            if root {
                become_common_user();
            }
            work();
        });
        user.join().unwrap();
    });
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn folders_that_their_owner_cannot_write_to_are_published_replaced_and_removed() {
    let lab = Lab::new();
    let outside = lab.dir("outside", "x");
    as_common_user(&lab, || {
        for rename in [None, Some(NO_FLAGS)] {
            for round in ["1", "2"] {
                let staging = lab.dir("staging/0/out", round);
                symlink(&outside, staging.join("sub/link")).unwrap();
                for folder in ["sub", "", ".."] {
                    set_mode(&staging.join(folder), 0o555);
                }
                let publication = Publication::first(vec![output(&staging, &lab.path("out"))]);
                let publication = match rename {
                    Some(rename) => publication.with_rename(rename),
                    None => publication,
                };
                carry_out(publication).unwrap();
                assert_eq!(read(lab.path("out/sub/c.txt")), round);
                assert_eq!([mode(&lab.path("out")), mode(&lab.path("out/sub"))], [0o555, 0o555]);
                set_mode(&lab.path("staging/0"), 0o555);
                remove(&lab.path("staging")).unwrap();
                assert!(!lab.path("staging").exists());
            }
            // And back again.
            let first = lab.dir("staging/0/out", "3");
            set_mode(&first, 0o555);
            let missing = output(&lab.path("staging/1/f"), &lab.path("f"));
            let error = carry_out(Publication::first(vec![output(&first, &lab.path("out")), missing]));
            assert_eq!(error.unwrap_err().code(), "output_missing");
            assert_eq!((read(lab.path("out/a.txt")), mode(&lab.path("out"))), ("2".to_owned(), 0o555));
            remove(&lab.path("staging")).unwrap();
            remove(&lab.path("out")).unwrap();
        }
        assert_eq!((read(outside.join("a.txt")), mode(&outside)), ("x".to_owned(), 0o755));
    });
}

#[test]
fn a_folder_that_nobody_may_write_to_is_named() {
    let lab = Lab::new();
    lab.file("out/f", "old");
    set_mode(&lab.path("out"), 0o555);
    lab.file("tree/sub/f", "x");
    as_common_user(&lab, || {
        let error = publish(&lab.file("staging", "new"), &lab.path("out/f")).unwrap_err();
        assert!(error.to_string().contains("cannot write to the folder"), "{error}");
        assert!(error.to_string().contains("/out: "), "{error}");
        assert_eq!(mode(&lab.path("out")), 0o555);
        set_mode(&lab.path("out"), 0o755);
    });
    if rustix::process::geteuid().is_root() {
        // Not that user's to open.
        std::os::unix::fs::lchown(lab.path("tree/sub"), Some(0), Some(0)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                become_common_user();
                let error = remove(&lab.path("tree")).unwrap_err();
                assert!(error.to_string().contains("cannot remove"), "{error}");
                assert!(error.to_string().contains("/tree/sub/f"), "{error}");
            });
        });
    }
}

#[test]
fn an_empty_output_takes_away_what_was_there_and_nothing_else() {
    for rename in [None, Some(NO_FLAGS)] {
        let lab = Lab::new();
        lab.dir("out/directory", "old");
        lab.file("out/file", "old");
        let empty = |name: &str| {
            let staging = lab.file(&format!("staging/{name}/out"), "what the job left");
            make_ready(&staging, true).unwrap();
            Output { staging, place: lab.path("out").join(name), content: None, body: 0 }
        };
        let mut publication =
            Publication::first(["directory", "file", "none", "file/none"].map(empty).into());
        if let Some(rename) = rename {
            publication = publication.with_rename(rename);
        }
        publication.forward(&unreserved()).unwrap();
        assert_eq!(fs::read_dir(lab.path("out")).unwrap().count(), 0);
        let cause = PublishError::OutputMissing { path: lab.path("x") };
        assert_eq!(publication.back_after(cause).code(), "output_missing");
        assert_eq!([read(lab.path("out/directory/sub/c.txt")), read(lab.path("out/file"))], ["old", "old"]);
    }
}

#[test]
fn batches_of_any_size_and_kind_are_flushed() {
    let lab = Lab::new();
    let mut batch: Vec<_> = (0..100).map(|n| lab.file(&format!("f{n}"), "x")).collect();
    sync(&batch[..0]).unwrap();
    sync(&batch[..10]).unwrap();
    sync(&batch).unwrap();
    batch.truncate(3);
    batch.push(lab.dir("d", "x"));
    sync(&batch).unwrap();
    batch.push(lab.path("nothing"));
    let error = sync(&batch).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn many_outputs_are_told_same_missing_or_changed_in_order() {
    let lab = Lab::new();
    let mut items = Vec::new();
    let mut expected = Vec::new();
    for n in 0..1200 {
        let path = if n % 400 == 7 {
            lab.dir(&format!("d{n}"), "x")
        } else {
            lab.file(&format!("{}/f{n}", n % 5), "x")
        };
        let mark = stat_mark(&path).unwrap().unwrap();
        expected.push(match n % 10 {
            3 => {
                fs::remove_file(&path).unwrap();
                FileState::Missing
            }
            4 => {
                fs::write(&path, "other").unwrap();
                FileState::Changed
            }
            5 => {
                let copy = path.with_extension("copy");
                fs::copy(&path, &copy).unwrap();
                fs::rename(copy, &path).unwrap();
                FileState::Changed
            }
            7 if path.is_dir() => {
                fs::write(path.join("sub/c.txt"), "other").unwrap();
                FileState::Changed
            }
            _ => FileState::Same,
        });
        items.push((path, mark));
    }
    for threads in [0, 1, 2, 7] {
        assert_eq!(check_files(&items, threads), expected, "{threads} threads");
    }
    assert_eq!(check_files(&[], 4), []);
    let meta = fs::metadata(&items[0].0).unwrap();
    assert_eq!(meta.size(), 1);
}
