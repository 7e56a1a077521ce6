//! The condition language of checks and rules: `status == 200 and latency < 500ms`.
//!
//! A condition is read once, against a [`Schema`] that says which names there are and of which [`Type`] they are.
//! A mistake is a [`ConditionError`] with its place. What was read is judged against [`Values`] as often as needed.
//!
//! ```text
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | "(" or ")" | comparison
//! comparison = subject [ ("==" | "!=" | "<" | "<=" | ">" | ">=") (literal | subject)
//!                      | "contains" (text | subject) | "matches" text | "is" ("missing" | "known") ]
//! subject    = name | name "(" text ")"
//! literal    = "true" | "false" | text | ["-"] digits ["." digits] [ "%" | us ms s m h d w | B kB MB GB KiB MiB GiB ]
//! text       = '"' … '"' with \" and \\ (any other backslash stays), or "'" … "'" as it stands
//! ```
//!
//! **What is not known never makes a condition hold.** A comparison with a value that is missing is neither true nor
//! false (Kleene's three values), `not` keeps it so, and a condition that ends so does not hold. To ask for absence
//! itself there is `is missing`.

mod error;
mod expr;
mod json_path;
mod judge;
mod literal;
mod parse;
mod schema;
mod token;

pub use error::ConditionError;
pub use expr::{Argument, Condition};
pub use json_path::{JsonPath, json_value};
pub use judge::{Judged, Values};
pub use parse::MAX_BYTES;
pub use schema::{Schema, Takes, Type};
