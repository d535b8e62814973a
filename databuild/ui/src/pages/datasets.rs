//! All datasets, and where their partitions stand.

use crate::api::DatasetSummary;
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::{asked_for, bar, legend, shares};
use crate::parts::form::{choice, filter, text};
use crate::parts::reference::{breakable, counted, many};
use crate::parts::state::said;
use crate::parts::table::{column, paging, table};
use databuild_core::amounts::{are, number};
use maud::{html, Markup};

/// Rows of a page.
pub const ROWS: usize = 100;

/// What of the datasets is shown, as the address says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    /// Only names that have this in them.
    pub search: String,
    /// Only those with any partition in this state.
    pub state: String,
    /// By what they are sorted: `name`, or a state, most first.
    pub sort: String,
    /// How many to pass over.
    pub skip: usize,
}

impl Shown {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> Url {
        Url::new("/datasets").with("q", &self.search).with("state", &self.state).with("sort", &self.sort)
    }

    /// Those that it shows, sorted.
    #[must_use]
    pub fn pick<'a>(&self, all: &'a [DatasetSummary]) -> Vec<&'a DatasetSummary> {
        let search = self.search.to_lowercase();
        let fits = |row: &&DatasetSummary| {
            row.dataset.to_lowercase().contains(&search)
                && (self.state.is_empty() || count_of(row, &self.state) > 0)
        };
        let mut rows: Vec<&DatasetSummary> = all.iter().filter(fits).collect();
        if !self.sort.is_empty() && self.sort != "name" {
            rows.sort_by_key(|row| std::cmp::Reverse(count_of(row, &self.sort)));
        }
        rows
    }
}

/// How many partitions of a dataset are in a state.
#[must_use]
pub fn count_of(row: &DatasetSummary, state: &str) -> u64 {
    shares(row).iter().find(|share| asked_for(share.word) == state).map_or(0, |share| share.count)
}

/// The page.
#[must_use]
pub fn page(all: &[DatasetSummary], shown: &Shown) -> Page {
    let picked = shown.pick(all);
    let sum = |state: &str| all.iter().map(|row| count_of(row, state)).sum::<u64>();
    let total: u64 = all.iter().map(|row| row.total).sum();
    let lead = html! {
        h1 { "Datasets" }
        p.say {
            b { (many(all.len() as u64, "dataset")) } " with " (many(total, "partition")) ", of which " b { (number(sum("current"))) " " (are(sum("current"))) " up to date" }
            @for state in ["stale", "failed", "building"] { @if sum(state) > 0 { ", " a href=(shown.url().with("state", state).with("sort", state)) { (number(sum(state))) " " (said(state)) } } }
            "."
        }
    };
    Page::new("Datasets", Place::Datasets, &["data"], html! { (lead) (fields(shown)) })
        .part(card(
            "datasets",
            Width::Full,
            &["data"],
            &heading("Datasets", &number(picked.len() as u64), &[]),
            &rows(&picked, shown),
        ))
        .command("partitions")
}

fn fields(shown: &Shown) -> Markup {
    let states = ["current", "behind", "stale", "failed", "building", "missing", "left_out"];
    let words: Vec<(String, String)> = states.iter().map(|word| ((*word).to_owned(), said(word))).collect();
    let sorts: Vec<(String, String)> =
        words.iter().map(|(word, text)| (word.clone(), format!("most {text}"))).collect();
    filter(
        &Url::new("/datasets"),
        &html! {
            (text("Name", "q", &shown.search, "Part of a name"))
            (choice("With partitions", "state", "in any state", &words, &shown.state))
            (choice("Sorted by", "sort", "name", &sorts, &shown.sort))
        },
    )
}

fn rows(picked: &[&DatasetSummary], shown: &Shown) -> Markup {
    if picked.is_empty() {
        return html! { p.note { "No dataset is like this. " a href="/datasets" { "Show all of them." } } };
    }
    let columns = [
        column("Dataset", ""),
        column("Where its partitions stand", ""),
        column("Partitions", "num"),
        column("Dimensions", "opt"),
    ];
    let rows = html! { @for row in picked.iter().skip(shown.skip).take(ROWS) { (line(row)) } };
    let next = shown.skip + ROWS;
    let next = (next < picked.len()).then(|| next.to_string());
    html! { (table(&columns, &rows)) (paging(&shown.url(), shown.skip == 0, next.as_deref())) }
}

fn line(row: &DatasetSummary) -> Markup {
    let shares = shares(row);
    let list = |state: &str| Some(links::partitions(&row.dataset).with("state", asked_for(state)));
    html! {
        tr.mid {
            td { a href=(links::dataset(&row.dataset)) { b { (breakable(&row.dataset)) } } @if row.external { " " span.soft { "external" } } }
            td { (bar(&shares, "")) (legend(&shares, list)) }
            td.num { (counted(row.total, &links::partitions(&row.dataset))) }
            td.opt.soft { (row.dims.join(", ")) @if let Some(owner) = &row.owner { br; "owner " (owner) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(dataset: &str, stale: u64) -> DatasetSummary {
        DatasetSummary {
            dataset: dataset.to_owned(),
            owner: None,
            external: false,
            dims: vec!["date".to_owned()],
            total: 10,
            current: 10 - stale,
            behind: 0,
            missing: 0,
            stale,
            building: 0,
            failed: 0,
            left_out: 0,
        }
    }

    #[test]
    fn datasets_are_found_by_name_and_state_and_sorted() {
        let all = [row("sales/a", 1), row("sales/B", 3), row("temps", 0)];
        let names = |search: &str, state: &str, sort: &str| {
            let shown = Shown { search: search.into(), state: state.into(), sort: sort.into(), skip: 0 };
            shown.pick(&all).iter().map(|row| row.dataset.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("", "", ""), ["sales/a", "sales/B", "temps"]);
        assert_eq!(names("sales/b", "", ""), ["sales/B"]);
        assert_eq!(names("", "stale", "stale"), ["sales/B", "sales/a"]);
    }
}
