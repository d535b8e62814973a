//! Where the partitions of a dataset stand, by the keys of two dimensions: counts of cells, few enough to look at.
//!
//! Cost follows from what is on record and from the number of cells, not from how many partitions a cell is.

use super::context::Context;
use super::partitions::standings_now;
use super::{datasets, one_of, AppError};
use crate::api::{Cell, TileKey, Tiles, TilesQuery};
use databuild_core::graph::DatasetIx;
use databuild_core::keys::{Key, KeySpace, RangeSet};
use databuild_core::partition_set::{Order, PartitionSet};
use databuild_core::reference::ReferenceText;
use databuild_core::state::{Standing, Standings, State};
use databuild_core::time::{Granularity, TimeSpace};

/// Cells of an answer.
const MOST_CELLS: usize = 2_000;
/// Rows of an answer.
const MOST_ROWS: usize = 25;
/// Columns of periods: two weeks more than a year of days, a month of hours.
const MOST_COLUMNS: usize = 744;
const MOST_DAYS: usize = 380;
/// Columns of listed or dynamic keys.
const MOST_KEYS: usize = 80;
/// Up to so many rows of a set it is worked out as a whole, with what edge rules leave out of what nothing is known of.
const WHOLE: u64 = 100_000;
/// Up to so many keys are put into the order in which they are shown.
const ORDERED: u64 = 100_000;

const LENGTHS: [Granularity; 5] =
    [Granularity::Hour, Granularity::Day, Granularity::Week, Granularity::Month, Granularity::Year];

/// The cells of a reference.
///
/// # Errors
/// No such dataset or dimension, a bad period, or no graph.
pub async fn get(context: &impl Context, query: TilesQuery) -> Result<Tiles, AppError> {
    context.slow(move |backend, _| of(&*standings_now(backend)?, &query)).await
}

/// A column or a row: the keys from the first to the last.
struct Span {
    text: String,
    keys: (Key, Key),
}

/// What of a dataset is shown.
struct View {
    ix: DatasetIx,
    /// Keys of each dimension.
    sets: Vec<RangeSet>,
    x: Option<usize>,
    y: Option<usize>,
    columns: Vec<Span>,
    rows: Vec<Span>,
}

fn of(standings: &Standings, query: &TilesQuery) -> Result<Tiles, AppError> {
    let state = standings.state();
    let reference = query
        .reference
        .as_deref()
        .ok_or_else(|| AppError::new("no_reference", "name a dataset: ?ref=DATASET"))?;
    let (ix, sets) = keys_of(state, reference)?;
    let dataset = state.graph().dataset(ix);
    let mut tiles = Tiles { dataset: dataset.name.clone(), seq: state.seq().0, ..Tiles::default() };
    let (x, y) = axes(state, ix, query)?;
    let name = |dim: usize| dataset.dims[dim].clone();
    (tiles.x, tiles.y) = (x.map(name), y.map(name));
    let rows = rows(state, ix, &sets, y, query, &mut tiles);
    let columns = columns(state, ix, &sets, x, rows.len(), query, &mut tiles)?;
    let mut view = View { ix, sets, x, y, columns, rows };
    narrow(&mut view);
    tiles.cells = cells(standings, &view);
    if let Some(select) = query.select.as_deref() {
        tiles.selected = selected(state, &view, select)?;
    }
    let key = |span: &Span, dim: Option<usize>, sets: &[RangeSet]| TileKey {
        text: span.text.clone(),
        keys: dim.map_or(1, |dim| overlap(&sets[dim], span.keys)),
    };
    tiles.columns = view.columns.iter().map(|span| key(span, x, &view.sets)).collect();
    tiles.rows = view.rows.iter().map(|span| key(span, y, &view.sets)).collect();
    Ok(tiles)
}

/// The keys that a reference means, by dimension. That of a whole dataset makes no set of partitions.
fn keys_of(state: &State, reference: &str) -> Result<(DatasetIx, Vec<RangeSet>), AppError> {
    let parsed = ReferenceText::parse(reference)?;
    if parsed.dims.is_empty() {
        let ix = datasets::named(state, &parsed.dataset)?;
        return Ok((ix, state.extents().of(ix).to_vec()));
    }
    let (ix, set) = state.resolve_readable(reference)?;
    Ok((ix, (0..set.shape().dims()).map(|dim| set.keys_of(dim)).collect()))
}

/// The dimensions from left to right and from top to bottom.
fn axes(
    state: &State,
    ix: DatasetIx,
    query: &TilesQuery,
) -> Result<(Option<usize>, Option<usize>), AppError> {
    let dataset = state.graph().dataset(ix);
    let named = |name: &str| {
        dataset.dims.iter().position(|dim| dim == name).ok_or_else(|| {
            AppError::new("unknown_dimension", format!("{} has no dimension `{name}`", dataset.name))
        })
    };
    let time = dataset.spaces.iter().position(|space| space.time().is_some());
    let last = dataset.dims.len().checked_sub(1);
    let x = query.x.as_deref().map(named).transpose()?.or(time).or(last);
    let y = match query.y.as_deref() {
        Some("" | "-") => None,
        Some(name) => Some(named(name)?).filter(|y| Some(*y) != x),
        None => (0..dataset.dims.len()).find(|dim| Some(*dim) != x),
    };
    Ok((x, y))
}

/// The rows; there is always one.
fn rows(
    state: &State,
    ix: DatasetIx,
    sets: &[RangeSet],
    y: Option<usize>,
    query: &TilesQuery,
    tiles: &mut Tiles,
) -> Vec<Span> {
    let Some(y) = y else {
        tiles.rows_total = 1;
        return vec![Span { text: String::new(), keys: (0, Key::MAX) }];
    };
    tiles.rows_total = sets[y].len();
    tiles.skip = query.skip.unwrap_or(0).min(tiles.rows_total.saturating_sub(1));
    listed(state, ix, sets, y, tiles.skip, MOST_ROWS)
}

/// Some keys of a dimension, in the order in which they are shown.
fn listed(state: &State, ix: DatasetIx, sets: &[RangeSet], dim: usize, skip: u64, most: usize) -> Vec<Span> {
    let dataset = state.graph().dataset(ix);
    let (space, symbols) = (&dataset.spaces[dim], state.symbols());
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let span = |key: Key| Span { text: space.format_key(key, symbols), keys: (key, key) };
    if sets[dim].len() > ORDERED {
        return sets[dim].iter().skip(skip).take(most).map(span).collect();
    }
    Order::of(&dataset.spaces, symbols)
        .keys(dim, &sets[dim])
        .into_iter()
        .skip(skip)
        .take(most)
        .map(span)
        .collect()
}

/// The columns: periods of one length, or keys.
fn columns(
    state: &State,
    ix: DatasetIx,
    sets: &[RangeSet],
    x: Option<usize>,
    rows: usize,
    query: &TilesQuery,
    tiles: &mut Tiles,
) -> Result<Vec<Span>, AppError> {
    let Some(x) = x else { return Ok(vec![Span { text: String::new(), keys: (0, Key::MAX) }]) };
    let most = MOST_CELLS / rows.max(1);
    match &state.graph().dataset(ix).spaces[x] {
        KeySpace::Time(space) => periods(space, &sets[x], most, query, tiles),
        KeySpace::Static(..) | KeySpace::Dynamic(_) => Ok(listed(state, ix, sets, x, 0, most.min(MOST_KEYS))),
    }
}

/// Periods of one length.
fn periods(
    space: &TimeSpace,
    keys: &RangeSet,
    most: usize,
    query: &TilesQuery,
    tiles: &mut Tiles,
) -> Result<Vec<Span>, AppError> {
    let own = space.granularity();
    let lengths: Vec<Granularity> =
        LENGTHS.into_iter().filter(|length| *length == own || own.nests_in(*length)).collect();
    tiles.lengths = lengths.iter().map(|length| length.name().to_owned()).collect();
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Ok(Vec::new()) };
    let period = |text: &Option<String>| -> Result<Option<(Key, Key)>, AppError> {
        let parse = |text: &String| space.parse_period(text).map(|(range, _)| range);
        let bad = |error: databuild_core::key_error::KeyError| AppError::new("bad_key", error.to_string());
        text.as_ref().filter(|text| !text.is_empty()).map(parse).transpose().map_err(bad)
    };
    let from = period(&query.from)?.map(|(from, _)| from.clamp(first, last));
    let to = period(&query.to)?.map(|(_, to)| to.clamp(first, last));
    let (low, high) = (from.unwrap_or(first), to.unwrap_or(last));
    if low > high {
        return Err(AppError::new("bad_key", "the periods end before they begin: `from` is after `to`"));
    }
    let number =
        |length: Granularity, key: Key| if length == own { key } else { space.containing(length, key) };
    let room = |length: Granularity| match length {
        Granularity::Day => most.min(MOST_DAYS),
        _ => most.min(MOST_COLUMNS),
    };
    let count = |length: Granularity| (number(length, high) - number(length, low)) as usize + 1;
    let names: Vec<&str> = lengths.iter().map(|length| length.name()).collect();
    let by =
        query.by.as_deref().filter(|by| !by.is_empty()).map(|by| one_of("by", by, &names)).transpose()?;
    let chosen = by.and_then(|by| lengths.iter().find(|length| length.name() == by));
    let fits = || lengths.iter().find(|length| count(**length) <= room(**length)).or(lengths.last());
    let Some(by) = chosen.or_else(fits).copied() else { return Ok(Vec::new()) };
    tiles.by = Some(by.name().to_owned());
    let (mut begin, mut end) = (number(by, low), number(by, high));
    let room = Key::try_from(room(by)).unwrap_or(Key::MAX).max(1);
    if end - begin >= room {
        // What is newest, unless somebody said where to begin.
        match from {
            Some(_) => end = begin + room - 1,
            None => begin = end - (room - 1),
        }
    }
    let text = |number: Key| match TimeSpace::new(by, 0, None, space.zone().clone()) {
        Ok(longer) if by != own => longer.format_key(number),
        _ => space.format_key(number),
    };
    tiles.before = (begin > number(by, first)).then(|| text(begin - 1));
    tiles.after = (end < number(by, last)).then(|| text(end + 1));
    let spans = (begin..=end).filter_map(|period| {
        let keys = if by == own { (period, period) } else { space.within(by, period)? };
        Some(Span { text: text(period), keys })
    });
    Ok(spans.collect())
}

/// Leaves out keys that no column and no row shows.
fn narrow(view: &mut View) {
    for (dim, spans) in [(view.x, &view.columns), (view.y, &view.rows)] {
        if let Some(dim) = dim {
            let shown = RangeSet::from_ranges(spans.iter().map(|span| span.keys));
            view.sets[dim] = view.sets[dim].intersect(&shown);
        }
    }
}

fn cells(standings: &Standings, view: &View) -> Vec<Option<Cell>> {
    let places = Places::of(view);
    let mut cells = vec![Cell::default(); view.columns.len() * view.rows.len()];
    let shape = standings.state().graph().dataset(view.ix).shape;
    places.add(view.sets.as_slice(), &mut |at, count| cells[at].total += count);
    let (known, at, behind) = if shape.rows_of(&view.sets) <= WHOLE {
        let set = PartitionSet::full(shape, &view.sets);
        let (at, behind) = standings.standing(view.ix, &set);
        (set, at, behind)
    } else {
        standings.on_record(view.ix, &view.sets)
    };
    // What nothing is known of is missing.
    cells.iter_mut().for_each(|cell| cell.missing = cell.total);
    places.add_set(&known, |at, count| cells[at].missing -= count);
    let Standing { building, left_out, failed, missing, stale, .. } = at;
    let left_out = left_out.subtract(&building);
    let failed = failed.subtract(&building);
    let rest = |part: &PartitionSet| part.subtract(&building).subtract(&failed);
    places.add_set(&rest(&missing), |at, count| cells[at].missing += count);
    places.add_set(&rest(&stale), |at, count| cells[at].stale += count);
    places.add_set(&building, |at, count| cells[at].building += count);
    places.add_set(&failed, |at, count| cells[at].failed += count);
    places.add_set(&behind, |at, count| cells[at].behind += count);
    places.add_set(&left_out, |at, count| cells[at].left_out += count);
    cells.into_iter().map(|cell| (cell.total > 0).then_some(cell)).collect()
}

/// Where keys are among the cells.
struct Places<'v> {
    view: &'v View,
    /// Columns by their keys.
    sorted: Vec<((Key, Key), usize)>,
}

impl<'v> Places<'v> {
    fn of(view: &'v View) -> Places<'v> {
        let mut sorted: Vec<_> = view.columns.iter().enumerate().map(|(at, span)| (span.keys, at)).collect();
        sorted.sort_unstable();
        Places { view, sorted }
    }

    fn add_set(&self, set: &PartitionSet, mut count: impl FnMut(usize, u64)) {
        for sets in set.boxes() {
            self.add(&sets, &mut count);
        }
    }

    /// Tells for each cell how many partitions with keys from `sets` are in it.
    fn add(&self, sets: &[RangeSet], count: &mut impl FnMut(usize, u64)) {
        let View { x, y, columns, rows, .. } = self.view;
        let others: u64 = sets
            .iter()
            .enumerate()
            .filter(|(dim, _)| Some(*dim) != *x && Some(*dim) != *y)
            .map(|(_, set)| set.len())
            .product();
        let across: Vec<(usize, u64)> = match x {
            None => vec![(0, 1)],
            Some(x) => self.columns_of(&sets[*x]),
        };
        for (row, span) in rows.iter().enumerate() {
            let down = y.map_or(1, |y| overlap(&sets[y], span.keys));
            if down > 0 {
                for (column, keys) in &across {
                    count(row * columns.len() + column, keys * down * others);
                }
            }
        }
    }

    /// How many of some keys are in which column.
    fn columns_of(&self, keys: &RangeSet) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        for (low, high) in keys.ranges() {
            let begin = self.sorted.partition_point(|((_, last), _)| *last < low);
            for ((first, last), at) in &self.sorted[begin..] {
                if *first > high {
                    break;
                }
                found.push((*at, u64::from(high.min(*last) - low.max(*first)) + 1));
            }
        }
        found
    }
}

/// How many keys of a set are in a span.
fn overlap(set: &RangeSet, (first, last): (Key, Key)) -> u64 {
    if first == last {
        return u64::from(set.contains(first));
    }
    set.intersect(&RangeSet::range(first, last)).len()
}

/// The first and the last column and row that have anything of a reference.
///
/// # Errors
/// It is no reference, or of nothing that there is.
fn selected(state: &State, view: &View, reference: &str) -> Result<Option<[usize; 4]>, AppError> {
    let (ix, sets) = keys_of(state, reference)?;
    Ok(square(view, ix, &sets))
}

fn square(view: &View, ix: DatasetIx, sets: &[RangeSet]) -> Option<[usize; 4]> {
    let ends = |dim: Option<usize>, spans: &[Span]| {
        let has = |span: &Span| dim.is_none_or(|dim| overlap(&sets[dim], span.keys) > 0);
        Some((spans.iter().position(has)?, spans.iter().rposition(has)?))
    };
    let (first, last) = ends(view.x, &view.columns).filter(|_| ix == view.ix)?;
    let (top, bottom) = ends(view.y, &view.rows)?;
    Some([first, last, top, bottom])
}

#[cfg(test)]
mod tests {
    use super::super::partitions::rows as listed_rows;
    use super::super::why::tests::Workspace;
    use super::*;
    use crate::api::PartitionState;
    use databuild_core::event::Refresh;
    use serde_json::{json, Value};
    use std::sync::Arc;

    /// `daily` by city and date, made by a job with this code; three years are too many days for one figure.
    fn graph(code: &str) -> Value {
        let date = json!({"name": "date", "keys": {"kind": "time", "granularity": "day", "start": "2022-01-01", "end": "2024-12-01", "timezone": "UTC"}});
        let city = json!({"name": "city", "keys": {"kind": "static", "keys": ["oslo", "rome", "bonn"]}});
        let program = json!({"executable": "job", "args": [], "env": {}, "env_inherit": [], "timeout_ms": null, "grace_ms": 1, "manifest": "m", "code": code});
        json!({
            "format": 2, "label": "//:graph",
            "datasets": [{"name": "daily", "label": "//:daily", "external": false, "dims": [city, date], "path": null}],
            "jobs": [{"label": "//:make", "program": program, "inputs": [], "outputs": ["daily"], "retries": 0, "backoff_ms": 1,
                "backoff_max_ms": 1, "on_code_change": "stale", "sources": "s"}],
        })
    }

    /// Some is current, some stale, some failed, some is being built, and most is missing.
    fn mixed() -> Standings {
        let mut workspace = Workspace::new(&graph("old"));
        workspace.want("daily/city=oslo/date=2024-01-30", Refresh::Stale);
        workspace.finish("daily/city=oslo/date=2024-01-30", "v1");
        workspace.register(&graph("new"));
        for (partition, fails) in [
            ("daily/city=oslo/date=2024-02-01", false),
            ("daily/city=rome/date=2024-02-01", true),
            ("daily/city=bonn/date=2022-01-01", false),
        ] {
            workspace.want(partition, Refresh::Stale);
            if fails {
                workspace.fail(partition, "boom");
            } else {
                workspace.finish(partition, "v1");
            }
        }
        workspace.want("daily/city=bonn/date=2024-03-01..2024-03-04", Refresh::Stale);
        Standings::new(&Arc::new(workspace.core.state.clone()), "2024-12-31T00:00:00Z".parse().unwrap())
    }

    fn ask(standings: &Standings, change: impl FnOnce(&mut TilesQuery)) -> Tiles {
        let mut query = TilesQuery { reference: Some("daily".to_owned()), ..TilesQuery::default() };
        change(&mut query);
        of(standings, &query).unwrap()
    }

    /// Each cell has what a list of its partitions says.
    fn check(standings: &Standings, tiles: &Tiles) {
        assert!(
            tiles.cells.len() <= MOST_CELLS && tiles.cells.len() == tiles.columns.len() * tiles.rows.len()
        );
        for (at, cell) in tiles.cells.iter().enumerate() {
            let (row, column) =
                (&tiles.rows[at / tiles.columns.len()], &tiles.columns[at % tiles.columns.len()]);
            let mut text = "daily".to_owned();
            for (dim, key) in [(&tiles.x, column), (&tiles.y, row)] {
                if let Some(dim) = dim {
                    text.push_str(&format!("/{dim}={}", key.text));
                }
            }
            let (ix, set) = standings.state().resolve_readable(&text).unwrap();
            let (listed, _) = listed_rows(standings, ix, &set, None, 0, usize::MAX);
            let count = |wanted| listed.iter().filter(|row| row.state == wanted).count() as u64;
            let expected = Cell {
                total: listed.len() as u64,
                behind: count(PartitionState::Behind),
                building: count(PartitionState::Building),
                failed: count(PartitionState::Failed),
                stale: count(PartitionState::Stale),
                missing: count(PartitionState::Missing),
                left_out: count(PartitionState::LeftOut),
            };
            assert_eq!(*cell, Some(expected), "{text}");
        }
    }

    #[test]
    fn cells_count_what_lists_show() {
        let standings = mixed();
        let views: [fn(&mut TilesQuery); 7] = [
            |_| {},
            |query| query.by = Some("year".to_owned()),
            |query| {
                (query.by, query.from, query.to) =
                    (Some("day".to_owned()), Some("2024-01".to_owned()), Some("2024-03".to_owned()))
            },
            |query| (query.by, query.y) = (Some("week".to_owned()), Some("-".to_owned())),
            |query| (query.x, query.skip) = (Some("city".to_owned()), Some(1_064)),
            |query| query.reference = Some("daily/city=oslo+bonn/date=2024-01..2024-03".to_owned()),
            |query| (query.x, query.y) = (Some("city".to_owned()), Some(String::new())),
        ];
        for view in views {
            let tiles = ask(&standings, view);
            check(&standings, &tiles);
        }
    }

    #[test]
    fn the_shortest_periods_that_fit_are_shown_and_what_is_newest_first() {
        let standings = mixed();
        let all = ask(&standings, |_| {});
        assert_eq!(
            (all.by.as_deref(), all.columns.len()),
            (Some("week"), 153),
            "1,066 days in three rows do not fit"
        );
        let days = ask(&standings, |query| query.by = Some("day".to_owned()));
        assert_eq!((days.columns.len(), &*days.columns[0].text), (380, "2023-11-18"));
        assert_eq!((days.before.as_deref(), days.after.as_deref()), (Some("2023-11-17"), None));
        let earlier = ask(&standings, |query| (query.by, query.to) = (days.by.clone(), days.before.clone()));
        assert_eq!(earlier.columns.last().unwrap().text, "2023-11-17");
        assert_eq!(earlier.after.as_deref(), Some("2023-11-18"));
        let month = ask(&standings, |query| {
            (query.from, query.to) = (Some("2024-02".to_owned()), Some("2024-02".to_owned()))
        });
        assert_eq!((month.by.as_deref(), month.columns.len()), (Some("day"), 29));
    }

    #[test]
    fn what_is_selected_is_found_among_the_cells() {
        let standings = mixed();
        let month = |select: &'static str| {
            move |query: &mut TilesQuery| {
                (query.from, query.to) = (Some("2024-02".to_owned()), Some("2024-02".to_owned()));
                query.select = Some(select.to_owned());
            }
        };
        let found = |standings: &Standings, select| ask(standings, month(select)).selected;
        assert_eq!(found(&standings, "daily/city=rome/date=2024-02-03..2024-02-10"), Some([2, 9, 1, 1]));
        assert_eq!(found(&standings, "daily"), Some([0, 28, 0, 2]));
        assert_eq!(found(&standings, "daily/date=2023-01-01"), None);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let standings = mixed();
        let refused = |query: TilesQuery| of(&standings, &query).unwrap_err().code().to_owned();
        let daily = || TilesQuery { reference: Some("daily".to_owned()), ..TilesQuery::default() };
        assert_eq!(refused(TilesQuery::default()), "no_reference");
        assert_eq!(refused(TilesQuery { reference: Some("x".to_owned()), ..daily() }), "unknown_dataset");
        assert_eq!(refused(TilesQuery { x: Some("zone".to_owned()), ..daily() }), "unknown_dimension");
        assert_eq!(refused(TilesQuery { from: Some("soon".to_owned()), ..daily() }), "bad_key");
        let (from, to) = (Some("2024-02".to_owned()), Some("2024-01".to_owned()));
        assert_eq!(refused(TilesQuery { from, to, ..daily() }), "bad_key");
        assert_eq!(refused(TilesQuery { by: Some("NaN".to_owned()), ..daily() }), "unknown_word");
        assert_eq!(refused(TilesQuery { select: Some("nothing".to_owned()), ..daily() }), "unknown_dataset");
    }
}
