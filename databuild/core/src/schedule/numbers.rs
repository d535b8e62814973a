//! Sets of small numbers: what a field of a cron allows.

/// A set of numbers below 192, so that 130 years fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers([u64; 3]);

impl Numbers {
    pub(super) fn insert(&mut self, number: u32) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The numbers below 64, one in each bit.
    pub(super) fn low(&self) -> u64 {
        self.0[0]
    }

    /// The first that is at least `number`.
    pub(super) fn at_least(&self, number: u32) -> Option<u32> {
        let mut ix = number as usize / 64;
        let mut word = self.0.get(ix)? & u64::MAX << (number % 64);
        while word == 0 {
            ix += 1;
            word = *self.0.get(ix)?;
        }
        Some(ix as u32 * 64 + word.trailing_zeros())
    }

    /// The last that is less than `number`.
    pub(super) fn below(&self, number: u32) -> Option<u32> {
        let last = number.min(192).checked_sub(1)?;
        let mut ix = last as usize / 64;
        let mut word = self.0[ix] & u64::MAX >> (63 - last % 64);
        while word == 0 {
            ix = ix.checked_sub(1)?;
            word = self.0[ix];
        }
        Some(ix as u32 * 64 + 63 - word.leading_zeros())
    }

    /// How many are less than `number`.
    pub(super) fn count_below(&self, number: u32) -> u32 {
        let (whole, bits) = (number as usize / 64, number % 64);
        let before: u32 = self.0.iter().take(whole).map(|word| word.count_ones()).sum();
        before + self.0.get(whole).map_or(0, |word| (word & !(u64::MAX << bits)).count_ones())
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.count_below(192)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn they_are_sets() {
        for members in [vec![], vec![0], vec![191], vec![63, 64], vec![0, 5, 63, 64, 65, 127, 128, 150, 191]]
        {
            let model: BTreeSet<u32> = members.iter().copied().collect();
            let mut numbers = Numbers::default();
            members.iter().for_each(|number| numbers.insert(*number));
            assert_eq!(numbers.len() as usize, model.len());
            for number in 0..200 {
                assert_eq!(numbers.contains(number), model.contains(&number), "{members:?} {number}");
                assert_eq!(
                    numbers.at_least(number),
                    model.range(number..).next().copied(),
                    "{members:?} {number}"
                );
                assert_eq!(
                    numbers.below(number),
                    model.range(..number).next_back().copied(),
                    "{members:?} {number}"
                );
                assert_eq!(
                    numbers.count_below(number) as usize,
                    model.range(..number).count(),
                    "{members:?} {number}"
                );
            }
        }
    }
}
