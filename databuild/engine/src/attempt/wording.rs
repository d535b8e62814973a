//! How ends of processes are told to people.

/// What to say of something that took more than these bytes of memory, which this job declares.
pub(crate) fn out_of_memory(bytes: u64, job: &str) -> String {
    // As it was declared: the largest unit that has no fraction.
    let units = [(40, "TiB", "t"), (30, "GiB", "g"), (20, "MiB", "m"), (10, "KiB", "k")];
    let unit = units.into_iter().find(|(bits, ..)| bytes.trailing_zeros() >= *bits);
    let (amount, declared) = match unit {
        Some((bits, name, short)) => {
            (format!("{} {name}", bytes >> bits), format!(" (memory = \"{}{short}\")", bytes >> bits))
        }
        None => (format!("{bytes} bytes"), String::new()),
    };
    format!(
        "out of memory: it used more than the {amount} that {job} declares{declared}; raise `memory` in the job if it needs more"
    )
}

pub(crate) fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL; out of memory?",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => "see `kill -l`",
    }
}
