//! Partition references: `sales/orders/region=eu+us/date=2010-01-01..2010-01-07`.
//!
//! A dataset's name, then `dimension=keys` segments in any order; a dimension left out means all keys
//! that exist. A label is accepted as the head: `//sales:orders/date=2010-01-01`. Invariant: what this
//! module formats it also reads, as the same set.

use crate::key_error::KeyError;
use crate::keys::KeySpace;
use crate::named_keys::NamedKeys;
use crate::partition_set::{size, Order, PartitionKey, PartitionSet, Shape, MOST_ROWS};
use crate::range_set::RangeSet;
use crate::symbols::Symbols;
use crate::text::{known, nearest, SOME};
use jiff::Timestamp;
use std::fmt;

/// A reference split into its parts; nothing is looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceText {
    /// The dataset's name, `sales/orders`.
    pub dataset: String,
    /// Dimension names and texts of key sets, as written.
    pub dims: Vec<(String, String)>,
}

/// The dataset that the text of a partition or a set of partitions begins with, as it is written there.
#[must_use]
pub fn dataset_of(text: &str) -> &str {
    let dims: usize =
        text.split('/').skip_while(|segment| !segment.contains('=')).map(|segment| segment.len() + 1).sum();
    &text[..text.len().saturating_sub(dims)]
}

/// Why a text refers to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not written as a reference is.
    #[error("`{text}` is not a reference: {reason}; write dataset/dimension=key, for example sales/orders/date=2010-06-01")]
    BadForm {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A dimension is named twice.
    #[error("dimension `{dim}` is given twice in one reference; join keys with +")]
    DuplicateDimension {
        /// Its name.
        dim: String,
    },
    /// The dataset has another name now.
    #[error("`{from}` was moved to `{to}`; name that")]
    Moved {
        /// What was given.
        from: String,
        /// Its name of now.
        to: String,
    },
    /// The dimension has another name now.
    #[error("dimension `{from}` of `{dataset}` was moved to `{to}`; name that")]
    MovedDimension {
        /// The dataset.
        dataset: String,
        /// What was given.
        from: String,
        /// Its name of now.
        to: String,
    },
    /// The dataset has no such dimension.
    #[error("`{dataset}` has no dimension `{dim}`; {}", known(&[], .dims, .dims.len()))]
    UnknownDimension {
        /// The dataset.
        dataset: String,
        /// What was given.
        dim: String,
        /// The dimensions it has.
        dims: Vec<String>,
    },
    /// There is no such dataset.
    #[error("there is no dataset `{name}`; {}", known(.near, .some, *.count))]
    UnknownDataset {
        /// What was given.
        name: String,
        /// How many datasets there are.
        count: usize,
        /// Up to five that look like it.
        near: Vec<String>,
        /// The first five of them.
        some: Vec<String>,
    },
    /// Something is wrong with the keys of a dimension.
    #[error("dimension `{dim}` of `{dataset}`: {error}")]
    Key {
        /// The dataset.
        dataset: String,
        /// The dimension.
        dim: String,
        /// What.
        #[source]
        error: Box<KeyError>,
    },
    /// A period that has not ended, so its key does not exist yet.
    #[error("dimension `{dim}` of `{dataset}`: `{key}` has not ended{}", until(.ends_at))]
    NotYet {
        /// The dataset.
        dataset: String,
        /// The dimension.
        dim: String,
        /// The first such key.
        key: String,
        /// When it ends.
        ends_at: Option<Timestamp>,
    },
    /// It means more partitions than can be dealt with at once.
    #[error("`{text}` means {count} partitions, more than one request can name; name fewer keys of `{dim}`")]
    TooMany {
        /// What was given.
        text: String,
        /// How many partitions it means.
        count: u64,
        /// The dimension with the most keys among those that make rows.
        dim: String,
    },
    /// One partition was wanted and the reference means none or many.
    #[error("`{text}` means {count} partitions where exactly one is needed; give every dimension one key")]
    NotOne {
        /// What was given.
        text: String,
        /// How many partitions it means.
        count: u64,
    },
}

fn until(ends_at: &Option<Timestamp>) -> String {
    ends_at.map_or_else(String::new, |at| format!("; it ends at {at}"))
}

impl ReferenceError {
    /// Says which datasets there are instead of `name`.
    pub fn unknown_dataset<'a>(name: &str, datasets: impl IntoIterator<Item = &'a str>) -> ReferenceError {
        let names: Vec<&str> = datasets.into_iter().collect();
        let mut near = nearest(name, names.iter().copied());
        // A dataset's last segment alone is the likeliest mistake.
        for full in &names {
            let is_tail = full.strip_suffix(name).is_some_and(|head| head.ends_with('/'));
            if is_tail && !near.iter().any(|other| other == full) {
                near.insert(0, (*full).to_owned());
            }
        }
        near.truncate(SOME);
        ReferenceError::UnknownDataset {
            name: name.to_owned(),
            count: names.len(),
            near,
            some: names.iter().take(SOME).map(|name| (*name).to_owned()).collect(),
        }
    }

    /// A stable name of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ReferenceError::BadForm { .. } => "bad_reference",
            ReferenceError::Moved { .. } => "moved",
            ReferenceError::MovedDimension { .. } => "moved_dimension",
            ReferenceError::DuplicateDimension { .. } => "duplicate_dimension",
            ReferenceError::UnknownDimension { .. } => "unknown_dimension",
            ReferenceError::UnknownDataset { .. } => "unknown_dataset",
            ReferenceError::Key { error, .. } => error.code(),
            ReferenceError::NotYet { .. } => "not_yet",
            ReferenceError::TooMany { .. } => "too_many_partitions",
            ReferenceError::NotOne { .. } => "not_one_partition",
        }
    }
}

impl fmt::Display for ReferenceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dataset)?;
        self.dims.iter().try_for_each(|(dim, keys)| write!(f, "/{dim}={keys}"))
    }
}

impl ReferenceText {
    /// Splits a text.
    ///
    /// # Errors
    /// No dataset, empty segments, a segment without `=` after one with it, a dimension named twice.
    pub fn parse(text: &str) -> Result<ReferenceText, ReferenceError> {
        let bad = |reason| Err(ReferenceError::BadForm { text: text.to_owned(), reason });
        let label = ["@@//", "@//", "//"].iter().find_map(|prefix| text.strip_prefix(prefix));
        let plain = label.unwrap_or(text);
        let mut name: Vec<&str> = Vec::new();
        let mut dims: Vec<(String, String)> = Vec::new();
        for segment in plain.split('/') {
            match segment.split_once('=') {
                _ if segment.is_empty() => return bad("it has an empty segment"),
                None if dims.is_empty() => name.push(segment),
                None => return bad("the dataset's name must come before all dimension=key segments"),
                Some(("", _) | (_, "")) => return bad("a dimension or its key is empty"),
                Some((dim, keys)) => {
                    if dims.iter().any(|(other, _)| other == dim) {
                        return Err(ReferenceError::DuplicateDimension { dim: dim.to_owned() });
                    }
                    dims.push((dim.to_owned(), keys.to_owned()));
                }
            }
        }
        // In a label, a colon parts package and target: `//sales:orders`, `//:orders`, `:orders`.
        let name = name.join("/");
        let dataset = match name.split_once(':') {
            Some((_, target)) if target.is_empty() || target.contains(':') => {
                return bad("its label has no target name");
            }
            Some(("", target)) => target.to_owned(),
            Some((package, target)) => format!("{package}/{target}"),
            None => name,
        };
        if dataset.is_empty() {
            return bad("it names no dataset");
        }
        // A slash may stand on either side of the colon.
        if dataset.split('/').any(str::is_empty) {
            return bad("it has an empty segment");
        }
        Ok(ReferenceText { dataset, dims })
    }
}

/// The set that a reference means, given its dataset's dimensions in declared order. A dimension left out
/// means all keys that exist at `as_of`.
///
/// # Errors
/// An unknown dimension, bad keys, retired keys, or keys of periods that have not ended at `as_of`.
pub fn resolve(
    reference: &ReferenceText,
    dims: &[(&str, &KeySpace)],
    symbols: &Symbols,
    as_of: Timestamp,
) -> Result<PartitionSet, ReferenceError> {
    resolve_as(reference, dims, symbols, as_of, Retired::Refused)
}

/// What becomes of retired keys that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    /// Nothing can be built for them.
    Refused,
    /// What is there of them can be read.
    Readable,
    /// It is an event that names them.
    Recorded,
}

/// The same, with a word on retired keys.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_as(
    reference: &ReferenceText,
    dims: &[(&str, &KeySpace)],
    symbols: &Symbols,
    as_of: Timestamp,
    retired: Retired,
) -> Result<PartitionSet, ReferenceError> {
    if let Some((dim, _)) = reference.dims.iter().find(|(dim, _)| !dims.iter().any(|(name, _)| name == dim)) {
        return Err(ReferenceError::UnknownDimension {
            dataset: reference.dataset.clone(),
            dim: dim.clone(),
            dims: dims.iter().map(|(name, _)| (*name).to_owned()).collect(),
        });
    }
    let mut sets = Vec::with_capacity(dims.len());
    for (name, space) in dims {
        let extent = space.extent(as_of, symbols);
        sets.push(match reference.dims.iter().find(|(dim, _)| dim == name) {
            Some((_, text)) => keys_of(&reference.dataset, (name, space), text, symbols, &extent, retired)?,
            None => extent,
        });
    }
    let shape = Shape::of_each(dims.iter().map(|(_, space)| *space));
    if retired != Retired::Recorded
        && shape.rows_of(&sets) > MOST_ROWS
        && !sets.iter().any(RangeSet::is_empty)
    {
        let most = shape.short_dims().max_by_key(|dim| sets[*dim].len()).unwrap_or_default();
        let (text, dim) = (reference.to_string(), dims[most].0.to_owned());
        return Err(ReferenceError::TooMany { text, count: size(&sets), dim });
    }
    Ok(PartitionSet::full(shape, &sets))
}

/// The keys that a reference means in one dimension, of which these exist.
fn keys_of(
    dataset: &str,
    (dim, space): (&str, &KeySpace),
    text: &str,
    symbols: &Symbols,
    extent: &RangeSet,
    retired: Retired,
) -> Result<RangeSet, ReferenceError> {
    let (dataset, dim) = (|| dataset.to_owned(), || dim.to_owned());
    let wrong = |error| ReferenceError::Key { dataset: dataset(), dim: dim(), error: Box::new(error) };
    let named = NamedKeys::parse(space, text, symbols).map_err(wrong)?;
    // Events have exact keys. Whatever else may say so in one, it would mean something else today.
    if retired == Retired::Recorded && named.is_relative() {
        return Err(wrong(KeyError::BadRelative { text: text.to_owned() }));
    }
    let set = named.at(extent).map_err(wrong)?;
    let Some(strange) = set.subtract(extent).first() else { return Ok(set) };
    match space.dynamic() {
        Some(_) if retired != Retired::Refused => Ok(set),
        Some(space) => {
            let text = symbols.text(strange).to_owned();
            Err(wrong(KeyError::RetiredKey { text, space: space.to_owned() }))
        }
        None => Err(ReferenceError::NotYet {
            dataset: dataset(),
            dim: dim(),
            key: space.format_key(strange, symbols),
            ends_at: space.time().and_then(|space| space.ends_at(strange)),
        }),
    }
}

/// The reference with exact keys in the place of relative ones, as of an instant; what has none stays as it is, be it known
/// to the graph or not.
///
/// # Errors
/// Relative keys that mean none, or what stands beside them in their dimension is wrong.
pub fn exact(
    mut reference: ReferenceText,
    dims: &[(&str, &KeySpace)],
    symbols: &Symbols,
    as_of: Timestamp,
) -> Result<ReferenceText, ReferenceError> {
    for (dim, text) in &mut reference.dims {
        let Some((_, space)) = dims.iter().find(|(name, _)| name == dim) else { continue };
        let is_relative = match NamedKeys::parse(space, text, symbols) {
            Ok(named) => named.is_relative(),
            Err(error) => error.is_of_relative_keys(),
        };
        if is_relative {
            let extent = space.extent(as_of, symbols);
            let keys = keys_of(&reference.dataset, (dim, space), text, symbols, &extent, Retired::Readable)?;
            *text = space.format_set(&keys, symbols);
        }
    }
    Ok(reference)
}

/// The reference of one partition, dimensions in declared order.
#[must_use]
pub fn format_partition(
    dataset: &str,
    dims: &[impl AsRef<str>],
    spaces: &[KeySpace],
    key: &PartitionKey,
    symbols: &Symbols,
) -> String {
    let mut text = dataset.to_owned();
    for ((dim, space), key) in dims.iter().zip(spaces).zip(key.keys()) {
        text.push('/');
        text.push_str(dim.as_ref());
        text.push('=');
        text.push_str(&space.format_key(*key, symbols));
    }
    text
}

/// Few references that together mean exactly `set`; every dimension is written out, so that they mean the
/// same at any later instant. The empty set gives none.
#[must_use]
pub fn format_set(
    dataset: &str,
    dims: &[impl AsRef<str>],
    spaces: &[KeySpace],
    set: &PartitionSet,
    symbols: &Symbols,
) -> Vec<String> {
    let format_box = |sets: Vec<RangeSet>| {
        let mut text = dataset.to_owned();
        for ((dim, space), keys) in dims.iter().zip(spaces).zip(&sets) {
            text.push('/');
            text.push_str(dim.as_ref());
            text.push('=');
            text.push_str(&space.format_set(keys, symbols));
        }
        text
    };
    Order::of(spaces, symbols).compact_boxes(set).into_iter().map(format_box).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Granularity, TimeSpace};

    #[test]
    fn labels_and_names_mean_the_same() {
        let expected = ReferenceText {
            dataset: "sales/orders".to_owned(),
            dims: vec![
                ("region".to_owned(), "eu+us".to_owned()),
                ("hour".to_owned(), "2010-11-07T01-04:00".to_owned()),
            ],
        };
        for head in ["sales/orders", "//sales/orders", "//sales:orders", "@@//sales:orders", "sales:orders"] {
            let text = format!("{head}/region=eu+us/hour=2010-11-07T01-04:00");
            assert_eq!(ReferenceText::parse(&text), Ok(expected.clone()), "{text}");
        }
        for (text, dataset) in [("//:raw", "raw"), (":raw", "raw"), ("raw", "raw"), ("//a/b:c/d", "a/b/c/d")]
        {
            assert_eq!(ReferenceText::parse(text).unwrap().dataset, dataset);
        }
    }

    #[test]
    fn a_text_begins_with_its_dataset() {
        for (text, dataset) in
            [("a/b/x=1/y=2..3", "a/b"), ("a/b", "a/b"), ("a/x=", "a"), ("a/", "a/"), ("x=1", ""), ("", "")]
        {
            assert_eq!(dataset_of(text), dataset, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_reference() {
        for text in
            ["", "/", "a/", "//", "a//b", "a/=x", "a/x=", "x=1", "a/x=1/b", "a:", "a:b:c/x=1", "a/:b", "a:/b"]
        {
            assert_eq!(ReferenceText::parse(text).unwrap_err().code(), "bad_reference", "{text}");
        }
        assert_eq!(ReferenceText::parse("a/x=1/x=2").unwrap_err().code(), "duplicate_dimension");
    }

    #[test]
    fn resolving_says_what_is_wrong_with_which_dimension() {
        let mut symbols = Symbols::new();
        let city = KeySpace::of_static(vec![symbols.intern("oslo"), symbols.intern("bergen")]);
        let days = TimeSpace::parse(Granularity::Day, "2010-01-01", None, "Europe/Oslo").unwrap();
        let days = KeySpace::Time(days);
        let dims = [("city", &city), ("date", &days)];
        let as_of: Timestamp = "2010-01-31T12:00Z".parse().unwrap();
        let resolve = |text: &str| resolve(&ReferenceText::parse(text).unwrap(), &dims, &symbols, as_of);
        assert_eq!(resolve("t").unwrap().len(), 60);
        assert_eq!(resolve("t/date=2010-01-30").unwrap().len(), 2);
        assert_eq!(resolve("t/date=2010-01-30/city=oslo").unwrap().len(), 1);
        for (text, message) in [
            ("t/town=oslo", "`t` has no dimension `town`; there are `city`, `date`"),
            ("t/city=olso", "dimension `city` of `t`: `olso` is no key here; did you mean `oslo`?"),
            (
                "t/date=2010-01-30..2010-02-03",
                "dimension `date` of `t`: `2010-01-31` has not ended; it ends at 2010-01-31T23:00:00Z",
            ),
            ("t/date=2009-01-30", "dimension `date` of `t`: `2009-01-30` is before the first key 2010-01-01"),
        ] {
            assert_eq!(resolve(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn an_unknown_dataset_names_likely_ones() {
        let message =
            |name| ReferenceError::unknown_dataset(name, ["raw", "sales/orders", "temps_7d"]).to_string();
        assert_eq!(message("orders"), "there is no dataset `orders`; did you mean `sales/orders`?");
        assert_eq!(message("temps_7"), "there is no dataset `temps_7`; did you mean `temps_7d`?");
        assert_eq!(message("q"), "there is no dataset `q`; there are `raw`, `sales/orders`, `temps_7d`");
    }

    #[test]
    fn rows_are_written_together() {
        let mut symbols = Symbols::new();
        let city = KeySpace::of_static(["oslo", "bergen", "moss"].map(|city| symbols.intern(city)).to_vec());
        let days = TimeSpace::parse(Granularity::Day, "2010-01-01", Some("2010-12-31"), "UTC").unwrap();
        let spaces = [city, KeySpace::Time(days)];
        let sets: Vec<RangeSet> = spaces.iter().map(|space| space.bounds(&symbols)).collect();
        let mut set = PartitionSet::full(Shape::of(&spaces), &sets);
        let format = |set: &PartitionSet| format_set("a/t", &["city", "date"], &spaces, set, &symbols);
        assert_eq!(format(&set), ["a/t/city=oslo+bergen+moss/date=2010-01-01..2010-12-31"]);
        set.remove(&PartitionKey::new([1, sets[1].first().unwrap()]));
        assert_eq!(
            format(&set),
            ["a/t/city=oslo+moss/date=2010-01-01..2010-12-31", "a/t/city=bergen/date=2010-01-02..2010-12-31"]
        );
        assert_eq!(
            format_set("a/t", &[""; 0], &[], &PartitionSet::full(Shape::of(&[]), &[]), &symbols),
            ["a/t"]
        );
        assert!(format(&set.subtract(&set)).is_empty());
    }
}
