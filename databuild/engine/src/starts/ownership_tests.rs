//! What lies at the places of outputs before attempts at real files.

use super::*;
use databuild_core::decide::AdoptRequest;

/// What the guard says of an output of that kind, when it is staged.
fn refusal_of(bench: &Bench, makes_file: bool) -> Option<&'static str> {
    let place = bench.root().join("made/out.txt");
    let claim = ownership::Claim { partition: "out", place: &place, is_file: makes_file };
    let state = &bench.core.state;
    let history = History { reader: &bench.starter.reader, told: &Told::default() };
    ownership::check(state, state.registered(), history, [claim]).err().map(|error| error.code())
}

#[test]
fn a_folder_that_nobody_published_keeps_the_job_from_starting_until_it_is_adopted_or_moved() {
    let mut bench = Bench::new(file());
    bench.write("A");
    let place = bench.root().join("made/out.txt");
    fs::create_dir_all(place.join("empty/deep")).unwrap();
    assert_eq!(refusal_of(&bench, true), None, "nothing is lost with it");
    fs::write(place.join("empty/note"), "by hand").unwrap();
    assert_eq!(bench.build("out"), ["Failure { permanent: true }"]);
    let message = &bench.ends.last().unwrap().1;
    for part in [
        "out cannot be published: ",
        "made/out.txt is a folder",
        "empty/note is in it",
        "`databuild adopt out`",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(fs::read_to_string(place.join("empty/note")).unwrap(), "by hand");
    assert_eq!(
        [true, false].map(|makes_file| refusal_of(&bench, makes_file)),
        [Some("folder_not_published"); 2]
    );
    // The same after a look that finds it in the place of what was built.
    fs::rename(&place, bench.root().join("away")).unwrap();
    assert_eq!(bench.build("out"), [SUCCESS]);
    fs::remove_file(&place).unwrap();
    assert_eq!(bench.scan()[0], 1);
    fs::rename(bench.root().join("away"), &place).unwrap();
    assert_eq!(bench.build("out"), ["Failure { permanent: true }"]);
    let found = bench.handle().look_for_adoption(&["out".to_owned()]).unwrap();
    let seen = bench.look(&["out"]);
    let request = AdoptRequest { files: found.files };
    bench.step(Input::Adopt(request, seen));
    assert_eq!([true, false].map(|makes_file| refusal_of(&bench, makes_file)), [None; 2]);
    fs::write(place.join("empty/note"), "more by hand").unwrap();
    assert_eq!(refusal_of(&bench, false), None, "what somebody altered is built again");
    assert_eq!(refusal_of(&bench, true), Some("folder_not_published"), "it makes files");
}

#[test]
fn a_folder_in_the_place_of_a_file_is_kept_also_if_it_came_while_the_job_ran() {
    let mut bench = Bench::new(file());
    bench.write("A");
    assert_eq!(bench.build("out"), [SUCCESS]);
    let place = bench.root().join("made/out.txt");
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    fs::write(place.join("note"), "by hand").unwrap();
    assert_eq!(refusal_of(&bench, true), Some("folder_not_published"));
}

#[test]
fn a_folder_that_a_run_published_is_known_by_its_content_whatever_is_recorded_now() {
    let mut bench = Bench::new(file());
    let place = bench.root().join("made/out.txt");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("part"), "1").unwrap();
    let version = publish::inspect(&place).unwrap().hash.to_string();
    // As if a run had made it for another path template, or as another dataset; or as if it was just seen there.
    for (run, refusal) in [("NULL", Some("folder_not_published")), ("1", None)] {
        let insert = format!(
            "INSERT OR REPLACE INTO materializations VALUES ('other', 99, {run}, '{version}', 0, 1, 0, '{{}}', 0)"
        );
        let database = rusqlite::Connection::open(bench.root().join("log.db")).unwrap();
        database.execute(&insert, []).unwrap();
        assert_eq!([true, false].map(|makes_file| refusal_of(&bench, makes_file)), [refusal; 2], "{run}");
    }
    bench.write("A");
    bench.want("out");
    assert!(matches!(bench.effects.front(), Some(Effect::Start(_))));
}

#[test]
fn a_file_in_the_place_of_a_folder_is_named_with_what_it_is() {
    let mut bench = Bench::new(file());
    bench.write("A");
    assert_eq!(bench.build("out"), [SUCCESS]);
    for (file, whose) in [("made/out.txt", " (it holds what was published as out)"), ("in/raw", "")] {
        let file = bench.root().join(file);
        let place = file.join("deep/part");
        let claim = ownership::Claim { partition: "out", place: &place, is_file: true };
        let state = &bench.core.state;
        let history = History { reader: &bench.starter.reader, told: &Told::default() };
        let error = ownership::check(state, state.registered(), history, [claim]).unwrap_err();
        assert_eq!(error.code(), "file_in_the_way");
        let expected = format!(
            "{} cannot be published: {} is a file, and would have to be a folder{whose}; move the file away, or give the \
             dataset another path",
            place.display(),
            file.display()
        );
        assert_eq!(error.to_string(), expected);
    }
}

/// Jobs of such runs say that there is nothing to make.
fn empty_if<'h>(executor: Fake, such: fn(u64) -> bool) -> Hooks<'h> {
    Hooks::running(move |_, id| {
        if such(id.run.0) {
            let name = AttemptName::new(id.to_string()).unwrap();
            executor.leave(&name, Text::Report, "{\"type\": \"empty\", \"partition\": \"out\"}\n");
        }
    })
}

#[test]
fn a_file_in_the_place_of_an_empty_partition_is_altered_and_can_be_adopted() {
    let mut bench = Bench::new(file());
    bench.write("A");
    let place = bench.root().join("made/out.txt");
    let mut empty = empty_if(bench.executor.clone(), |run| run % 2 == 1);
    bench.want("out");
    assert_eq!(bench.run(&mut empty), [SUCCESS]);
    assert!(!place.exists());
    assert_eq!(bench.scan(), [0, 0, 0, 0, 0, 2]);
    fs::write(&place, "by hand").unwrap();
    assert_eq!(bench.scan(), [0, 1, 0, 0, 0, 2]);
    assert_eq!(bench.scan(), [0, 1, 0, 1, 0, 2], "the same, and known");
    // Who takes it away again makes it what was published.
    fs::remove_file(&place).unwrap();
    assert_eq!(bench.scan(), [0, 0, 0, 0, 0, 2]);
    assert!(bench.build("out").is_empty());
    fs::write(&place, "by hand").unwrap();
    let found = bench.handle().look_for_adoption(&["out".to_owned()]).unwrap();
    assert_eq!((found.files.len(), found.recorded.count), (1, 0));
    let seen = bench.look(&["out"]);
    bench.step(Input::Adopt(AdoptRequest { files: found.files }, seen));
    assert_eq!(bench.scan(), [0, 0, 0, 0, 0, 2]);
    assert!(bench.build("out").is_empty());
    assert_eq!(bench.made("out.txt"), "by hand");
}

#[test]
fn an_empty_input_is_made_again_before_it_is_read_if_somebody_puts_a_file_there() {
    let mut bench = Bench::new(file());
    bench.write("A");
    bench.want("top");
    let mut emptied = 0;
    let mut hooks = empty_if(bench.executor.clone(), |run| run == 1);
    hooks.leased = Some(Box::new(|root, id| {
        emptied += 1;
        if id.run.0 == 2 && emptied == 2 {
            fs::write(root.join("made/out.txt"), "by hand").unwrap();
        }
    }));
    assert_eq!(bench.run(&mut hooks), [SUCCESS, MOVED, SUCCESS, SUCCESS]);
    drop(hooks);
    assert_eq!(bench.made("top.txt"), "top of out of A");
}
