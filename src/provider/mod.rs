//! The services aurora receives from: per service `verify`, `identify`, `parse` and the answers they expect.
//!
//! Everything here is a pure function of a [`RawRequest`] and `now`, so each provider is a file that can be
//! read beside its own documentation. Known-answer vectors are in `tests/it/vectors.json`.

mod answer;
mod api;
mod build;
mod file_type;
mod form;
mod form_decoder;
mod github;
mod html;
mod json;
mod mac;
mod mail;
mod mail_headers;
mod mailgun;
mod mailgun_event;
mod mailgun_signed;
mod mime;
mod mime_nesting;
mod multipart;
mod parameters;
mod request;
mod secret;
mod standard;
mod stranger;
mod twilio;
mod twilio_name;
mod twilio_read;
mod twilio_url;
mod typeform;
mod typeform_read;
mod urlencoded;

pub use answer::{Answer, Outcome};
pub use api::{Envelope, Options, Provider, Rejected, Sample, Stored, Verified};
pub use build::build;
pub use form::{Form, FormBuilder, FormField, FormFile};
pub use form_decoder::{FormDecoder, FormError, PartHead, Piece};
pub use json::{plain as parse_plain, read as parse_any};
pub use request::RawRequest;
pub use stranger::answer_stranger;
