//! What is answered at a path no channel has.

use http::HeaderMap;

use super::typeform::{self, Typeform};
use super::{Answer, Outcome, Provider};

/// What a request to a path no channel has is told, on an address that serves `providers`.
///
/// Where they all want the same, it is told that. Otherwise a request with Typeform's signature, right or wrong, is told
/// what Typeform wants: a 404 would disable its webhook at once, and nothing else would show it.
#[must_use]
pub fn answer_stranger(headers: &HeaderMap, providers: &[&dyn Provider], outcome: Outcome) -> Answer {
    if headers.contains_key(typeform::SIGNATURE) {
        return Typeform.answer(outcome);
    }
    let mut answers = providers.iter().map(|provider| provider.answer(outcome));
    match answers.next() {
        Some(first) if answers.all(|answer| answer == first) => first,
        _ => Answer::usual(outcome),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::github::Github;
    use super::*;
    use crate::model::Reason;

    #[test]
    fn typeform_never_meets_a_404() {
        let lost = Outcome::Refused(Reason::UnknownPath);
        let status =
            |headers: &HeaderMap, providers: &[&dyn Provider]| answer_stranger(headers, providers, lost).status;
        let none = HeaderMap::new();
        assert_eq!(status(&none, &[&Typeform, &Typeform]), 503, "nobody else is here");
        assert_eq!(status(&none, &[&Typeform, &Github]), 404, "it is not signed as Typeform's");
        assert_eq!(status(&none, &[]), 404);
        let signed =
            HeaderMap::from_iter([(typeform::SIGNATURE.parse().expect("a name"), HeaderValue::from_static("x"))]);
        assert_eq!(status(&signed, &[&Github]), 503);
    }
}
