//! Amounts as people read and write them.

use super::text::shown;
use jiff::Timestamp;

/// `350 ms`, `1.2 s`, `2m 05s`, `1h 02m`.
#[must_use]
pub fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => clock(ms / 1000),
    }
}

/// `7s`, `2m 05s`, `1h 02m`.
#[must_use]
pub fn clock(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A length of time with its unit, such as `90s` or `2h`, in seconds.
///
/// # Errors
/// It is none.
pub fn seconds_of(text: &str) -> Result<u64, String> {
    let bad = || format!("`{}` is not a length of time; write it as 90s, 30m, 2h or 3d", shown(text));
    let unit = text.chars().last().ok_or_else(bad)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    count.checked_mul(factor).ok_or_else(bad)
}

/// `2026-11-30 10:42:07Z`: an instant as sentences have it.
#[must_use]
pub fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `1,095`.
#[must_use]
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `512 MiB`, `1.5 GiB`; with one digit after the point at most.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut amount = bytes as f64;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let text = format!("{amount:.1}");
    format!("{} {}", text.strip_suffix(".0").unwrap_or(&text), UNITS[unit])
}

/// `1 partition`, `2 partitions`, `1,095 partitions`.
#[must_use]
pub fn count(count: u64, what: &str) -> String {
    format!("{} {what}{}", number(count), plural(count, "", "s"))
}

/// The word that goes with a count: `one` with 1, `more` with any other.
#[must_use]
pub fn plural<'w>(count: u64, one: &'w str, more: &'w str) -> &'w str {
    if count == 1 {
        one
    } else {
        more
    }
}

/// A length of time as rules write it: `15m`, `1d`, `90s`.
#[must_use]
pub fn as_declared(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let (size, unit) = units.into_iter().find(|(size, _)| ms.is_multiple_of(*size)).unwrap_or((1, "ms"));
    format!("{}{unit}", ms / size)
}

/// The verb that goes with a count.
#[must_use]
pub fn are(count: u64) -> &'static str {
    plural(count, "is", "are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!(duration(350), "350 ms");
        assert_eq!(duration(1250), "1.2 s");
        assert_eq!((duration(125_000), duration(3_720_000)), ("2m 05s".to_owned(), "1h 02m".to_owned()));
        assert_eq!(clock(7), "7s");
        let declared = [500, 90_000, 900_000, 7_200_000, 86_400_000].map(as_declared);
        assert_eq!(declared, ["500ms", "90s", "15m", "2h", "1d"]);
        assert_eq!([7, 999, 1095, 1_234_567].map(number), ["7", "999", "1,095", "1,234,567"]);
        assert_eq!((bytes(0), bytes(1536 << 20)), ("0 B".to_owned(), "1.5 GiB".to_owned()));
        assert_eq!([0, 1, 2, 1_095].map(|n| count(n, "run")), ["0 runs", "1 run", "2 runs", "1,095 runs"]);
        assert_eq!([0, 1, 2].map(|n| plural(n, "differs", "differ")), ["differ", "differs", "differ"]);
        assert_eq!([0, 1, 2].map(are), ["are", "is", "are"]);
    }
}
