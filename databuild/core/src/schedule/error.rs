//! Why a text says no times.

use crate::text::shown;
use std::time::Duration;

/// Why a declaration has no ticks. Its message says what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimingError {
    /// A cron of another number of fields.
    #[error(
        "the cron `{}` has {count} field{}; write five (minute, hour, day of month, month, day of week), such as \
         `0 6 * * *`, or seven, with the second before and the year after them",
        shown(.text),
        if *.count == 1 { "" } else { "s" }
    )]
    FieldCount {
        /// What was given.
        text: String,
        /// How many it has.
        count: usize,
    },
    /// Six fields mean one thing to some and another to others.
    #[error(
        "the cron `{0}` has six fields, of which the first may be the second or the last the year; write seven: \
         `{0} *` if it begins with the second, `0 {0}` if it ends with the year",
        shown(.text)
    )]
    SixFields {
        /// What was given.
        text: String,
    },
    /// A zone in the text, as some daemons have it.
    #[error("the cron `{}` has `{}` in it; leave it out, and name the zone beside the cron", shown(.text), shown(.part))]
    Assignment {
        /// What was given.
        text: String,
        /// The part that does not belong there.
        part: String,
    },
    /// `@reboot`.
    #[error("`@reboot` is no time: nothing here starts when a machine does; write when, such as `@daily` or `0 6 * * *`")]
    Reboot,
    /// Another word after `@`.
    #[error(
        "`{}` is no cron; write one of `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`, \
         or five fields, such as `0 6 * * *`",
        shown(.text)
    )]
    UnknownMacro {
        /// What was given.
        text: String,
    },
    /// Part of a field that means nothing there.
    #[error("`{}` cannot stand for the {field}; write {may}", shown(.part))]
    BadField {
        /// The field.
        field: &'static str,
        /// What stands there.
        part: String,
        /// What may stand there.
        may: &'static str,
    },
    /// A range from more to less.
    #[error("the range `{}` of the {field} ends before it begins; write `{turned}`, or `{around}` if it goes on over the end", shown(.part))]
    Reversed {
        /// The field.
        field: &'static str,
        /// What stands there.
        part: String,
        /// The range from the lesser end to the greater.
        turned: String,
        /// What goes over the end, as two ranges.
        around: String,
    },
    /// Steps of nothing, or longer than the field is.
    #[error(
        "`{}` has steps that the {field} cannot take; write a number from 1 to {most} after `/`, or say `every` instead of a \
         cron for another length",
        shown(.part)
    )]
    BadStep {
        /// The field.
        field: &'static str,
        /// What stands there.
        part: String,
        /// The longest step.
        most: u32,
    },
    /// No instant is of the pattern.
    #[error("the cron `{}` never fires: no year from 1970 to 2099 has such a time; write days that some month has", shown(.text))]
    Never {
        /// What was given.
        text: String,
    },
    /// A length that is no number of seconds, or that is too short or too long.
    #[error("{length:?} is no length of time between ticks; write whole seconds, at least \"1s\" and at most \"366d\"")]
    BadLength {
        /// What was given.
        length: Duration,
    },
}
