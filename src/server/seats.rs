//! Places for streams: so many in all, and so many for one token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Credential;

/// Streams open at once.
const ALL: usize = 64;
/// Streams open at once with one token, so that one alone cannot take all places.
const EACH: usize = 8;

/// Who sits where.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<Credential, usize>>>);

/// Why there is no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("{ALL} streams are open already")]
    All,
    #[error("{EACH} streams are open with this token already")]
    Each,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    credential: Credential,
}

impl Seats {
    /// Takes a place for the holder of `credential`.
    pub(super) fn take(&self, credential: &Credential) -> Result<Seat, Full> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(credential).is_some_and(|own| *own >= EACH) {
            return Err(Full::Each);
        }
        if taken.values().sum::<usize>() >= ALL {
            return Err(Full::All);
        }
        *taken.entry(credential.clone()).or_default() += 1;
        Ok(Seat { seats: self.clone(), credential: credential.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.credential) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.credential);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::TokenHash;

    use super::*;

    #[test]
    fn one_token_cannot_take_all_places() {
        let token = |number: usize| Credential::Token(TokenHash::of(&number.to_string()));
        let seats = Seats::default();
        let mut own: Vec<Seat> = (0..EACH).map(|_| seats.take(&token(0)).expect("a place")).collect();
        assert_eq!(seats.take(&token(0)).expect_err("full"), Full::Each);
        let others: Vec<Seat> = (EACH..ALL).map(|n| seats.take(&token(n)).expect("a place")).collect();
        assert_eq!(seats.take(&token(1)).expect_err("full"), Full::All);
        own.pop();
        drop(seats.take(&token(0)).expect("free again"));
        drop((own, others));
        assert!(seats.0.lock().expect("a lock").is_empty(), "nothing is kept of who left");
    }
}
