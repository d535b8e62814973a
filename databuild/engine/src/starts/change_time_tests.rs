//! What times of change tell of the inputs of attempts at real files.

use super::*;
use crate::store::History as _;

/// Writes as many other bytes to the same file, and puts the time of modification back.
fn write_unseen(path: &Path, content: &str) {
    let before = fs::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    fs::write(path, content).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

/// Inputs that are files, or made of files.
fn of_files() -> [(&'static str, Value); 3] {
    [("file", file()), ("glob", glob()), ("folder", dataset("raw", true, Some("in"), Value::Null))]
}

#[test]
fn a_change_that_puts_the_time_of_modification_back_is_seen_before_and_while_a_job_runs() {
    for (kind, raw) in of_files() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}");
        write_unseen(&bench.root().join("in/raw"), "B");
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}: it is other data");
        assert_eq!(bench.made("out.txt"), "out of B", "{kind}");
        // It is there for a moment, and may be what the job has read.
        bench.write("A");
        bench.want("out");
        let mut hooks = Hooks::running(|root, id| {
            if id.number == 1 {
                write_unseen(&root.join("in/raw"), "B");
                write_unseen(&root.join("in/raw"), "A");
            }
        });
        assert_eq!(bench.run(&mut hooks), [MOVED, SUCCESS], "{kind}");
        assert!(bench.ends[bench.ends.len() - 2].1.contains("its input raw was touched"), "{kind}");
        assert_eq!(bench.made("out.txt"), "out of A", "{kind}");
        assert!(bench.build("out").is_empty(), "{kind}");
        // Nor is what was published safe from that.
        write_unseen(&bench.root().join("made/out.txt"), "OUT OF A");
        assert_eq!(bench.build("top"), [SUCCESS, SUCCESS], "{kind}");
        assert_eq!(bench.made("top.txt"), "top of out of A", "{kind}");
    }
}

#[test]
fn a_job_may_make_hard_links_to_what_it_reads() {
    for (kind, raw) in of_files() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        let mut hooks = Hooks::running(|root, id| {
            fs::hard_link(root.join("in/raw"), root.join(format!("made/link of {}", id.run.0))).unwrap();
        });
        assert_eq!(bench.run(&mut hooks), [SUCCESS], "{kind}");
        assert!(bench.build("out").is_empty(), "{kind}: it holds the same");
        // Other data under the cover of a link.
        bench.write("B");
        bench.want("out");
        let mut hooks = Hooks::running(|root, id| {
            if id.number == 1 {
                fs::hard_link(root.join("in/raw"), root.join("made/link")).unwrap();
                write_unseen(&root.join("in/raw"), "C");
            }
        });
        assert_eq!(bench.run(&mut hooks), [MOVED, SUCCESS], "{kind}");
        assert_eq!(bench.made("out.txt"), "out of C", "{kind}");
    }
}

#[test]
fn a_link_that_others_make_between_the_look_and_the_start_moves_nothing() {
    for (kind, raw) in of_files() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        let Some(Effect::Start(spec)) = bench.effects.pop_front() else { panic!("{kind}") };
        let state = bench.core.state.clone();
        let start = || bench.starter.start_spec(&spec, &Told::default(), &state, &Seen::default());
        fs::hard_link(bench.root().join("in/raw"), bench.root().join("made/link")).unwrap();
        let Ok(start_spec) = start() else { panic!("{kind}: it does not start") };
        let request = request::parse_request(start_spec.request.as_bytes()).unwrap();
        assert_eq!(moved::moved_files(&request), [], "{kind}");
        write_unseen(&bench.root().join("in/raw"), "B");
        assert_eq!(moved::moved_files(&request).len(), 1, "{kind}");
        let Err(fault) = start() else { panic!("{kind}: it starts with other data") };
        assert_eq!(fault.message, "its input raw was changed before it started", "{kind}");
    }
}

#[test]
fn an_attempt_that_a_version_began_which_knew_no_times_of_change_is_held_against_the_rest() {
    for (kind, raw) in of_files() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        let Some(Effect::Start(spec)) = bench.effects.pop_front() else { panic!("{kind}") };
        let Ok(start) =
            bench.starter.start_spec(&spec, &Told::default(), &bench.core.state, &Seen::default())
        else {
            panic!()
        };
        let mut request: Value = serde_json::from_str(&start.request).unwrap();
        request.as_object_mut().unwrap().remove("changed_at");
        let input = request["inputs"]["raw"][0].as_object_mut().unwrap();
        input.remove("change_mark");
        input.remove("base");
        let request = request::parse_request(request.to_string().as_bytes()).unwrap();
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(bench.root().join("in/raw"), mode).unwrap();
        assert_eq!(moved::moved_files(&request), [], "{kind}");
        bench.write("B");
        assert_eq!(moved::moved_files(&request).len(), 1, "{kind}");
    }
}

#[test]
fn marks_of_other_versions_cost_a_read_and_make_nothing_stale() {
    for (kind, raw) in of_files() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        assert_eq!(bench.build("top"), [SUCCESS, SUCCESS], "{kind}");
        let mut seen =
            Sightings { graph: Some(bench.core.state.registered().id.clone()), ..Sightings::default() };
        for name in ["raw", "out", "top"] {
            let dataset = bench.core.state.graph().dataset_named(name).unwrap();
            let key = bench.core.state.dataset(dataset).present.first().unwrap();
            let texts = [bench.core.state.partition_text(dataset, &key)];
            let version = bench.starter.reader.materialization_at(&texts, databuild_core::ids::Seq(1 << 40));
            let version = version.unwrap().value.unwrap().version;
            seen.seen.push(Sighting::Content { dataset, key, version, mark: 1 });
        }
        bench.step(Input::Sightings(seen));
        assert_eq!(bench.look(&["top"]).seen.len(), 3, "{kind}: all are read");
        assert!(bench.build("top").is_empty(), "{kind}");
        assert!(bench.look(&["top"]).seen.is_empty(), "{kind}: none is read again");
    }
}
