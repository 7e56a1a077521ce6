//! Commands on remote hosts: over which road, once, and what became of them.

mod layer;

pub use layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
