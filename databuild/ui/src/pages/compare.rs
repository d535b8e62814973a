//! Two runs side by side, or one and now: what differs stands there, what is the same is folded away.

use super::change::files;
use crate::api::{
    CompareQuery, ComparedInput, ComparedOutput, ComparedSide, ComparedText, Comparison, DataSaid,
};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links;
use crate::parts::form::{filter, text};
use crate::parts::reference::{digest, job, many, partitions, run};
use crate::parts::state::chip;
use crate::parts::time::{ago, length};
use databuild_core::amounts::{bytes, number};
use jiff::Timestamp;
use maud::{html, Markup};

/// A row of facts: its name, and what each side says of it.
struct Fact {
    name: &'static str,
    sides: [Markup; 2],
    same: bool,
}

/// The page.
#[must_use]
pub fn page(found: &Comparison, query: &CompareQuery, now: Timestamp) -> Page {
    let Comparison { a, b, .. } = found;
    let names = names(found);
    let heads = [names[0].as_str(), names[1].as_str()];
    let is_live = b.run.is_none();
    let of: &[&str] = if is_live { &["wants"] } else { &[] };
    let title = format!("{} and {}", names[0], names[1]);
    let mut page = Page::new(title, Place::Runs, of, lead(found, query, &names));
    let facts = facts(a, b, now);
    let (same, differ): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(|fact| fact.same);
    page = page.part(card(
        "sides",
        Width::Full,
        of,
        &heading("The two", "", &[]),
        &sides(&heads, &differ, &same),
    ));
    let words = found.arguments.len() + found.environment.len() + found.params.len();
    let beside = if found.code.same || words == 0 { Width::Full } else { Width::Half };
    if !found.code.same {
        page = page.part(card("code", beside, of, &heading("Code", "", &[]), &code(found, &heads)));
    }
    if words > 0 {
        let heading = heading("Arguments, environment, parameters", &number(words as u64), &[]);
        page = page.part(card("arguments", beside, of, &heading, &arguments(found, &heads)));
    }
    if found.inputs_differ > 0 {
        let heading = heading("Inputs", &format!("{} differ", number(found.inputs_differ)), &[]);
        page = page.part(card("inputs", Width::Full, of, &heading, &inputs(found, &heads)));
    }
    if !found.outputs.is_empty() {
        let heading = heading("Outputs", &format!("{} differ", number(found.outputs.len() as u64)), &[]);
        page = page.part(card("outputs", Width::Full, of, &heading, &outputs(&found.outputs, &heads)));
    }
    page = page.part(card("same", Width::Full, of, &heading("Besides", "", &[]), &alike(found)));
    for side in [a, b] {
        if let Some(id) = &side.run {
            page = page.command(format!("runs {id}"));
        }
    }
    page
}

/// The page on which nothing is chosen yet.
#[must_use]
pub fn ask() -> Page {
    let lead = html! {
        h1 { "Compare" }
        p.say { "Two runs, or a run and what its job would do now: what differs in code, inputs, parameters, environment, time and outputs." }
        (fields("", ""))
    };
    Page::new("Compare", Place::Runs, &[], lead)
}

fn fields(a: &str, b: &str) -> Markup {
    filter(
        &links::compare(),
        &html! { (text("Run or partition", "a", a, "r12")) (text("With", "b", b, "now")) },
    )
}

/// What each side is called.
fn names(found: &Comparison) -> [String; 2] {
    [&found.a, &found.b].map(|side| side.run.clone().unwrap_or_else(|| "now".to_owned()))
}

fn lead(found: &Comparison, query: &CompareQuery, names: &[String; 2]) -> Markup {
    let (differ, same) = said(found);
    html! {
        h1 { span.m { (names[0]) } " and " @if found.b.run.is_some() { span.m { (names[1]) } } @else { "now" } }
        p.say {
            @if query.b.is_none() && query.a.contains('=') { "What " (partitions(&query.a, 1)) " was made from, and what it would be made from now. " }
            @if differ.is_empty() { b { "Nothing differs" } " of what is known: " (list(&same)) " are the same." }
            @else {
                "They differ in " @for (at, one) in differ.iter().enumerate() { @if at > 0 { @if at + 1 == differ.len() { " and " } @else { ", " } } b { (one) } } "."
                @if !same.is_empty() { " The same: " (list(&same)) "." }
            }
            @if !found.inputs_known { " What one of them read is not known any more." }
        }
        (fields(&query.a, query.b.as_deref().unwrap_or_default()))
    }
}

/// What differs, and what does not, in words.
fn said(found: &Comparison) -> (Vec<String>, Vec<&'static str>) {
    let (mut differ, mut same) = (Vec::new(), Vec::new());
    let mut put = |count: u64, what: String, is_any: bool, name: &'static str| {
        if count > 0 {
            differ.push(what);
        } else if is_any {
            same.push(name);
        }
    };
    put(u64::from(!found.code.same), "code".to_owned(), true, "code");
    put(found.arguments.len() as u64, "arguments".to_owned(), true, "arguments");
    put(found.environment.len() as u64, "environment".to_owned(), true, "environment");
    let params = found.params.len() as u64;
    put(params, many(params, "parameter"), found.params_same > 0, "parameters");
    if found.inputs_known {
        let any = found.inputs_same > 0;
        put(found.inputs_differ, many(found.inputs_differ, "input"), any, "inputs");
    }
    let outputs = found.outputs.len() as u64;
    put(outputs, many(outputs, "output"), found.outputs_same > 0, "outputs");
    (differ, same)
}

fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn facts(a: &ComparedSide, b: &ComparedSide, now: Timestamp) -> Vec<Fact> {
    let both = [a, b];
    let fact =
        |name, same: bool, told: &dyn Fn(&ComparedSide) -> Markup| Fact { name, same, sides: both.map(told) };
    let ran = |side: &ComparedSide| side.wall_ms.map_or_else(String::new, length);
    let cpu = |side: &ComparedSide| side.cpu_ms.map_or_else(String::new, length);
    let memory = |side: &ComparedSide| {
        side.max_rss_kb.filter(|kb| *kb > 0).map_or_else(String::new, |kb| bytes(kb * 1024))
    };
    let mut all = vec![
        fact("job", a.job == b.job, &|side| job(&side.job)),
        fact("makes", a.partition == b.partition, &|side| {
            html! { (partitions(&side.partition, side.partitions)) @if side.partitions > 1 { " " span.soft { "(" (number(side.partitions)) ")" } } }
        }),
        fact("graph", a.graph == b.graph, &|side| {
            html! { @if let Some(registered) = side.graph_number { a href=(links::change(registered)) { (registered) } " " } span.soft { (digest(&side.graph)) } }
        }),
    ];
    let is_run = |side: &ComparedSide| side.run.is_some();
    if is_run(a) && is_run(b) {
        all.push(fact(
            "state",
            a.state == b.state,
            &|side| html! { @if let Some(state) = &side.state { (chip(state)) } },
        ));
        all.push(fact(
            "attempts",
            a.attempt_count == b.attempt_count,
            &|side| html! { (side.attempt_count) },
        ));
        all.push(fact("last attempt ran", ran(a) == ran(b), &|side| html! { (ran(side)) }));
        all.push(fact("CPU", cpu(a) == cpu(b), &|side| html! { (cpu(side)) }));
        all.push(fact("memory", memory(a) == memory(b), &|side| html! { (memory(side)) }));
    } else {
        all.push(fact(
            "last attempt ran",
            false,
            &|side| html! { @if side.run.is_some() { (ran(side)) } @else { span.soft { "did not run" } } },
        ));
    }
    all.push(fact(
        "when",
        a.at == b.at,
        &|side| html! { @if side.run.is_some() { (ago(&side.at, now)) } @else { "now" } },
    ));
    all
}

fn sides(heads: &[&str; 2], differ: &[Fact], same: &[Fact]) -> Markup {
    let line = |fact: &Fact| {
        html! { tr { th scope="row" { (fact.name) } @for side in &fact.sides { td { (side) } } } }
    };
    html! {
        (two_sides("", heads, &html! { @for fact in differ { (line(fact)) } }))
        @if !same.is_empty() {
            details.pad.line {
                summary { (many(same.len() as u64, "fact")) " are the same" }
                dl.kv { @for fact in same { dt { (fact.name) } dd { (fact.sides[0]) } } }
            }
        }
    }
}

/// A table with a column for each of the two. Their names are ids, which no constant has.
fn two_sides(name: &str, heads: &[&str; 2], rows: &Markup) -> Markup {
    html! {
        table.two {
            thead { tr { th scope="col" { @if name.is_empty() { span.hidden { "What" } } @else { (name) } } @for head in heads { th scope="col" { (side_name(head)) } } } }
            tbody { (rows) }
        }
    }
}

fn side_name(name: &str) -> Markup {
    if name == "now" {
        html! { "now" }
    } else {
        run(name)
    }
}

fn code(found: &Comparison, heads: &[&str; 2]) -> Markup {
    let code = &found.code;
    html! {
        p.note { (heads[0]) " " @match &code.a { Some(of) => (digest(of)), None => "unknown" } " \u{2192} " (heads[1]) " " @match &code.b { Some(of) => (digest(of)), None => "unknown" } }
        div.pad {
            @match &code.files {
                Some(all) if all.is_empty() => p { "No source file explains it: a tool, a toolchain or a generated file." },
                Some(all) => (files(all)),
                None => span.soft { "Which files differ is not known: their source manifests are not at hand." },
            }
        }
    }
}

fn arguments(found: &Comparison, heads: &[&str; 2]) -> Markup {
    html! {
        @if !found.arguments.is_empty() || !found.environment.is_empty() {
            ul.plain { @for change in found.arguments.iter().chain(&found.environment) { li.m { (change.replace('`', "")) } } }
        }
        @if !found.params.is_empty() { (texts("Parameter", &found.params, heads)) }
    }
}

/// Values that differ, side by side.
fn texts(name: &str, all: &[ComparedText], heads: &[&str; 2]) -> Markup {
    let value = |text: &Option<String>| html! { td.m { @match text { Some(text) => (text), None => span.soft { "none" } } } };
    two_sides(
        name,
        heads,
        &html! { @for one in all { tr { th scope="row" { (one.name) } (value(&one.a)) (value(&one.b)) } } },
    )
}

fn inputs(found: &Comparison, heads: &[&str; 2]) -> Markup {
    let value = |input: &ComparedInput, own: &str, version: &Option<String>| {
        html! {
            td {
                @match version {
                    Some(version) => (digest(version)),
                    None if input.read_by == own || input.read_by == "both" => span.soft { "nothing there" },
                    None => span.soft { "not read" },
                }
            }
        }
    };
    let rows = html! {
        @for input in &found.inputs {
            tr { td { (partitions(&input.partition, 1)) } (value(input, "a", &input.a)) (value(input, "b", &input.b)) }
        }
    };
    let rest = found.inputs_differ.saturating_sub(found.inputs.len() as u64);
    html! {
        (two_sides("Input", heads, &rows))
        @if rest > 0 { p.note.line { "and " (number(rest)) " more" } }
    }
}

fn outputs(all: &[ComparedOutput], heads: &[&str; 2]) -> Markup {
    let data = |data: &Option<DataSaid>| {
        html! {
            td {
                @match data {
                    Some(of) => { (partitions(&of.partition, 1)) br; (digest(&of.version)) " " span.soft { @if of.empty { "empty" } @else if of.bytes > 0 { (bytes(of.bytes)) } } },
                    None => span.soft { "not made" },
                }
            }
        }
    };
    let rows = html! {
        @for output in all {
            tr {
                (data(&output.a)) (data(&output.b))
                td.opt {
                    @for one in &output.metadata {
                        div { (one.name) ": " span.m { (one.a.as_deref().unwrap_or("none")) } " \u{2192} " span.m { (one.b.as_deref().unwrap_or("none")) } }
                    }
                    @if output.metadata.is_empty() && output.metadata_same > 0 { span.soft { "the same" } }
                }
            }
        }
    };
    html! {
        table {
            thead { tr { @for head in heads { th scope="col" { (side_name(head)) } } th.opt scope="col" { "What the jobs said of it" } } }
            tbody { (rows) }
        }
    }
}

/// What is the same, in numbers, and what is not known.
fn alike(found: &Comparison) -> Markup {
    let count = |count: u64, what: &str| html! { @if count > 0 { dt { (what) } dd { (number(count)) } } };
    html! {
        details.pad {
            summary { "What is the same" }
            dl.kv {
                @if found.code.same { dt { "code" } dd { @match &found.code.a { Some(of) => (digest(of)), None => span.soft { "unknown" } } } }
                @if found.arguments.is_empty() { dt { "arguments" } dd { "all of them" } }
                @if found.environment.is_empty() { dt { "inherited variables" } dd { "all of them" } }
                (count(found.params_same, "parameters"))
                (count(found.inputs_same, "inputs"))
                (count(found.outputs_same, "outputs"))
                @if found.inputs_left_out > 0 { dt { "not looked at" } dd { (many(found.inputs_left_out, "input")) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Blame, ComparedCode};

    fn side(run: Option<&str>, graph: u64) -> ComparedSide {
        ComparedSide {
            run: run.map(str::to_owned),
            job: "//:features".to_owned(),
            partition: "features/date=2026-01-01".to_owned(),
            partitions: 1,
            graph: format!("{graph:064}"),
            graph_number: Some(graph),
            state: run.map(|_| "completed".to_owned()),
            at: "2026-11-30T11:54:00Z".to_owned(),
            attempt_count: 1,
            wall_ms: run.map(|_| graph * 1_000),
            cpu_ms: run.map(|_| 500),
            max_rss_kb: run.map(|_| 2_048),
        }
    }

    fn same() -> Comparison {
        let code =
            ComparedCode { same: true, a: Some("c1".to_owned()), b: Some("c1".to_owned()), files: None };
        Comparison {
            a: side(Some("r12"), 20),
            b: side(None, 20),
            code,
            arguments: Vec::new(),
            environment: Vec::new(),
            params: Vec::new(),
            params_same: 2,
            inputs: Vec::new(),
            inputs_differ: 0,
            inputs_same: 1_095,
            inputs_known: true,
            inputs_left_out: 3,
            outputs: Vec::new(),
            outputs_same: 1,
            seq: 9,
        }
    }

    fn shown(found: &Comparison, query: &CompareQuery) -> String {
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        page(found, query, now).whole(&crate::layout::Site::default()).into_string()
    }

    #[test]
    fn what_differs_stands_there_and_what_does_not_is_folded() {
        let blame = Blame {
            path: "ml/features.py".to_owned(),
            owner: "//ml:features".to_owned(),
            change: "changed".to_owned(),
            via: Vec::new(),
        };
        let text = |text: &str| Some(text.to_owned());
        let data = |version: &str| {
            Some(DataSaid {
                partition: "features/date=2026-01-01".to_owned(),
                version: version.to_owned(),
                bytes: 2_048,
                empty: false,
            })
        };
        let rows = ComparedText { name: "rows".to_owned(), a: text("<24>"), b: text("23") };
        let found = Comparison {
            b: side(Some("r15"), 30),
            code: ComparedCode { same: false, a: text("c1"), b: text("c2"), files: Some(vec![blame]) },
            arguments: vec!["`--x=1` -> `--x=2`".to_owned()],
            params: vec![ComparedText { name: "full".to_owned(), a: None, b: text("yes") }],
            inputs: vec![ComparedInput {
                partition: "orders/date=2026-01-01".to_owned(),
                read_by: "b".to_owned(),
                a: None,
                b: text("sha256:1234567890abcdef"),
            }],
            inputs_differ: 300,
            outputs: vec![ComparedOutput {
                a: data("v1"),
                b: data("v2"),
                metadata: vec![rows],
                metadata_same: 0,
            }],
            ..same()
        };
        let query = CompareQuery { a: "r12".to_owned(), b: Some("r15".to_owned()) };
        let text = shown(&found, &query);
        for part in [
            "They differ in <b>code</b>, <b>arguments</b>, <b>1 parameter</b>, <b>300 inputs</b> and <b>1 output</b>.",
            "The same: environment.",
            "<td>20 s</td><td>30 s</td>",
            "href=\"/changes/30\"",
            "facts are the same</summary>",
            "ml/<wbr>features.py",
            "--x=1 -&gt; --x=2",
            "<span class=\"soft\">not read</span>",
            "title=\"sha256:1234567890abcdef\">1234567890ab</code>",
            "and 299 more",
            "rows: <span class=\"m\">&lt;24&gt;</span>",
            "name=\"b\" value=\"r15\"",
            "databuild runs r15",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_run_that_would_come_out_as_it_did_is_said_to() {
        let query = CompareQuery { a: "features/date=2026-01-01".to_owned(), b: None };
        let text = shown(&same(), &query);
        for part in ["<b>Nothing differs</b>", " and now", "1,095", "3 inputs", "did not run"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("id=\"code\""), "{text}");
        let unknown = Comparison { inputs_known: false, ..same() };
        assert!(shown(&unknown, &query).contains("is not known any more"));
    }
}
