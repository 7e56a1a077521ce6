//! Keys that differ from the defaults, as text.

use std::collections::BTreeMap;

/// By context and action: the keys in place of the default ones, as the configuration writes them.
pub type KeyOverrides = BTreeMap<String, BTreeMap<String, Vec<String>>>;
