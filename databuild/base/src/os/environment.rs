//! The environment that a process was started with.
//!
//! While a process is being given another program (`execve`), its environment cannot be read, or only the beginning of it.
//! That lasts for a moment and says nothing: whoever looks for a variable has to look again.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::process::{getuid, Uid};

use super::process::stat;

/// How long a process may take from one program to the next before it is left alone.
pub const PROGRAM_CHANGE: Duration = Duration::from_millis(500);

/// What is known of a process's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// All of it: `NAME=value` entries, each with a NUL at its end.
    Known(Vec<u8>),
    /// There is none, it is another user's, or the process is gone.
    None,
    /// The process is being given another program.
    Changing {
        /// When the process began, in clock ticks since boot.
        start_time: u64,
    },
}

impl Environment {
    /// That of a process.
    pub fn of(pid: u32) -> Environment {
        let entries = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        if entries.ends_with(&[0]) {
            return Environment::Known(entries);
        }
        // Those of other users show nothing for all their lives.
        if real_user(pid) != Some(getuid()) {
            return Environment::None;
        }
        match stat(pid) {
            Ok(Some(stat)) if stat.may_have_environment() => {
                Environment::Changing { start_time: stat.start_time }
            }
            _ => Environment::None,
        }
    }

    /// The value of a variable, if it is known to have one.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let Environment::Known(entries) = self else { return None };
        let value = |entry| <[u8]>::strip_prefix(entry, name.as_bytes())?.strip_prefix(b"=");
        entries.split(|byte| *byte == 0).find_map(value).map(OsStr::from_bytes)
    }
}

/// The real user of a process; none if there is no such process.
fn real_user(pid: u32) -> Option<Uid> {
    parse_real_user(&fs::read(format!("/proc/{pid}/status")).ok()?)
}

/// By the text of `/proc/PID/status`.
fn parse_real_user(status: &[u8]) -> Option<Uid> {
    // The line before it has the process's name, in which a line's end is spelled out.
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    let text = std::str::from_utf8(line).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Uid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let known = Environment::Known(b"XA=0\0AB=1\0A=2=3\0A=4\0".to_vec());
        assert_eq!(known.get("A"), Some(OsStr::new("2=3")));
        assert_eq!(known.get("B"), None);
        assert_eq!(Environment::None.get("A"), None);
        assert_eq!(Environment::Changing { start_time: 1 }.get("A"), None);
    }

    #[test]
    fn the_real_user_is_the_first_of_four() {
        let status = b"Name:\tUid:\\n\nUmask:\t0022\nUid:\t1000\t0\t1\t2\nGid:\t5\t5\t5\t5\n";
        assert_eq!(parse_real_user(status), Some(Uid::from_raw(1000)));
        assert_eq!(parse_real_user(b"Name:\tx\n"), None);
        assert_eq!(real_user(std::process::id()), Some(getuid()));
    }

    /// That of a process that may have just been started, and so is still becoming its program.
    fn settled(pid: u32) -> Environment {
        loop {
            match Environment::of(pid) {
                Environment::Changing { .. } => std::thread::yield_now(),
                settled => return settled,
            }
        }
    }

    #[test]
    fn a_process_without_variables_is_not_waited_for() {
        let of = |variables: &[(&str, &str)]| {
            let mut cat = Command::new("/bin/cat");
            let mut child =
                cat.env_clear().envs(variables.iter().copied()).stdin(Stdio::piped()).spawn().unwrap();
            let environment = settled(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(settled(child.id()), Environment::None, "it is gone");
            environment
        };
        assert_eq!(of(&[]), Environment::None);
        assert_eq!(of(&[("A", "b")]), Environment::Known(b"A=b\0".to_vec()));
    }
}
