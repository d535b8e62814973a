//! Servers that disappear before they answer, and how often others are asked instead.

use super::error::CliError;

/// How many servers in a row may disappear before they answered.
pub const MOST_LOST: u32 = 3;

/// Whether the server went before it answered.
pub fn is_gone(error: &CliError) -> bool {
    matches!(error.code(), "server_unreachable" | "shutting_down")
}

/// Asks once more whenever the server disappears before it answers, a few times. `ask` finds or starts the server itself.
///
/// # Errors
/// What `ask` says, save that a server is gone; or that, if several went in a row.
pub fn ask_again<T>(ask: impl Fn() -> Result<T, CliError>) -> Result<T, CliError> {
    let mut lost = 0;
    loop {
        match ask() {
            Err(error) if is_gone(&error) && lost < MOST_LOST => lost += 1,
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_the_server_itself_is_asked_again_when_the_server_was_killed() {
        let ask = |lives_at: u32, error: &str| {
            let asked = std::cell::Cell::new(0);
            let answer = ask_again(|| {
                asked.set(asked.get() + 1);
                if asked.get() < lives_at {
                    Err(CliError::new(error, "gone"))
                } else {
                    Ok(7)
                }
            });
            (answer.ok(), asked.get())
        };
        assert_eq!(ask(1, "server_unreachable"), (Some(7), 1));
        assert_eq!(ask(3, "server_unreachable"), (Some(7), 3));
        assert_eq!(ask(3, "shutting_down"), (Some(7), 3));
        assert_eq!(ask(9, "server_unreachable"), (None, MOST_LOST + 1));
        assert_eq!(ask(3, "graph_invalid"), (None, 1), "an answer is an answer");
    }
}
