//! A mistake in a configuration, and the file it is in.

use std::fmt;
use std::ops::Range;

use toml::Spanned;

use super::{ConfigError, file};

/// The file a configuration came from, kept to point at places in it.
#[derive(Clone, Default)]
pub(super) struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// The mistake with its file.
    pub(super) fn error(&self, mistake: Mistake) -> ConfigError {
        let Mistake { span, message, help } = mistake;
        ConfigError { file: self.name.clone(), source: self.text.clone(), span, message, help }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// A mistake found after parsing; the caller adds the file.
pub(super) struct Mistake {
    pub span: Option<Range<usize>>,
    pub message: String,
    pub help: Option<String>,
}

impl Mistake {
    pub(super) fn at<T>(value: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { span: Some(file::span(value)), message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
