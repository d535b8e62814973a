//! A cron from its text.

use super::days::{Days, OfMonth, OfWeek};
use super::error::TimingError;
use super::fields::{number, Field, DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, SECOND, YEAR};
use super::pattern::Pattern;
use super::times::Times;

/// The local times that a cron says, and whether they are fixed: see [`super`].
pub(super) fn parse(text: &str) -> Result<(Pattern, bool), TimingError> {
    let text = text.trim_ascii();
    let upper = text.to_ascii_uppercase();
    let upper = if upper.starts_with('@') { expanded(text, &upper)? } else { &upper };
    let fields: Vec<&str> = upper.split_ascii_whitespace().collect();
    if let Some(part) = text.split_ascii_whitespace().next().filter(|part| part.contains('=')) {
        return Err(TimingError::Assignment { text: text.to_owned(), part: part.to_owned() });
    }
    let [second, minute, hour, day_of_month, month, day_of_week, year] = match fields[..] {
        [minute, hour, day_of_month, month, day_of_week] => {
            ["0", minute, hour, day_of_month, month, day_of_week, "*"]
        }
        [a, b, c, d, e, f, g] => [a, b, c, d, e, f, g],
        [_, _, _, _, _, _] => return Err(TimingError::SixFields { text: text.to_owned() }),
        _ => return Err(TimingError::FieldCount { text: text.to_owned(), count: fields.len() }),
    };
    let plain = |field: Field, text: &str| field.read(text, |_| false);
    let times =
        Times { seconds: plain(SECOND, second)?, minutes: plain(MINUTE, minute)?, hours: plain(HOUR, hour)? };
    let days = Days {
        of_month: of_month(day_of_month)?,
        months: plain(MONTH, month)?,
        of_week: of_week(day_of_week)?,
        years: plain(YEAR, year)?,
        either: [day_of_month, day_of_week].iter().all(|field| !field.starts_with(['*', '?'])),
    };
    let fixed = [second, minute, hour].iter().all(|field| !field.starts_with('*'));
    Ok((Pattern { days, times }, fixed))
}

/// The five fields that a word stands for.
fn expanded(text: &str, upper: &str) -> Result<&'static str, TimingError> {
    Ok(match upper {
        "@HOURLY" => "0 * * * *",
        "@DAILY" | "@MIDNIGHT" => "0 0 * * *",
        "@WEEKLY" => "0 0 * * 0",
        "@MONTHLY" => "0 0 1 * *",
        "@YEARLY" | "@ANNUALLY" => "0 0 1 1 *",
        "@REBOOT" => return Err(TimingError::Reboot),
        _ => return Err(TimingError::UnknownMacro { text: text.to_owned() }),
    })
}

/// `?` is another way to say `*`.
fn any_day(text: &str) -> &str {
    if text == "?" {
        "*"
    } else {
        text
    }
}

fn of_month(text: &str) -> Result<OfMonth, TimingError> {
    let mut days = OfMonth::default();
    days.numbers = DAY_OF_MONTH.read(any_day(text), |part| {
        let before = match part.strip_prefix('L') {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('-').and_then(number).filter(|before| (1..=30).contains(before)),
            None => None,
        };
        before.map(|before| days.from_end.insert(before)).is_some()
    })?;
    Ok(days)
}

fn of_week(text: &str) -> Result<OfWeek, TimingError> {
    let mut days = OfWeek::default();
    let weekday = |text: &str| DAY_OF_WEEK.value(text).map(|day| day % 7);
    days.every = DAY_OF_WEEK.read(any_day(text), |part| {
        if let Some(day) = part.strip_suffix('L').and_then(weekday) {
            days.last.insert(day);
            return true;
        }
        let nth = part.split_once('#').and_then(|(day, nth)| {
            let of_week = number(nth)?.checked_sub(1).and_then(|week| days.nth.get_mut(week as usize))?;
            of_week.insert(weekday(day)?);
            Some(())
        });
        nth.is_some()
    })?;
    Ok(days)
}
