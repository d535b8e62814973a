//! Words that people see.
//!
//! Each value of such an enum has one word, which the API, the command line and the lists use, one meaning for people, and,
//! if it is in the event log, one number. All three are written where the enum is, by [`words!`](crate::words), and nowhere
//! else. Numbers and words are never given to another value, since logs and scripts hold them.

/// A value that is stored and shown as one word.
pub trait Word: Sized + Copy + PartialEq + 'static {
    /// What the values are, for messages: "`x` is no …".
    const KIND: &'static str;
    /// All values, in the order in which people are told of them.
    const ALL: &'static [Self];

    /// The word.
    fn word(self) -> &'static str;

    /// What it means, as a sentence.
    fn meaning(self) -> &'static str;

    /// The value of a word.
    #[must_use]
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }

    /// What to say of a word that has no value.
    #[must_use]
    fn unknown(word: &str) -> String {
        let words: Vec<String> = Self::ALL.iter().map(|value| format!("`{}`", value.word())).collect();
        let (last, others) = words
            .split_last()
            .map_or((String::new(), String::new()), |(last, others)| (last.clone(), others.join(", ")));
        let or = if others.is_empty() { "" } else { " or " };
        format!("`{word}` is no {}; use {others}{or}{last}", Self::KIND)
    }
}

/// A value that events hold.
pub trait Numbered: Word {
    /// Its number there, from 1.
    fn number(self) -> i32;

    /// The value of a number.
    #[must_use]
    fn of_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.number() == number)
    }
}

/// Declares an enum of [`Word`]s. Each value has a documentation comment, its meaning. With `Variant = number => "word"` it
/// is [`Numbered`] too.
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident: $kind:literal {
            $($(#[doc = $meaning:literal])+ $variant:ident = $number:literal => $word:literal,)+
        }
    ) => {
        $crate::words! {
            $(#[$meta])*
            $vis enum $name: $kind {
                $($(#[doc = $meaning])+ $variant => $word,)+
            }
        }

        impl $crate::word::Numbered for $name {
            fn number(self) -> i32 {
                match self {
                    $($name::$variant => $number,)+
                }
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident: $kind:literal {
            $($(#[doc = $meaning:literal])+ $variant:ident => $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $crate::word::Word for $name {
            const KIND: &'static str = $kind;
            const ALL: &'static [Self] = &[$($name::$variant),+];

            fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            fn meaning(self) -> &'static str {
                match self {
                    $($name::$variant => concat!($($meaning),+).trim_start(),)+
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = String;

            /// The error says which words there are.
            fn from_str(word: &str) -> Result<Self, String> {
                use $crate::word::Word as _;
                Self::of_word(word).ok_or_else(|| Self::unknown(word))
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::word::Word::word(*self))
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                word.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        CheckOutcome, OutcomeKind, PlanRowKind, PriorityClass, Refresh, TrialOutcome, TrialVerdict,
        WantOutcome,
    };
    use std::collections::BTreeSet;

    /// Words and numbers as logs and scripts hold them. Values may be added; none may change.
    #[test]
    fn words_and_numbers_stay_what_they_are() {
        fn told<W: Numbered>() -> Vec<(i32, &'static str)> {
            W::ALL.iter().map(|value| (value.number(), value.word())).collect()
        }
        assert_eq!(told::<PriorityClass>(), [(1, "interactive"), (2, "backfill")]);
        assert_eq!(told::<Refresh>(), [(1, "missing"), (2, "stale"), (3, "all")]);
        assert_eq!(told::<WantOutcome>(), [(1, "satisfied"), (2, "failed"), (3, "canceled"), (4, "expired")]);
        assert_eq!(
            told::<OutcomeKind>(),
            [
                (1, "success"),
                (2, "failure"),
                (3, "permanent_failure"),
                (4, "timeout"),
                (110, "out_of_memory"),
                (5, "canceled"),
                (6, "lost"),
                (130, "inputs_moved"),
                (50, "missing_input"),
            ]
        );
        assert_eq!(
            told::<PlanRowKind>(),
            [(1, "certain"), (2, "if_changed"), (3, "under_way"), (4, "blocked"), (5, "left_out")]
        );
        assert_eq!(told::<TrialOutcome>(), [(1, "equal"), (2, "differs"), (3, "unknown"), (4, "canceled")]);
        assert_eq!(
            told::<TrialVerdict>(),
            [(1, "equal"), (2, "differs"), (3, "incomparable"), (4, "inputs_changed"), (5, "failed")]
        );
        assert_eq!(told::<CheckOutcome>(), [(1, "passed"), (2, "failed"), (3, "error")]);
    }

    #[test]
    fn each_word_and_number_leads_back_to_its_one_value() {
        fn back<W: Numbered + std::fmt::Debug>() {
            let mut numbers = BTreeSet::new();
            for value in W::ALL.iter().copied() {
                assert_eq!(W::of_word(value.word()), Some(value));
                assert_eq!(W::of_number(value.number()), Some(value));
                assert!(value.number() > 0 && numbers.insert(value.number()), "{value:?}");
                assert!(value.meaning().ends_with('.'), "{value:?}: {}", value.meaning());
            }
            assert_eq!((W::of_word("sideways"), W::of_number(0)), (None, None));
        }
        back::<PriorityClass>();
        back::<Refresh>();
        back::<WantOutcome>();
        back::<OutcomeKind>();
        back::<PlanRowKind>();
        back::<TrialOutcome>();
        back::<TrialVerdict>();
        back::<CheckOutcome>();
    }

    #[test]
    fn who_says_another_word_is_told_which_there_are() {
        let told = "`sideways` is no refresh; use `missing`, `stale` or `all`";
        assert_eq!("sideways".parse::<Refresh>(), Err(told.to_owned()));
        assert_eq!("all".parse(), Ok(Refresh::All));
        let error = serde_json::from_str::<Refresh>("\"sideways\"").unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
        assert_eq!(serde_json::to_string(&Refresh::Missing).unwrap(), "\"missing\"");
        assert_eq!(Refresh::Missing.meaning(), "Only what is missing is built; stale data is good enough.");
    }
}
