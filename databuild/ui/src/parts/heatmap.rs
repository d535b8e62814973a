//! Cells of two dimensions, each in the color of the worst state in it, with the mark of that state.
//!
//! Days are laid out as a calendar and hours as days of 24 rows, as long as there are few rows; everything else is a grid.
//! Cells of one state are one path, so that 2,000 of them are a few kilobytes. What a cell holds is in an attribute, which
//! the script reads to say it, and to make a reference of what somebody brushes.

use crate::api::{Cell, Tiles};
use databuild_core::amounts::number;
use maud::{html, Markup};
use std::fmt::Write as _;

/// Rows that are laid out as calendars, at most.
const MOST_CALENDARS: usize = 8;
const LEFT: usize = 8;
const TOP: usize = 18;
/// Room for the names of days of the week, or of hours.
const INNER: usize = 28;

/// Where cells are.
struct Layout {
    /// Of a cell, without what parts it from the next.
    width: usize,
    height: usize,
    gap: usize,
    /// Room for the names of rows.
    left: usize,
    /// Cells on top of each other within a row: 7 days, 24 hours, or 1.
    per: usize,
    /// The place of each column, counted down and then to the right.
    slots: Vec<usize>,
    /// Between rows.
    apart: usize,
}

impl Layout {
    fn of(tiles: &Tiles) -> Layout {
        let few = tiles.rows.len() <= MOST_CALENDARS;
        let longest = tiles.rows.iter().map(|row| row.text.chars().count()).max().unwrap_or(0);
        let names = LEFT + (longest * 7).min(200);
        let columns = tiles.columns.len();
        let (per, slots, apart): (usize, Vec<usize>, usize) = match tiles.by.as_deref() {
            Some("day") if few => {
                let first = tiles.columns.first().map_or(0, |first| weekday(&first.text));
                (7, (first..first + columns).collect(), 21)
            }
            Some("hour") if few && columns > 24 => (25, hours(tiles), 21),
            _ => (1, (0..columns).collect(), 0),
        };
        let left = if per == 1 { names } else { names + INNER };
        let across = slots.last().map_or(1, |last| last / per + 1);
        let width = if per == 1 { (960 / across.max(1)).clamp(7, 34) - 2 } else { 13 };
        let height = if per == 25 { 9 } else { 13 };
        Layout { width, height, gap: 2, left, per, slots, apart }
    }

    fn step(&self) -> (usize, usize) {
        (self.width + self.gap, self.height + self.gap)
    }

    fn block(&self) -> usize {
        self.per * (self.height + self.gap) + self.apart
    }

    fn place(&self, column: usize, row: usize) -> (usize, usize) {
        let (across, down) = self.step();
        let slot = self.slots[column];
        (self.left + slot / self.per * across, TOP + row * self.block() + slot % self.per * down)
    }

    fn size(&self, rows: usize) -> (usize, usize) {
        let across = self.slots.last().map_or(0, |last| last / self.per + 1);
        (self.left + across * self.step().0 + LEFT, TOP + rows.max(1) * self.block())
    }
}

/// The worst state of a cell: its class.
fn worst(cell: &Cell) -> &'static str {
    if cell.failed > 0 {
        "bad"
    } else if cell.stale > 0 {
        "stale"
    } else if cell.missing > 0 {
        "miss"
    } else if cell.building > 0 {
        "run"
    } else if cell.behind > 0 {
        "behind"
    } else if cell.left_out == cell.total {
        "out"
    } else {
        "ok"
    }
}

/// What a cell holds, in few bytes: how many, and how many of each state but current.
fn code(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "-".to_owned() };
    let mut code = cell.total.to_string();
    for (letter, count) in [
        ('f', cell.failed),
        ('s', cell.stale),
        ('m', cell.missing),
        ('b', cell.building),
        ('o', cell.left_out),
        ('u', cell.behind),
    ] {
        if count > 0 {
            let _ = write!(code, "{letter}{count}");
        }
    }
    code
}

/// Everything in one sentence, for whoever does not see the figure.
fn said(tiles: &Tiles, missing: &str) -> String {
    let sum = |of: &dyn Fn(&Cell) -> u64| tiles.cells.iter().flatten().map(of).sum::<u64>();
    let mut said = format!(
        "{} of {} partitions are up to date",
        number(sum(&Cell::current)),
        number(sum(&|cell| cell.total))
    );
    for (word, count) in [
        ("failed", sum(&|cell| cell.failed)),
        ("stale", sum(&|cell| cell.stale)),
        (missing, sum(&|cell| cell.missing)),
        ("being built", sum(&|cell| cell.building)),
        ("behind", sum(&|cell| cell.behind)),
        ("left out", sum(&|cell| cell.left_out)),
    ] {
        if count > 0 {
            let _ = write!(said, ", {} {word}", number(count));
        }
    }
    said
}

/// The figure. With the names of the dataset's dimensions, in their order, what somebody brushes becomes the parameter `sel` of
/// the page's address. `missing` is what is said of what is missing.
#[must_use]
pub fn heatmap(tiles: &Tiles, missing: &str, brush: Option<&[&str]>) -> Markup {
    let layout = Layout::of(tiles);
    let columns = tiles.columns.len();
    let (width, height) = layout.size(tiles.rows.len());
    let mut fills: Vec<(&str, String)> =
        ["ok", "behind", "run", "miss", "stale", "bad"].map(|name| (name, String::new())).into();
    let mut marks: Vec<(&str, String)> =
        ["behind", "run", "miss", "stale", "bad", "out"].map(|name| (name, String::new())).into();
    for (at, cell) in tiles.cells.iter().enumerate() {
        let Some(cell) = cell else { continue };
        let (x, y) = layout.place(at % columns, at / columns);
        let state = worst(cell);
        if let Some((_, path)) = fills.iter_mut().find(|(name, _)| *name == state) {
            // Its line, which is round at the corners, makes it as large as the cell.
            let _ = write!(path, "M{} {}h{}v{}h-{2}z", x + 2, y + 2, layout.width - 4, layout.height - 4);
        }
        if let Some((_, path)) = marks.iter_mut().find(|(name, _)| *name == state) {
            mark(path, state, (x, y), (layout.width, layout.height));
        }
    }
    let cells: Vec<String> = tiles.cells.iter().map(|cell| code(cell.as_ref())).collect();
    let names =
        |keys: &[crate::api::TileKey]| keys.iter().map(|key| key.text.as_str()).collect::<Vec<_>>().join(" ");
    let slots = layout.slots.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    let ticks = ticks(tiles, &layout);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Figure of all partitions" {
            svg class={ "heat" @if brush.is_some() { " sel" } } width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(said(tiles, missing))
                data-heat=(tiles.dataset) data-missing=(missing) data-dims=[brush.map(|dims| dims.join(" "))] data-x=[tiles.x.as_deref()] data-y=[tiles.y.as_deref()] data-range[tiles.by.is_some()]
                data-columns=(names(&tiles.columns)) data-rows=(names(&tiles.rows)) data-cells=(cells.join(" ")) data-slots=(slots)
                data-per=(layout.per) data-cell={ (layout.width) " " (layout.height) " " (layout.gap) } data-from={ (layout.left) " " (TOP) " " (layout.block()) } {
                @for (x, text) in ticks { text x=(x) y="11" { (text) } }
                @for (at, row) in tiles.rows.iter().enumerate() {
                    @let middle = TOP + at * layout.block() + (layout.block() - layout.apart) / 2 + 4;
                    text x="0" y=(middle) { (row.text) }
                    @for (slot, name) in inner(layout.per) {
                        text x=(layout.left - 6) y=(TOP + at * layout.block() + slot * layout.step().1 + layout.height - 1) text-anchor="end" { (name) }
                    }
                }
                @for (name, path) in fills.iter().filter(|(_, path)| !path.is_empty()) { path class={ "c-" (name) } stroke-width="4" d=(path) {} }
                @for (name, path) in marks.iter().filter(|(_, path)| !path.is_empty()) { path class={ "k-" (name) } stroke-width=(if *name == "run" { "5" } else { "1.4" }) d=(path) {} }
                @if let Some(selected) = tiles.selected { (brushed(&layout, selected)) }
            }
        }
    }
}

/// Names of places within a row.
fn inner(per: usize) -> &'static [(usize, &'static str)] {
    match per {
        7 => &[(0, "Mon"), (2, "Wed"), (4, "Fri")],
        25 => &[(0, "0 h"), (6, "6 h"), (12, "12 h"), (18, "18 h")],
        _ => &[],
    }
}

/// The mark of a state in a cell.
fn mark(path: &mut String, state: &str, (x, y): (usize, usize), (width, height): (usize, usize)) {
    let (middle, center) = (x as f64 + width as f64 / 2.0, y as f64 + height as f64 / 2.0);
    let r = (width.min(height) as f64 / 2.0 - 3.0).max(1.5);
    let _ = match state {
        "stale" => write!(path, "M{:.1} {:.1}l{:.1}-{:.1}", middle - r, center + r, 2.0 * r, 2.0 * r),
        "bad" => write!(
            path,
            "M{:.1} {:.1}l{d:.1} {d:.1}m0-{d:.1}l-{d:.1} {d:.1}",
            middle - r * 0.7,
            center - r * 0.7,
            d = r * 1.4
        ),
        "behind" => write!(path, "M{middle:.1} {:.1}v{r:.1}h{r:.1}", center - r),
        "run" => write!(path, "M{middle:.1} {center:.1}h0"),
        "miss" => write!(path, "M{}.5 {}.5h{}v{}h-{2}z", x, y, width - 1, height - 1),
        _ => write!(path, "M{:.1} {center:.1}h{:.1}", middle - r, 2.0 * r),
    };
}

fn brushed(layout: &Layout, [first, last, top, bottom]: [usize; 4]) -> Markup {
    let mut path = String::new();
    let (across, down) = layout.step();
    for row in top..=bottom {
        for column in first..=last.min(layout.slots.len().saturating_sub(1)) {
            let (x, y) = layout.place(column, row);
            let _ = write!(path, "M{} {}h{across}v{down}h-{across}z", x as f64 - 1.0, y as f64 - 1.0);
        }
    }
    html! { path.brush d=(path) {} }
}

/// Names of columns, where there is room for them.
fn ticks(tiles: &Tiles, layout: &Layout) -> Vec<(usize, String)> {
    let mut ticks: Vec<(usize, String)> = Vec::new();
    let mut shown = "";
    for (column, key) in tiles.columns.iter().enumerate() {
        let (x, _) = layout.place(column, 0);
        // Of days and hours, months and days are named where they begin.
        let begins = match tiles.by.as_deref() {
            Some("day") => key.text.get(..7).unwrap_or(&key.text),
            Some("hour") => key.text.get(..10).unwrap_or(&key.text),
            _ => &key.text,
        };
        let name = match tiles.by.as_deref() {
            Some("day") => month(begins, ticks.is_empty()),
            _ => begins.to_owned(),
        };
        let room = ticks.last().is_none_or(|(last, text)| x >= last + 8 + text.chars().count() * 7);
        if begins != shown && room {
            ticks.push((x, name));
            shown = begins;
        }
    }
    ticks
}

/// The name of a month, with its year where that is new.
fn month(text: &str, first: bool) -> String {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some((year, month)) = text.split_once('-') else { return text.to_owned() };
    match month.parse::<usize>().ok().and_then(|month| NAMES.get(month.checked_sub(1)?)) {
        Some(name) if first || month == "01" => format!("{name} {year}"),
        Some(name) => (*name).to_owned(),
        None => text.to_owned(),
    }
}

/// Days since Monday of a date.
fn weekday(text: &str) -> usize {
    let date = text.get(..10).and_then(|text| text.parse::<jiff::civil::Date>().ok());
    date.map_or(0, |date| usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0))
}

/// Hours of a day are on top of each other. A day of 25 hours has all of them.
fn hours(tiles: &Tiles) -> Vec<usize> {
    let (mut day, mut hour, mut name) = (0, 0, "");
    let slots = tiles.columns.iter().enumerate().map(|(at, key)| {
        let date = key.text.get(..10).unwrap_or("");
        if date != name {
            day += usize::from(at > 0);
            hour = key.text.get(11..13).and_then(|hour| hour.parse().ok()).unwrap_or(0);
            name = date;
        }
        hour += 1;
        day * 25 + (hour - 1).min(24)
    });
    slots.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TileKey;

    fn tiles(by: &str, columns: &[&str], cells: Vec<Option<Cell>>) -> Tiles {
        let key = |text: &&str| TileKey { text: (*text).to_owned(), keys: 1 };
        Tiles {
            dataset: "temps".to_owned(),
            x: Some("date".to_owned()),
            by: Some(by.to_owned()),
            columns: columns.iter().map(key).collect(),
            rows: vec![TileKey { text: String::new(), keys: 1 }],
            cells,
            ..Tiles::default()
        }
    }

    #[test]
    fn a_cell_is_as_bad_as_the_worst_in_it() {
        let cell = |failed, stale, missing| Cell { total: 9, failed, stale, missing, ..Cell::default() };
        for (cell, state, said) in [
            (cell(1, 1, 1), "bad", "9f1s1m1"),
            (cell(0, 2, 7), "stale", "9s2m7"),
            (cell(0, 0, 9), "miss", "9m9"),
            (cell(0, 0, 0), "ok", "9"),
        ] {
            assert_eq!((worst(&cell), code(Some(&cell))), (state, said.to_owned()));
        }
        assert_eq!(worst(&Cell { total: 1, left_out: 1, ..Cell::default() }), "out");
    }

    #[test]
    fn days_are_under_their_weekdays() {
        let one = Some(Cell { total: 1, ..Cell::default() });
        let days = tiles("day", &["2026-11-29", "2026-11-30", "2026-12-01"], vec![one, one, one]);
        let layout = Layout::of(&days);
        assert_eq!(layout.slots, [6, 7, 8], "a Sunday, then the next week");
        assert_eq!(layout.place(1, 0).1, TOP);
        let svg = heatmap(&days, "not seen", Some(&["date"])).into_string();
        assert!(svg.contains("data-columns=\"2026-11-29 2026-11-30 2026-12-01\""), "{svg}");
        assert!(svg.contains("aria-label=\"3 of 3 partitions are up to date\""), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
    }

    #[test]
    fn hours_are_on_top_of_each_other() {
        let texts: Vec<String> =
            (1..=2).flat_map(|day| (0..24).map(move |hour| format!("2026-01-{day:02}T{hour:02}"))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let hours = tiles("hour", &texts[3..], vec![None; 45]);
        let layout = Layout::of(&hours);
        assert_eq!((layout.slots[0], layout.slots[20], layout.slots[21]), (3, 23, 25));
    }
}
