//! How long work takes, as people read it.

use super::output;
use crate::api::Estimate;

/// How long a plan takes, for people.
pub fn takes(estimate: &Estimate) -> String {
    let Estimate { low_ms, high_ms, unknown_jobs } = estimate;
    let known = match (*low_ms, *high_ms) {
        (0, 0) if !unknown_jobs.is_empty() => {
            return "no estimate yet: these jobs have never run".to_owned();
        }
        (low, high) => match (output::duration(low), output::duration(high)) {
            (least, most) if least == most => format!("takes about {least}"),
            (least, most) => format!("takes about {least} to {most}"),
        },
    };
    match unknown_jobs.as_slice() {
        [] => known,
        [job] => format!("{known}, plus {job}, which has never run"),
        jobs => format!("{known}, plus {} jobs that have never run", jobs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_what_it_knows() {
        let text = |low_ms, high_ms, unknown: &[&str]| {
            let unknown_jobs = unknown.iter().map(|job| (*job).to_owned()).collect();
            takes(&Estimate { low_ms, high_ms, unknown_jobs })
        };
        assert_eq!(text(2_000, 2_000, &[]), "takes about 2.0 s");
        assert_eq!(text(2_001, 2_004, &[]), "takes about 2.0 s");
        assert_eq!(text(500, 61_000, &[]), "takes about 500 ms to 1m 01s");
        assert_eq!(text(0, 0, &["//:a"]), "no estimate yet: these jobs have never run");
        assert_eq!(text(500, 500, &["//:a"]), "takes about 500 ms, plus //:a, which has never run");
        assert_eq!(text(500, 500, &["//:a", "//:b"]), "takes about 500 ms, plus 2 jobs that have never run");
    }
}
