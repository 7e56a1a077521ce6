//! Looks at small servers that behave as badly as real ones.

mod http;
mod machine;
mod servers;
mod tcp;
mod tls;
