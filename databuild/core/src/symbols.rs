//! Numbers for the texts of listed and dynamic keys, and which dynamic keys there are.
//!
//! Invariants: the table only grows; a number is never reused; a text has the same number in every
//! dataset. Numbers are internal: what is stored or shown is the text. A dynamic key that is retired
//! keeps its number, and has it again when it comes back.
//!
//! The table is kept in pieces behind an [`Arc`] each, so that a key that comes while somebody holds a
//! clone costs a piece and not a table of a million keys.

use crate::range_set::{Key, RangeSet};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Texts in a page; a power of two.
const PAGE: usize = 1024;
/// Maps from text to number.
const SHARDS: usize = 256;

type Page = Arc<Vec<Arc<str>>>;
type Shard = Arc<HashMap<Arc<str>, Key>>;

/// The table of one workspace. A clone shares it until one side interns a new text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    len: usize,
    pages: Arc<Vec<Page>>,
    /// By the text's hash; empty or [`SHARDS`] of them.
    shards: Arc<Vec<Shard>>,
    spaces: Arc<BTreeMap<String, DynamicKeys>>,
}

/// The keys of one dynamic key space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DynamicKeys {
    /// Keys that exist.
    pub current: RangeSet,
    /// Keys that existed once and do not now.
    pub retired: RangeSet,
    /// Both, in the order in which they first came, as ranges of numbers: mostly one, for numbers are given as keys come,
    /// except to texts that something else had before.
    order: Vec<(Key, Key)>,
}

impl DynamicKeys {
    /// All keys, retired ones as well, in the order in which they first came.
    pub fn in_order(&self) -> impl Iterator<Item = Key> + '_ {
        self.order.iter().flat_map(|(lo, hi)| *lo..=*hi)
    }

    /// Whether that is the order of their numbers.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.order.is_sorted()
    }

    /// The order as ranges of numbers.
    #[must_use]
    pub fn order(&self) -> &[(Key, Key)] {
        &self.order
    }

    fn note(&mut self, key: Key) {
        match self.order.last_mut() {
            Some(last) if last.1.checked_add(1) == Some(key) => last.1 = key,
            _ => self.order.push((key, key)),
        }
    }
}

/// A key space that nobody has added a key to.
static NO_KEYS: DynamicKeys =
    DynamicKeys { current: RangeSet::new(), retired: RangeSet::new(), order: Vec::new() };

fn shard_of(text: &str) -> usize {
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish() as usize % SHARDS
}

impl Symbols {
    /// An empty table.
    #[must_use]
    pub fn new() -> Symbols {
        Symbols::default()
    }

    /// The number of `text`, which it gets now if it has none.
    ///
    /// # Panics
    /// With 2^32 different texts; memory ends before.
    pub fn intern(&mut self, text: &str) -> Key {
        if let Some(key) = self.get(text) {
            return key;
        }
        let key = Key::try_from(self.len).expect("fewer than 2^32 keys");
        let text: Arc<str> = text.into();
        let pages = Arc::make_mut(&mut self.pages);
        if self.len.is_multiple_of(PAGE) {
            pages.push(Arc::default());
        }
        let page = pages.last_mut().expect("a page was just added, or the last one has room");
        Arc::make_mut(page).push(Arc::clone(&text));
        let shards = Arc::make_mut(&mut self.shards);
        shards.resize_with(SHARDS, Arc::default);
        Arc::make_mut(&mut shards[shard_of(&text)]).insert(text, key);
        self.len += 1;
        key
    }

    /// Whether this is a clone to which nothing has come since, nor to what it was cloned from.
    #[must_use]
    pub fn is_shared_with(&self, other: &Symbols) -> bool {
        Arc::ptr_eq(&self.shards, &other.shards) && Arc::ptr_eq(&self.spaces, &other.spaces)
    }

    /// The number of `text`, if it has one.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Key> {
        self.shards.get(shard_of(text))?.get(text).copied()
    }

    /// The text of a number that this table gave out.
    ///
    /// # Panics
    /// If it did not: numbers of different tables were mixed up.
    #[must_use]
    pub fn text(&self, key: Key) -> &str {
        &self.pages[key as usize / PAGE][key as usize % PAGE]
    }

    /// How many texts have numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no text has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys of a dynamic key space.
    #[must_use]
    pub fn dynamic(&self, space: &str) -> &DynamicKeys {
        self.spaces.get(space).unwrap_or(&NO_KEYS)
    }

    /// All dynamic key spaces that ever had a key.
    pub fn dynamic_spaces(&self) -> impl ExactSizeIterator<Item = (&str, &DynamicKeys)> {
        self.spaces.iter().map(|(name, keys)| (name.as_str(), keys))
    }

    /// Adds keys to a dynamic key space in this order, or brings them back to their old places.
    pub fn add_keys(&mut self, space: &str, keys: impl IntoIterator<Item = Key>) {
        let own = Arc::make_mut(&mut self.spaces).entry(space.to_owned()).or_default();
        let mut added = HashSet::new();
        for key in keys {
            if added.insert(key) && !own.current.contains(key) && !own.retired.contains(key) {
                own.note(key);
            }
        }
        let added: RangeSet = added.into_iter().collect();
        own.current.union_with(&added);
        own.retired.subtract_with(&added);
    }

    /// Takes keys out of a dynamic key space.
    pub fn retire_keys(&mut self, space: &str, keys: &RangeSet) {
        let own = Arc::make_mut(&mut self.spaces).entry(space.to_owned()).or_default();
        let gone = own.current.intersect(keys);
        own.current.subtract_with(&gone);
        own.retired.union_with(&gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_numbers_when_the_other_grows() {
        let mut symbols = Symbols::new();
        assert_eq!((symbols.intern("eu"), symbols.intern("us"), symbols.intern("eu")), (0, 1, 0));
        let before = symbols.clone();
        assert_eq!(symbols.intern("asia"), 2);
        assert_eq!((before.len(), before.get("asia")), (2, None));
        assert_eq!(symbols.text(2), "asia");
    }

    #[test]
    fn many_texts_keep_their_numbers() {
        let mut symbols = Symbols::new();
        for number in 0..3 * PAGE as Key {
            assert_eq!(symbols.intern(&format!("k{number}")), number);
        }
        assert_eq!(symbols.get("k2000"), Some(2000));
        assert_eq!(symbols.text(2 * PAGE as Key), format!("k{}", 2 * PAGE));
    }

    #[test]
    fn a_retired_key_comes_back_with_its_number() {
        let mut symbols = Symbols::new();
        let keys: RangeSet = ["a", "b"].map(|text| symbols.intern(text)).into_iter().collect();
        symbols.add_keys("names", keys.iter());
        symbols.retire_keys("names", &RangeSet::single(1));
        let sets = |symbols: &Symbols| {
            let keys = symbols.dynamic("names");
            (keys.current.iter().collect::<Vec<_>>(), keys.retired.iter().collect::<Vec<_>>())
        };
        assert_eq!(sets(&symbols), (vec![0], vec![1]));
        let again = symbols.intern("b");
        symbols.add_keys("names", [again]);
        assert_eq!(sets(&symbols), (vec![0, 1], vec![]));
        assert!(symbols.dynamic("others").current.is_empty());
    }

    #[test]
    fn keys_keep_the_order_in_which_they_came() {
        let mut symbols = Symbols::new();
        // Something else lists some of them.
        ["b", "a"].iter().for_each(|text| _ = symbols.intern(text));
        let mut add = |texts: &[&str]| {
            let keys: Vec<Key> = texts.iter().map(|text| symbols.intern(text)).collect();
            symbols.add_keys("names", keys);
            let own = symbols.dynamic("names");
            let order: Vec<String> = own.in_order().map(|key| symbols.text(key).to_owned()).collect();
            (order.join(" "), own.is_sorted())
        };
        assert_eq!(add(&["z", "b", "z", "c"]), ("z b c".to_owned(), false));
        assert_eq!(add(&["a", "b", "d"]), ("z b c a d".to_owned(), false));
        let keys: RangeSet = symbols.dynamic("names").current.clone();
        symbols.retire_keys("names", &keys);
        symbols.add_keys("names", keys.iter());
        assert_eq!(symbols.dynamic("names").order(), [(2, 2), (0, 0), (3, 3), (1, 1), (4, 4)]);
    }
}
