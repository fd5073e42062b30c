//! Runs of numbered names, as `s1-s20`.

use std::fmt;

/// The names `prefix` + `n`, `low <= n <= high`, `n` padded with zeros to `width` digits. The prefix ends in no digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) prefix: String,
    pub(super) low: u64,
    pub(super) high: u64,
    width: usize,
}

/// A text that looks like a range and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotARange;

impl Range {
    /// The range of one name, if that ends in a number.
    pub(super) fn one(name: &str) -> Option<Range> {
        let start = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (prefix, digits) = name.split_at(start);
        let number = digits.parse().ok()?;
        Some(Range { prefix: prefix.to_string(), low: number, high: number, width: digits.len() })
    }

    /// The range that `text` spells; `None` where it is a plain name.
    pub(super) fn parse(text: &str) -> Result<Option<Range>, NotARange> {
        for (at, _) in text.match_indices('-') {
            let (first, last) = (&text[..at], &text[at + 1..]);
            if let (Some(from), Some(to)) = (Range::one(first), Range::one(last))
                && from.prefix == to.prefix
            {
                let range = Range { high: to.low, ..from };
                let sound = range.low <= range.high && range.name(range.high) == last;
                return if sound { Ok(Some(range)) } else { Err(NotARange) };
            }
        }
        Ok(None)
    }

    /// The range with `name` added at its end, if that is the next one.
    pub(super) fn extended(&self, name: &str) -> Option<Range> {
        let high = self.high.checked_add(1)?;
        (self.name(high) == name).then(|| Range { high, ..self.clone() })
    }

    /// Whether the range has more than one name.
    pub(super) fn is_run(&self) -> bool {
        self.low < self.high
    }

    /// Whether the names are plain numbers without leading zeros.
    pub(super) fn is_numeric(&self) -> bool {
        self.prefix.is_empty() && self.width == digit_count(self.low)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        Range::one(name).is_some_and(|one| {
            one.prefix == self.prefix
                && (self.low..=self.high).contains(&one.low)
                && one.width == self.width.max(digit_count(one.low))
        })
    }

    /// The first name of the range.
    pub(super) fn first(&self) -> String {
        self.name(self.low)
    }

    /// The first name that both ranges have.
    pub(super) fn overlap(&self, other: &Range) -> Option<String> {
        let mut low = self.low.max(other.low);
        if self.width != other.width {
            // Only numbers that need no padding under either width are written alike.
            let digits = self.width.max(other.width);
            low = low.max(10u64.checked_pow(digits as u32 - 1)?);
        }
        let shared = self.prefix == other.prefix && low <= self.high.min(other.high);
        shared.then(|| self.name(low))
    }

    fn name(&self, number: u64) -> String {
        format!("{}{:0width$}", self.prefix, number, width = self.width)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first(), self.name(self.high))
    }
}

/// Decimal digits of `number` without padding.
fn digit_count(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
