//! Two patterns of paths: keys of both for which one path is the other, or begins it.
//!
//! Segments are read side by side, a character at a time, through all states that two readers can be in. A state keeps what
//! matters for what follows: where both are, what was read of the key at hand, and keys that come again. So each state
//! is looked at once. Segments without a common dimension do not depend on each other and are searched apart.
//!
//! First only the forms of time keys are looked at, which are few; then the keys themselves. What is found is checked by
//! writing it out, so nothing is refused that cannot be. Where a search has seen [`STATES`] states it gives up and finds
//! nothing; that takes a dynamic key that comes twice in a path, or millions of periods that just do not meet.

use super::lexicon::{Chars, Lexicon};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// States after which a search ends.
const STATES: usize = 20_000;

/// Keys as they are written, by dimension.
pub(super) type Texts = Vec<String>;

/// A piece of a segment; texts are not empty and have no `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Atom {
    Text(String),
    /// The key of a dimension.
    Hole(usize),
}

/// A path template, cut at slashes. No key has a slash in it, so that each path has just these segments.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub absolute: bool,
    pub segments: Vec<Vec<Atom>>,
}

/// A pattern with the keys that go into it.
pub(super) struct Place<'a> {
    pub pattern: &'a Pattern,
    pub lexicons: Vec<Lexicon<'a>>,
}

impl Pattern {
    /// The path of some keys.
    pub fn fill(&self, keys: &Texts) -> String {
        let written = |atom: &Atom| match atom {
            Atom::Text(text) => text.clone(),
            Atom::Hole(dim) => keys[*dim].clone(),
        };
        let segments: Vec<String> =
            self.segments.iter().map(|segment| segment.iter().map(written).collect()).collect();
        format!("{}{}", if self.absolute { "/" } else { "" }, segments.join("/"))
    }

    /// Other keys could give the same path: a key's end is not always seen.
    pub fn is_ambiguous(&self) -> bool {
        self.segments.iter().any(|segment| holes(segment).count() > 1)
    }

    /// False if fixed beginnings and ends of segments differ. Quick, for most pairs end here.
    pub fn may_meet(&self, other: &Pattern) -> bool {
        self.segments.iter().zip(&other.segments).all(|(one, other)| {
            let agree =
                |one: Option<&Atom>, other: Option<&Atom>, end: fn(&str, &str) -> bool| match (one, other) {
                    (Some(Atom::Text(one)), Some(Atom::Text(other))) => end(one, other) || end(other, one),
                    _ => true,
                };
            match (&one[..], &other[..]) {
                ([Atom::Text(one)], [Atom::Text(other)]) => one == other,
                _ => {
                    agree(one.first(), other.first(), |a, b| a.starts_with(b))
                        && agree(one.last(), other.last(), |a, b| a.ends_with(b))
                }
            }
        })
    }
}

fn holes(segment: &[Atom]) -> impl Iterator<Item = usize> + '_ {
    segment.iter().filter_map(|atom| match atom {
        Atom::Text(_) => None,
        Atom::Hole(dim) => Some(*dim),
    })
}

/// Keys of two places so that one path is the other or lies below it. With `other_keys` the places are one, and the
/// keys differ.
pub(super) fn meet(one: &Place, other: &Place, other_keys: bool) -> Option<[Texts; 2]> {
    let places = [one, other];
    let depth = one.pattern.segments.len().min(other.pattern.segments.len());
    let mut found = places.map(|place| place.lexicons.iter().map(Lexicon::example).collect::<Texts>());
    let mut met = false;
    for segments in components(places, depth) {
        if other_keys && !segments.iter().any(|at| holes(&one.pattern.segments[*at]).count() > 1) {
            continue;
        }
        let bound = search(places, &segments, other_keys);
        let Some(bound) = bound else {
            if other_keys {
                continue;
            }
            return None;
        };
        for (texts, bound) in found.iter_mut().zip(bound) {
            bound.into_iter().for_each(|(dim, text)| texts[dim] = text);
        }
        met = true;
        if other_keys {
            break;
        }
    }
    let paths = [one.pattern.fill(&found[0]), other.pattern.fill(&found[1])];
    let real = places
        .iter()
        .zip(&found)
        .all(|(place, texts)| place.lexicons.iter().zip(texts).all(|(lexicon, text)| lexicon.contains(text)));
    let begun = paths[0].split('/').zip(paths[1].split('/')).all(|(one, other)| one == other);
    (real && begun && (met || !other_keys) && !(other_keys && found[0] == found[1])).then_some(found)
}

/// Segments that depend on each other, and the dimensions that they have: side and index.
struct Group {
    dims: BTreeSet<(usize, usize)>,
    segments: Vec<usize>,
}

/// The first `depth` segments, those together that have a dimension in common. In each group what has the fewest
/// dynamic keys comes first, so that they are known where others have them too.
fn components(places: [&Place; 2], depth: usize) -> Vec<Vec<usize>> {
    let dims = |at: usize| {
        let of = |side: usize| holes(&places[side].pattern.segments[at]).map(move |dim| (side, dim));
        of(0).chain(of(1)).collect::<BTreeSet<_>>()
    };
    let mut groups: Vec<Group> = Vec::new();
    for at in 0..depth {
        let mut group = Group { dims: dims(at), segments: vec![at] };
        let (near, far): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|other| !other.dims.is_disjoint(&group.dims));
        for other in near {
            group.dims.extend(other.dims);
            group.segments.extend(other.segments);
        }
        groups = far;
        groups.push(group);
    }
    let open = |at: &usize| {
        dims(*at)
            .into_iter()
            .filter(|(side, dim)| matches!(places[*side].lexicons[*dim], Lexicon::Any))
            .count()
    };
    groups.iter_mut().for_each(|group| group.segments.sort_by_key(open));
    groups.into_iter().map(|group| group.segments).collect()
}

type Bound = BTreeMap<usize, String>;

/// Keys for some segments.
fn search(places: [&Place; 2], segments: &[usize], other_keys: bool) -> Option<[Bound; 2]> {
    let side = |place: &Place, lexicons, coarse: bool| {
        let segments: Vec<Vec<Atom>> =
            segments.iter().map(|at| place.pattern.segments[*at].clone()).collect();
        let mut again = BTreeSet::new();
        if !coarse {
            let mut seen = BTreeSet::new();
            again.extend(segments.iter().flat_map(|segment| holes(segment)).filter(|dim| !seen.insert(*dim)));
        }
        Side { segments, lexicons, again }
    };
    let [one, other] = places;
    let [coarse_one, coarse_other] =
        places.map(|place| place.lexicons.iter().map(Lexicon::coarse).collect::<Vec<_>>());
    let forms = [side(one, &coarse_one[..], true), side(other, &coarse_other[..], true)];
    if let Outcome::Nothing = (Search { sides: forms, other_keys }).run() {
        return None;
    }
    let keys = [side(one, &one.lexicons[..], false), side(other, &other.lexicons[..], false)];
    match (Search { sides: keys, other_keys }).run() {
        Outcome::Found(bound) => Some(bound),
        Outcome::Nothing | Outcome::TooMany => None,
    }
}

enum Outcome {
    Found([Bound; 2]),
    Nothing,
    TooMany,
}

struct Side<'a> {
    segments: Vec<Vec<Atom>>,
    lexicons: &'a [Lexicon<'a>],
    /// Dimensions that come more than once: what was read of them is kept.
    again: BTreeSet<usize>,
}

/// Where a reader is in a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Cursor {
    atom: usize,
    /// What it has read of this atom, or what matters of it.
    read: String,
    /// Keys that come again.
    bound: Vec<(usize, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    segment: usize,
    cursors: [Cursor; 2],
    /// The keys are known to differ.
    differ: bool,
}

/// How a reader may go on.
struct Step {
    chars: Chars,
    /// The key at hand may end here.
    ends: bool,
}

struct Search<'a> {
    sides: [Side<'a>; 2],
    other_keys: bool,
}

impl Side<'_> {
    fn at_end(&self, segment: usize, cursor: &Cursor) -> bool {
        cursor.atom == self.segments[segment].len()
    }

    /// The dimension whose key is being read for the first time.
    fn reads(&self, segment: usize, cursor: &Cursor) -> Option<usize> {
        match self.segments[segment].get(cursor.atom)? {
            Atom::Hole(dim) if !cursor.bound.iter().any(|(bound, _)| bound == dim) => Some(*dim),
            _ => None,
        }
    }

    /// The text that has to come here.
    fn fixed<'s>(&'s self, segment: usize, cursor: &'s Cursor) -> Option<&'s str> {
        match self.segments[segment].get(cursor.atom)? {
            Atom::Text(text) => Some(text),
            Atom::Hole(dim) => {
                cursor.bound.iter().find(|(bound, _)| bound == dim).map(|(_, text)| text.as_str())
            }
        }
    }

    fn step(&self, segment: usize, cursor: &Cursor) -> Step {
        if let Some(text) = self.fixed(segment, cursor) {
            let next = text[cursor.read.len()..].chars().next();
            return Step { chars: Chars::These(next.into_iter().collect()), ends: false };
        }
        match self.reads(segment, cursor) {
            Some(dim) => {
                let onward = self.lexicons[dim].onward(&cursor.read);
                Step { chars: onward.chars, ends: onward.complete }
            }
            None => Step { chars: Chars::These(Vec::new()), ends: false },
        }
    }

    fn advance(&self, segment: usize, cursor: &Cursor, c: char) -> Cursor {
        let mut next = cursor.clone();
        next.read.push(c);
        match (self.fixed(segment, cursor), self.reads(segment, cursor)) {
            (Some(text), _) if text.len() == next.read.len() => {
                next.atom += 1;
                next.read.clear();
            }
            (None, Some(dim)) if !self.again.contains(&dim) => self.lexicons[dim].seen(&mut next.read),
            _ => {}
        }
        next
    }

    /// Past the key at hand.
    fn end_key(&self, segment: usize, cursor: &Cursor) -> Cursor {
        let mut next = cursor.clone();
        let read = std::mem::take(&mut next.read);
        next.atom += 1;
        if let Some(dim) = self.reads(segment, cursor).filter(|dim| self.again.contains(dim)) {
            next.bound.push((dim, read));
        }
        next
    }

    /// Characters that its texts and listed keys have.
    fn alphabet(&self, chars: &mut BTreeSet<char>) {
        for atom in self.segments.iter().flatten() {
            match atom {
                Atom::Text(text) => chars.extend(text.chars()),
                Atom::Hole(dim) => match &self.lexicons[*dim] {
                    Lexicon::Listed(texts) => chars.extend(texts.iter().flat_map(|text| text.chars())),
                    Lexicon::Time(..) | Lexicon::Forms(_) => chars.extend("0123456789-TW:+".chars()),
                    Lexicon::Any => {}
                },
            }
        }
    }
}

/// A state, the one it was reached from, and the character that was read on the way.
struct Node {
    state: State,
    from: usize,
    read: Option<char>,
}

impl Search<'_> {
    fn run(&self) -> Outcome {
        let start =
            State { segment: 0, cursors: [Cursor::default(), Cursor::default()], differ: !self.other_keys };
        let mut nodes = vec![Node { state: start.clone(), from: 0, read: None }];
        let mut seen = HashSet::from([start]);
        // What is forced goes first and deep; where both sides may be anything, short texts go first.
        let mut waiting = VecDeque::from([0]);
        while let Some(at) = waiting.pop_front() {
            let state = nodes[at].state.clone();
            if state.segment == self.sides[0].segments.len() {
                if state.differ {
                    return Outcome::Found(self.bound(&nodes, at));
                }
                continue;
            }
            if nodes.len() > STATES {
                return Outcome::TooMany;
            }
            let (next, free) = self.after(&state);
            let mut reached = Vec::new();
            for (read, state) in next {
                if seen.insert(state.clone()) {
                    reached.push(nodes.len());
                    nodes.push(Node { state, from: at, read });
                }
            }
            if free {
                waiting.extend(reached);
            } else {
                reached.into_iter().rev().for_each(|at| waiting.push_front(at));
            }
        }
        Outcome::Nothing
    }

    /// States right after one, and whether they were free to choose from.
    fn after(&self, state: &State) -> (Vec<(Option<char>, State)>, bool) {
        let segment = state.segment;
        let [one, other] = &self.sides;
        let [at_one, at_other] = &state.cursors;
        if one.at_end(segment, at_one) && other.at_end(segment, at_other) {
            let next = |cursor: &Cursor| Cursor { bound: cursor.bound.clone(), ..Cursor::default() };
            let cursors = [next(at_one), next(at_other)];
            return (vec![(None, State { segment: segment + 1, cursors, ..state.clone() })], false);
        }
        let mut found = Vec::new();
        let steps = [one.step(segment, at_one), other.step(segment, at_other)];
        for i in (0..2).filter(|i| steps[*i].ends) {
            let mut next = state.clone();
            next.cursors[i] = self.sides[i].end_key(segment, &state.cursors[i]);
            found.push((None, next));
        }
        let mut free = false;
        let both: Vec<char> = match (&steps[0].chars, &steps[1].chars) {
            (Chars::These(chars), rest) | (rest, Chars::These(chars)) => {
                chars.iter().copied().filter(|c| rest.contains(*c)).collect()
            }
            (one_chars, other_chars) => {
                free = true;
                let kept = |i: usize| {
                    let dim = self.sides[i].reads(segment, &state.cursors[i]);
                    dim.is_some_and(|dim| self.sides[i].again.contains(&dim))
                };
                // One text is as good as another unless it comes again.
                let mut chars = BTreeSet::from(['x']);
                if kept(0) || kept(1) {
                    self.sides.iter().for_each(|side| side.alphabet(&mut chars));
                }
                chars.into_iter().filter(|c| one_chars.contains(*c) && other_chars.contains(*c)).collect()
            }
        };
        for c in both {
            let cursors = [one.advance(segment, at_one, c), other.advance(segment, at_other, c)];
            // One pattern read twice: as long as both readers are in one hole, they read one key.
            let differ = state.differ || at_one.atom != at_other.atom;
            found.push((Some(c), State { segment, cursors, differ }));
        }
        (found, free)
    }

    /// What was read of each dimension on the way to a state.
    fn bound(&self, nodes: &[Node], end: usize) -> [Bound; 2] {
        let mut way = Vec::new();
        let mut at = end;
        while at != 0 {
            way.push((nodes[at].from, nodes[at].read));
            at = nodes[at].from;
        }
        let mut bound = [Bound::new(), Bound::new()];
        for (from, read) in way.into_iter().rev() {
            let state = &nodes[from].state;
            let Some(c) = read else { continue };
            for (i, bound) in bound.iter_mut().enumerate() {
                let cursor = &state.cursors[i];
                let Some(Atom::Hole(dim)) = self.sides[i].segments[state.segment].get(cursor.atom) else {
                    continue;
                };
                if self.sides[i].again.contains(dim) && self.sides[i].reads(state.segment, cursor).is_none() {
                    continue;
                }
                bound.entry(*dim).or_default().push(c);
            }
        }
        bound
    }
}
