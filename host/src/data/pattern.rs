//! Which identities are meant: names, natural ranges and `*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::range::Range;

/// A set of identity names, written as a comma-separated list.
///
/// - `anna`: that name. In double quotes any name stands for itself: `"a,b"`, `"2-3"`; a quote within is doubled.
/// - `s1-s20`, `0-6`, `001-040`: names with a common prefix and a number from the first to the last, both included, written
///   with at least as many digits as the first is (`001-040` names `007`, not `7`; `8-12` names `9` and `12`, not `09`).
/// - `*`: every name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    All,
    Name(String),
    Run(Range),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// An item of the list is empty.
    #[error("the pattern `{0}` has an empty item; write names, ranges as s1-s20, or *, with commas between")]
    Empty(String),
    /// A range whose ends do not fit together.
    #[error(
        "`{0}` is no range: give the smaller number first and write both ends alike (001-040), \
         or put it in double quotes if it is a name"
    )]
    Range(String),
    /// A star that does not stand alone.
    #[error("`{0}` mixes * with other text; only * alone, for every name, is understood")]
    Star(String),
    /// A double quote out of place.
    #[error("the double quotes in `{0}` do not enclose whole names; double a quote that belongs to a name")]
    Quotes(String),
}

impl Pattern {
    /// Every name.
    pub fn all() -> Self {
        Pattern(vec![Term::All])
    }

    /// The pattern that means exactly `names` (at least one, none empty); neighbours that count up become ranges.
    pub fn of_names<S: AsRef<str>>(names: &[S]) -> Self {
        let mut runs: Vec<(&str, Option<Range>)> = Vec::new();
        for name in names.iter().map(AsRef::as_ref) {
            if let Some((_, Some(run))) = runs.last_mut()
                && let Some(longer) = run.extended(name).filter(reads_back)
            {
                *run = longer;
            } else {
                runs.push((name, Range::one(name)));
            }
        }
        let term = |(name, run): (&str, Option<Range>)| match run {
            Some(run) if run.is_run() => Term::Run(run),
            _ => Term::Name(name.to_string()),
        };
        Pattern(runs.into_iter().map(term).collect())
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|term| term.matches(name))
    }

    /// The pattern that means exactly those of `names` that this one means; itself where it means every name, or none of these.
    pub fn among<S: AsRef<str>>(&self, names: &[S]) -> Self {
        let meant: Vec<&str> = names.iter().map(AsRef::as_ref).filter(|name| self.matches(name)).collect();
        match meant.is_empty() || self.0.contains(&Term::All) {
            true => self.clone(),
            false => Pattern::of_names(&meant),
        }
    }

    /// A name that both patterns mean, if there is one (`*` where both mean every name).
    pub fn overlap(&self, other: &Pattern) -> Option<String> {
        self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a, b))).find_map(|(a, b)| a.overlap(b))
    }

    /// The first item that means none of `names`, as text.
    pub fn unmatched<S: AsRef<str>>(&self, names: &[S]) -> Option<String> {
        self.0.iter().find(|term| !names.iter().any(|name| term.matches(name.as_ref()))).map(Term::to_string)
    }

    /// The first and last of each run of whole numbers that the pattern means, or the first item that means other names.
    pub(super) fn numbers(&self) -> Result<Vec<(u64, u64)>, String> {
        let run = |term: &Term| match term {
            Term::All => None,
            Term::Name(name) => Range::one(name),
            Term::Run(range) => Some(range.clone()),
        };
        self.0
            .iter()
            .map(|term| {
                run(term).filter(Range::is_numeric).map(|range| (range.low, range.high)).ok_or_else(|| term.to_string())
            })
            .collect()
    }
}

impl Term {
    fn matches(&self, name: &str) -> bool {
        match self {
            Term::All => true,
            Term::Name(own) => own == name,
            Term::Run(range) => range.matches(name),
        }
    }

    fn overlap(&self, other: &Term) -> Option<String> {
        match (self, other) {
            (Term::All, Term::All) => Some("*".to_string()),
            (Term::Name(name), term) | (term, Term::Name(name)) => term.matches(name).then(|| name.clone()),
            (Term::All, Term::Run(range)) | (Term::Run(range), Term::All) => Some(range.first()),
            (Term::Run(a), Term::Run(b)) => a.overlap(b),
        }
    }
}

/// Whether `text` as an item without quotes stands for itself, blanks and all.
fn is_plain(text: &str) -> bool {
    text.trim() == text && !text.contains([',', '*', '"'])
}

/// Whether the range is an item as it is spelled: ranges have no quotes.
fn reads_back(range: &Range) -> bool {
    let text = range.to_string();
    is_plain(&text) && Range::parse(&text) == Ok(Some(range.clone()))
}

/// The items of a list, with `true` for those that stood in quotes (which are gone).
fn items(text: &str) -> Result<Vec<(String, bool)>, PatternError> {
    let wrong = || PatternError::Quotes(text.to_string());
    let mut items = Vec::new();
    let mut rest = text.trim();
    loop {
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let mut end = 0;
            loop {
                end += quoted[end..].find('"').ok_or_else(wrong)?;
                if !quoted[end + 1..].starts_with('"') {
                    break;
                }
                end += 2;
            }
            items.push((quoted[..end].replace("\"\"", "\""), true));
            quoted[end + 1..].trim_start()
        } else {
            let (item, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if item.contains('"') {
                return Err(wrong());
            }
            items.push((item.trim_end().to_string(), false));
            after
        };
        if after.is_empty() {
            return Ok(items);
        }
        rest = after.strip_prefix(',').ok_or_else(wrong)?.trim_start();
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let term = |(item, quoted): (String, bool)| {
            if item.is_empty() {
                return Err(PatternError::Empty(text.to_string()));
            } else if quoted {
                return Ok(Term::Name(item));
            } else if item == "*" {
                return Ok(Term::All);
            } else if item.contains('*') {
                return Err(PatternError::Star(item));
            }
            match Range::parse(&item) {
                Ok(Some(range)) => Ok(Term::Run(range)),
                Ok(None) => Ok(Term::Name(item)),
                Err(_) => Err(PatternError::Range(item)),
            }
        };
        let terms: Result<_, _> = items(text)?.into_iter().map(term).collect();
        terms.map(Pattern)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::All => f.write_str("*"),
            Term::Name(name) => {
                if is_plain(name) && Range::parse(name) == Ok(None) {
                    f.write_str(name)
                } else {
                    write!(f, "\"{}\"", name.replace('"', "\"\""))
                }
            }
            Term::Run(range) => range.fmt(f),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.0.iter().enumerate() {
            write!(f, "{}{term}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().expect(text)
    }

    fn meant<'a>(text: &str, names: &[&'a str]) -> Vec<&'a str> {
        let pattern = pattern(text);
        names.iter().filter(|n| pattern.matches(n)).copied().collect()
    }

    #[test]
    fn ranges_are_natural() {
        let names = ["s0", "s1", "s2", "s9", "s10", "s20", "s21", "s01", "t2", "s2b", "s", "2"];
        assert_eq!(meant("s1-s20", &names), ["s1", "s2", "s9", "s10", "s20"]);
        assert_eq!(meant("s2-s2, t2", &names), ["s2", "t2"]);
        assert_eq!(meant("*", &names), names);
        assert_eq!(meant("0-6", &["0", "6", "7", "06", "a0"]), ["0", "6"]);
        let padded = ["000", "001", "007", "7", "07", "040", "041"];
        assert_eq!(meant("001-040", &padded), ["001", "007", "040"]);
        assert_eq!(meant("098-1001", &["99", "099", "1000", "0999"]), ["099", "1000"]);
        assert_eq!(meant("a-b,c-1", &["a-b", "c-1", "a", "b"]), ["a-b", "c-1"]);
        assert_eq!(meant("u-1-u-3", &["u-1", "u-2", "u-4"]), ["u-1", "u-2"]);
    }

    #[test]
    fn quotes_make_a_name_of_anything() {
        let names = ["2-3", "2", "a,b", "*", " x ", "q\"q"];
        assert_eq!(meant(r#""2-3" , "a,b","*"," x ","q""q""#, &names), ["2-3", "a,b", "*", " x ", "q\"q"]);
        let exact = Pattern::of_names(&names);
        assert_eq!(exact.to_string(), r#""2-3",2,"a,b","*"," x ","q""q""#);
        assert_eq!(pattern(&exact.to_string()), exact);
    }

    #[test]
    fn runs_of_names_become_ranges() {
        let text = |names: &[&str]| Pattern::of_names(names).to_string();
        assert_eq!(text(&["s8", "s9", "s10", "s12", "anna"]), "s8-s10,s12,anna");
        assert_eq!(text(&["008", "009", "010"]), "008-010");
        assert_eq!(text(&["s1", "s01", "s2", "s02"]), "s1,s01,s2,s02");
    }

    #[test]
    fn a_range_is_narrowed_to_the_names_that_there_are() {
        let names = ["001", "002", "004", "040"];
        assert_eq!(pattern("001-020").among(&names).to_string(), "001-002,004");
        assert_eq!(pattern("*").among(&names), Pattern::all());
        assert_eq!(pattern("s1-s9").among(&names), pattern("s1-s9"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let error = |text: &str| text.parse::<Pattern>().expect_err(text);
        assert_eq!(error(""), PatternError::Empty("".into()));
        assert_eq!(error("a,,b"), PatternError::Empty("a,,b".into()));
        assert_eq!(error("\"\""), PatternError::Empty("\"\"".into()));
        assert_eq!(error("s20-s1"), PatternError::Range("s20-s1".into()));
        assert_eq!(error("1-040"), PatternError::Range("1-040".into()));
        assert_eq!(error("s*"), PatternError::Star("s*".into()));
        for text in ["\"a", "a\"b", "\"a\"b", "\"a\"\""] {
            assert_eq!(error(text), PatternError::Quotes(text.into()));
        }
    }

    #[test]
    fn names_whose_range_could_not_be_read_stay_names() {
        for names in [["*1", "*2"], [",1", ",2"], [" 1", " 2"], ["\"1", "\"2"]] {
            let pattern = Pattern::of_names(&names);
            assert_eq!(pattern.0, names.map(|name| Term::Name(name.to_string())));
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn unmatched_names_the_item() {
        assert_eq!(pattern("s1-s3,bob").unmatched(&["s2", "s9"]), Some("bob".into()));
        assert_eq!(pattern("s1-s3,*").unmatched(&["s2", "s9"]), None);
    }

    const ITEM: &str = r#"\*|[ab]?[0-9]{1,2}|[ab]?0{0,2}[1-4]-[ab]?0{0,2}[5-9]|[ab]?[1-9]-[ab]?1[0-9]{1,2}"#;

    proptest! {
        #[test]
        fn text_round_trips(items in prop::collection::vec(ITEM, 1..4)) {
            if let Ok(pattern) = items.join(",").parse::<Pattern>() {
                prop_assert_eq!(pattern.to_string().parse::<Pattern>(), Ok(pattern));
            }
        }

        #[test]
        fn any_names_round_trip(names in prop::collection::vec("[a1-3 ,*\"-]{1,4}", 1..5)) {
            let pattern = Pattern::of_names(&names);
            prop_assert_eq!(pattern.to_string().parse::<Pattern>(), Ok(pattern.clone()));
            prop_assert_eq!(pattern.unmatched(&names), None);
            prop_assert!(names.iter().all(|name| pattern.matches(name)));
        }

        /// An overlap is a common name, and where none is reported no name has both.
        #[test]
        fn overlap_is_exact(a in ITEM, b in ITEM) {
            let (Ok(a), Ok(b)) = (a.parse::<Pattern>(), b.parse::<Pattern>()) else { return Ok(()) };
            let overlap = a.overlap(&b);
            prop_assert_eq!(overlap.is_some(), b.overlap(&a).is_some());
            match overlap {
                Some(name) => prop_assert!(name == "*" || a.matches(&name) && b.matches(&name)),
                None => for n in 0..200 {
                    for prefix in ["", "a", "b"] {
                        for width in 1..4 {
                            let name = format!("{prefix}{n:0width$}");
                            prop_assert!(!(a.matches(&name) && b.matches(&name)), "{}", name);
                        }
                    }
                }
            }
        }
    }
}
