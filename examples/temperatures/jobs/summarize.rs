//! The lowest, mean and highest temperature of one city's day, and how many hours it had.
//!
//! Takes all it needs from its arguments, which the job's templates in BUILD.bazel fill in, so it reads no JSON and has no
//! dependency. Writing one line to `DATABUILD_REPORT` is optional for a job; this one does, to show the hours it saw.
//!
//! Invariant: the same input gives the same bytes. Readings are added in the order of the file.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: summarize --city=CITY --date=DATE --input=FILE --output=FILE";
const HEADER: &str = "time,temp_f";

/// Why the day could not be summarized.
#[derive(Debug, PartialEq)]
enum BadInput {
    /// The first line is not `time,temp_f`.
    Header(String),
    /// A line that is not a time of the day, in order, and a number. Counts from 1.
    Row { line: usize, text: String },
    /// A header and nothing else.
    NoReadings,
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(text) => write!(f, "expected the header `{HEADER}`, found `{text}`"),
            Self::Row { line, text } => write!(
                f,
                "line {line}: expected a later time of the day and a temperature, found `{text}`"
            ),
            Self::NoReadings => write!(f, "no readings"),
        }
    }
}

/// A day in degrees Fahrenheit.
#[derive(Debug, PartialEq)]
struct Day {
    min: f64,
    mean: f64,
    max: f64,
    hours: usize,
}

/// Summarizes the hourly readings in `csv`, all of which must be of `date`.
fn summarize(csv: &str, date: &str) -> Result<Day, BadInput> {
    let mut lines = csv.lines();
    let header = lines.next().unwrap_or_default();
    if header != HEADER {
        return Err(BadInput::Header(header.to_owned()));
    }
    let (mut min, mut max, mut sum, mut hours) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0);
    let mut last = "";
    for (index, row) in lines.enumerate() {
        let bad = || BadInput::Row {
            line: index + 2,
            text: row.to_owned(),
        };
        let (time, reading) = row.split_once(',').ok_or_else(bad)?;
        let of_the_day = time
            .strip_prefix(date)
            .is_some_and(|clock| clock.starts_with('T'));
        let reading: f64 = reading.parse().map_err(|_| bad())?;
        if !of_the_day || time <= last || !reading.is_finite() {
            return Err(bad());
        }
        last = time;
        min = min.min(reading);
        max = max.max(reading);
        sum += reading;
        hours += 1;
    }
    if hours == 0 {
        return Err(BadInput::NoReadings);
    }
    Ok(Day {
        min,
        mean: sum / hours as f64,
        max,
        hours,
    })
}

/// The arguments, each given once as `--name=value`.
struct Args {
    city: String,
    date: String,
    input: PathBuf,
    output: PathBuf,
}

fn parse_args(args: impl Iterator<Item = String>) -> Option<Args> {
    let (mut city, mut date, mut input, mut output) = (None, None, None, None);
    for arg in args {
        let (name, value) = arg.split_once('=')?;
        let slot = match name {
            "--city" => &mut city,
            "--date" => &mut date,
            "--input" => &mut input,
            "--output" => &mut output,
            _ => return None,
        };
        if slot.replace(value.to_owned()).is_some() {
            return None;
        }
    }
    Some(Args {
        city: city?,
        date: date?,
        input: input?.into(),
        output: output?.into(),
    })
}

fn report(day: &Day) -> io::Result<()> {
    let Some(path) = std::env::var_os("DATABUILD_REPORT") else {
        return Ok(());
    };
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    writeln!(
        file,
        r#"{{"type":"done","dataset":"daily_stats","rows":1,"metadata":{{"hours":{}}}}}"#,
        day.hours
    )
}

fn run() -> Result<(), String> {
    let args = parse_args(std::env::args().skip(1)).ok_or(USAGE)?;
    let in_file = |problem: &dyn fmt::Display| format!("{}: {problem}", args.input.display());
    let csv = fs::read_to_string(&args.input).map_err(|problem| in_file(&problem))?;
    let day = summarize(&csv, &args.date).map_err(|problem| in_file(&problem))?;
    let row = format!(
        "city,date,min_f,mean_f,max_f,hours\n{},{},{:.1},{:.2},{:.1},{}\n",
        args.city, args.date, day.min, day.mean, day.max, day.hours
    );
    fs::write(&args.output, row)
        .map_err(|problem| format!("{}: {problem}", args.output.display()))?;
    report(&day).map_err(|problem| format!("DATABUILD_REPORT: {problem}"))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("summarize: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "2010-03-14";

    #[test]
    fn a_day_is_its_lowest_mean_and_highest_reading() {
        let csv =
            "time,temp_f\n2010-03-14T00:00,-2.5\n2010-03-14T01:00,40\n2010-03-14T04:00,30.5\n";
        let day = summarize(csv, DATE).expect("a valid day");
        assert_eq!(
            day,
            Day {
                min: -2.5,
                mean: 68.0 / 3.0,
                max: 40.0,
                hours: 3
            }
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let problem = |csv: &str| summarize(csv, DATE).expect_err("invalid").to_string();
        assert!(problem("").contains("expected the header `time,temp_f`, found ``"));
        assert_eq!(problem("time,temp_f\n"), "no readings");
        for row in [
            "2010-03-15T00:00,1",
            "2010-03-141T00:00,1",
            "2010-03-14T00:00,warm",
            "2010-03-14T00:00,NaN",
            "2010-03-14T00:00",
        ] {
            assert!(problem(&format!("time,temp_f\n{row}\n")).starts_with("line 2: "));
        }
        let twice = "time,temp_f\n2010-03-14T00:00,1\n2010-03-14T00:00,1\n";
        assert!(problem(twice).starts_with("line 3: "));
    }

    #[test]
    fn each_argument_is_given_once() {
        let parse = |args: &[&str]| parse_args(args.iter().map(|arg| arg.to_string())).is_some();
        let all = ["--city=a", "--date=b", "--input=c", "--output=d"];
        assert!(parse(&all));
        assert!(!parse(&all[1..]));
        assert!(!parse(&[&all[..], &["--city=a"]].concat()));
        assert!(!parse(&[&all[..], &["--other=a"]].concat()));
    }
}
