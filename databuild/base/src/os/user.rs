//! Which user a process runs as, by the name that people know.

/// The name of the user, as the environment has it; else the user's number, such as `uid 1000`.
#[must_use]
pub fn user() -> String {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|variable| readable(&std::env::var(variable).ok()?));
    name.unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()))
}

/// A name that fits a header and a line of text; none if nothing is left of it.
fn readable(name: &str) -> Option<String> {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(32).collect();
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_a_header() {
        assert_eq!(readable("ada").as_deref(), Some("ada"));
        assert_eq!(readable(" Åda\n").as_deref(), Some("Åda"));
        assert_eq!(readable(&"é".repeat(99)), Some("é".repeat(32)));
        assert_eq!(readable("\t"), None);
        assert!(!user().is_empty());
    }
}
