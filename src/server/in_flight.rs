//! What one client has asked and was not answered yet, within bounds.

use std::collections::HashMap;

use crate::protocol::{Refusal, RequestId};

/// Requests of one client at once. A person never comes near.
const AT_ONCE: usize = 4_096;
/// Their frames together, in bytes.
const BYTES: usize = 16 << 20;

/// Requests of one client that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    sizes: HashMap<RequestId, usize>,
    bytes: usize,
}

impl InFlight {
    /// Takes a request whose frame has `size` bytes.
    ///
    /// # Errors
    /// When too many wait, or one of that number does.
    pub(super) fn begin(&mut self, id: RequestId, size: usize) -> Result<(), Refusal> {
        if self.sizes.len() >= AT_ONCE || self.bytes + size > BYTES || self.sizes.contains_key(&id) {
            let why = "too many requests of this client wait for their answers, or one of this number; ask again later";
            return Err(Refusal::Failed(why.to_owned()));
        }
        self.sizes.insert(id, size);
        self.bytes += size;
        Ok(())
    }

    /// It was answered.
    pub(super) fn over(&mut self, id: RequestId) {
        self.bytes -= self.sizes.remove(&id).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_more_once_it_was_answered() {
        let mut few = InFlight::default();
        few.begin(RequestId(1), BYTES - 1).expect("it fits");
        assert!(few.begin(RequestId(2), 2).is_err(), "they are too large together");
        assert!(few.begin(RequestId(1), 1).is_err(), "its number is taken");
        few.begin(RequestId(2), 1).expect("it fits");
        few.over(RequestId(1));
        few.over(RequestId(1));
        few.begin(RequestId(1), 2).expect("there is room again");
        let mut many = InFlight::default();
        for n in 0..AT_ONCE as u64 {
            many.begin(RequestId(n), 1).expect("it fits");
        }
        assert!(many.begin(RequestId(u64::MAX), 1).is_err(), "they are too many");
        many.over(RequestId(7));
        many.begin(RequestId(u64::MAX), 1).expect("there is room again");
    }
}
