//! The order in which a person counts: `s2` before `s10`.

use std::cmp::Ordering;

/// Compares names by runs of ASCII digits as numbers and all else by code point; names that are equal so (`s1`, `s01`) are
/// ordered as plain text, so that only equal names compare equal.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        let order;
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (digits(left), digits(right));
            let (p, q) = (m.trim_start_matches('0'), n.trim_start_matches('0'));
            order = p.len().cmp(&q.len()).then_with(|| p.cmp(q));
            (left, right) = (&left[m.len()..], &right[n.len()..]);
        } else {
            order = x.cmp(&y);
            (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
        }
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The run of ASCII digits at the start of `text`.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_as_a_person_does() {
        let sorted = ["", "1", "001a", "2.pgm", "10.pgm", "a", "s", "s1", "s2", "s2b1", "s2b12", "s10", "é3"];
        let mut names = sorted;
        names.reverse();
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, sorted);
        assert_eq!(natural_order("s01", "s1"), Ordering::Less);
        let long = "9".repeat(40);
        assert_eq!(natural_order(&format!("x{long}"), &format!("x1{long}")), Ordering::Less);
    }

    proptest! {
        #[test]
        fn is_an_order(a in "[s0-2é]{0,5}", b in "[s0-2é]{0,5}", c in "[s0-2é]{0,5}") {
            prop_assert_eq!(natural_order(&a, &b), natural_order(&b, &a).reverse());
            prop_assert_eq!(natural_order(&a, &b).is_eq(), a == b);
            let mut three = [a, b, c];
            three.sort_by(|a, b| natural_order(a, b));
            prop_assert!(natural_order(&three[0], &three[2]).is_le());
        }
    }
}
