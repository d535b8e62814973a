//! Ticks of crons against an oracle that goes through all instants, or all local times, of a window with the calendar
//! library. All zones, mostly where their clocks are set. `SEEDS=100000` tries more crons, `SEED=17` one.

mod support;

use databuild_core::schedule::Timing;
use databuild_core::time::Zone;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::BTreeSet;
use support::rng::{seeds, Rng};

/// What a field says, and which numbers that is.
struct Field {
    text: String,
    numbers: BTreeSet<i64>,
}

impl Field {
    fn of(rng: &mut Rng, least: i64, most: i64) -> Field {
        let any = |rng: &mut Rng, least: i64| least + rng.below((most - least + 1) as usize) as i64;
        let step = |rng: &mut Rng| 1 + rng.below((most - least) as usize) as i64;
        let (a, by) = (any(rng, least), step(rng));
        let b = any(rng, a);
        let (text, numbers): (String, BTreeSet<i64>) = match rng.below(8) {
            0 | 1 => ("*".into(), (least..=most).collect()),
            2 => (format!("*/{by}"), (least..=most).filter(|n| (n - least) % by == 0).collect()),
            3 => (format!("{a}-{b}"), (a..=b).collect()),
            4 => (format!("{a}-{b}/{by}"), (a..=b).filter(|n| (n - a) % by == 0).collect()),
            5 => (format!("{a},{b}"), [a, b].into()),
            6 => (format!("{a}/{by}"), (a..=most).filter(|n| (n - a) % by == 0).collect()),
            _ => (a.to_string(), [a].into()),
        };
        Field { text, numbers }
    }
}

/// A day by words that only some fields have.
enum Special {
    FromEnd(i64),
    LastWeekday(i64),
    Nth(i64, i64),
}

/// A cron, field by field.
struct Cron {
    seconds: Option<(Field, Field)>,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
    special: Option<Special>,
    text: String,
}

fn of_week(weekday: Weekday) -> i64 {
    i64::from(weekday.to_sunday_zero_offset())
}

impl Cron {
    fn of(rng: &mut Rng) -> Cron {
        let (minute, mut hour) = (Field::of(rng, 0, 59), Field::of(rng, 0, 23));
        // Clocks are set at night.
        if rng.percent(50) {
            let at = rng.below(4) as i64;
            hour = Field { text: at.to_string(), numbers: [at].into() };
        }
        let month = Field::of(rng, 1, 12);
        let (mut day, mut weekday) = (Field::of(rng, 1, 31), Field::of(rng, 0, 6));
        for field in [&mut day, &mut weekday] {
            if rng.percent(50) {
                field.text = "*".into();
                field.numbers = (0..=31).collect();
            }
        }
        let special = rng.percent(20).then(|| match rng.below(3) {
            0 => Special::FromEnd(rng.below(31) as i64),
            1 => Special::LastWeekday(rng.below(7) as i64),
            _ => Special::Nth(rng.below(7) as i64, 1 + rng.below(5) as i64),
        });
        match &special {
            Some(Special::FromEnd(0)) => (day.text, day.numbers) = ("L".into(), [].into()),
            Some(Special::FromEnd(before)) => (day.text, day.numbers) = (format!("L-{before}"), [].into()),
            Some(Special::LastWeekday(of)) => (weekday.text, weekday.numbers) = (format!("{of}L"), [].into()),
            Some(Special::Nth(of, nth)) => {
                (weekday.text, weekday.numbers) = (format!("{of}#{nth}"), [].into());
            }
            None => {}
        }
        let seconds = rng.percent(20).then(|| (Field::of(rng, 0, 59), Field::of(rng, 1990, 2040)));
        let mut text = [&minute, &hour, &day, &month, &weekday].map(|field| field.text.as_str()).join(" ");
        if let Some((second, year)) = &seconds {
            // `*` of years is all of them; steps of it begin elsewhere.
            let year_text = if year.text.starts_with('*') { "*" } else { &year.text };
            text = format!("{} {text} {year_text}", second.text);
        }
        Cron { seconds, minute, hour, day, month, weekday, special, text }
    }

    fn has_day(&self, date: Date) -> bool {
        let weekday = of_week(date.weekday());
        let mut of_month = self.day.numbers.contains(&i64::from(date.day()));
        let mut of_week = self.weekday.numbers.contains(&weekday);
        match self.special {
            Some(Special::FromEnd(before)) => of_month = date + before.days() == date.last_of_month(),
            Some(Special::LastWeekday(of)) => {
                of_week = weekday == of && (date + 7.days()).month() != date.month();
            }
            Some(Special::Nth(of, nth)) => {
                of_week = weekday == of && (i64::from(date.day()) - 1) / 7 + 1 == nth;
            }
            None => {}
        }
        let days = if self.day.text.starts_with('*') || self.weekday.text.starts_with('*') {
            of_month && of_week
        } else {
            of_month || of_week
        };
        let year = self.seconds.as_ref().is_none_or(|(_, year)| {
            year.text.starts_with('*') || year.numbers.contains(&i64::from(date.year()))
        });
        days && year && self.month.numbers.contains(&i64::from(date.month()))
    }

    fn has(&self, local: DateTime) -> bool {
        let second = i64::from(local.second());
        self.seconds.as_ref().map_or(second == 0, |(field, _)| field.numbers.contains(&second))
            && self.minute.numbers.contains(&i64::from(local.minute()))
            && self.hour.numbers.contains(&i64::from(local.hour()))
            && self.has_day(local.date())
    }

    fn fixed(&self) -> bool {
        let second = self.seconds.as_ref().is_some_and(|(field, _)| field.text.starts_with('*'));
        !second && !self.minute.text.starts_with('*') && !self.hour.text.starts_with('*')
    }

    fn step(&self) -> i64 {
        if self.seconds.is_some() {
            1
        } else {
            60
        }
    }

    /// All ticks after `from` and up to `to`, which are whole minutes.
    fn ticks(&self, tz: &TimeZone, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        let step = SignedDuration::from_secs(self.step());
        if !self.fixed() {
            let instants = std::iter::successors(Some(from + step), |at| Some(*at + step));
            return instants.take_while(|at| *at <= to).filter(|at| self.has(tz.to_datetime(*at))).collect();
        }
        let (first, last) = (tz.to_datetime(from) - 26.hours(), tz.to_datetime(to) + 26.hours());
        let mut ticks = BTreeSet::new();
        let mut local = first;
        while local <= last {
            if !self.has_day(local.date()) {
                local = local.date().tomorrow().unwrap().to_datetime(jiff::civil::Time::midnight());
                continue;
            }
            if self.has(local) {
                ticks.insert(happens(tz, local));
            }
            local += step;
        }
        ticks.into_iter().filter(|tick| from < *tick && *tick <= to).collect()
    }
}

/// When a local time happens, if it happens once.
fn happens(tz: &TimeZone, local: DateTime) -> Timestamp {
    match tz.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).unwrap(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).unwrap(),
        AmbiguousOffset::Gap { before, after } => {
            // Clocks were set between the two.
            let (mut low, mut high) = (
                after.to_timestamp(local).unwrap().as_second() - 1,
                before.to_timestamp(local).unwrap().as_second(),
            );
            while high - low > 1 {
                let middle = (low + high) / 2;
                let set = tz.to_offset(Timestamp::from_second(middle).unwrap()) == after;
                (low, high) = if set { (low, middle) } else { (middle, high) };
            }
            Timestamp::from_second(high).unwrap()
        }
    }
}

fn whole_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap()
}

/// An instant from 1990 to 2040, mostly one at which the clock was set.
fn place(rng: &mut Rng, tz: &TimeZone) -> Timestamp {
    let (since, until) = ("1990-01-01T00:00Z".parse().unwrap(), "2040-01-01T00:00Z".parse().unwrap());
    let sets: Vec<Timestamp> =
        tz.following(since).map(|set| set.timestamp()).take_while(|at| *at < until).collect();
    if sets.is_empty() || rng.percent(10) {
        since + SignedDuration::from_secs(rng.below(50 * 365 * 86_400) as i64)
    } else {
        *rng.pick(&sets)
    }
}

fn one(seed: u64, names: &[String]) -> usize {
    let rng = &mut Rng::new(seed);
    let name = &names[(seed % names.len() as u64) as usize];
    let tz = TimeZoneDatabase::bundled().get(name).unwrap();
    let cron = Cron::of(rng);
    let Ok(timing) = Timing::cron(&cron.text, Zone::named(name).unwrap()) else {
        // One that never fires: it has no day.
        let mut days = std::iter::successors(Some(jiff::civil::date(1990, 1, 1)), |day| day.tomorrow().ok());
        assert!(!days.by_ref().take(50 * 366).any(|day| cron.has_day(day)), "{seed}: {}", cron.text);
        return 0;
    };
    let hours = if cron.step() == 1 { 1 } else { 30 };
    let center = whole_minute(place(rng, &tz));
    let wide = SignedDuration::from_secs((1 + rng.below(hours * 60) as i64) * 60);
    let (from, to) = (center - wide, center + wide);
    let all = cron.ticks(&tz, from, to);
    let place = format!("SEED={seed} `{}` in {name} from {from} to {to}", cron.text);
    let within = |after: Timestamp, until: Timestamp| {
        all.iter().copied().filter(move |tick| after < *tick && *tick <= until)
    };
    let nano = SignedDuration::from_nanos(1);
    let mut asked: Vec<Timestamp> = vec![from, center, center - nano, to];
    for tick in all.iter().take(10) {
        asked.extend([*tick, *tick - nano, *tick + nano].into_iter().filter(|at| from <= *at && *at <= to));
    }
    for after in &asked {
        let (next, expected) = (timing.next(*after), within(*after, to).next());
        assert!(
            next == expected || expected.is_none() && next.is_none_or(|at| at > to),
            "{place}: next of {after} is {next:?}, not {expected:?}"
        );
    }
    for _ in 0..20 {
        let (after, until) = (*rng.pick(&asked), *rng.pick(&asked));
        let count = within(after, until).count() as u64;
        assert_eq!(timing.count(after, until), count, "{place}: after {after} until {until}");
        assert_eq!(
            timing.last(until, after),
            within(after, until).next_back(),
            "{place}: after {after} until {until}"
        );
    }
    all.len()
}

#[test]
fn ticks_are_those_that_an_oracle_lists_in_all_zones() {
    let names: Vec<String> =
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect();
    let usual = names.len() as u64;
    let seeds = seeds(usual);
    let many = seeds.end - seeds.start;
    let ticks: usize = seeds.map(|seed| one(seed, &names)).sum();
    assert!(many < usual || ticks > 1_000, "{ticks}");
}
