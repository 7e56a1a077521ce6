//! Which names a condition may use, and of which type they are.

use crate::model::nearest;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A number without a unit.
    Number,
    /// A share: `90%`.
    Percent,
    /// A length of time: `500ms`.
    Duration,
    /// A number of bytes: `10GiB`.
    Size,
    /// Text: `"ok"`.
    Text,
    /// Known only when it is there: a bool, a number or a text of a JSON document.
    Json,
}

impl Type {
    /// With its article, for a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Percent => "a percentage",
            Self::Duration => "a duration",
            Self::Size => "a size",
            Self::Text => "text",
            Self::Json => "a JSON value",
        }
    }

    /// A value of it, as one would write it.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Bool => "true",
            Self::Number => "200",
            Self::Percent => "90%",
            Self::Duration => "500ms",
            Self::Size => "10GiB",
            Self::Text | Self::Json => "\"ok\"",
        }
    }

    /// Whether values of both can be compared.
    pub(super) fn compares_with(self, other: Self) -> bool {
        let of_json = |kind| matches!(kind, Self::Bool | Self::Number | Self::Text | Self::Json);
        self == other || (self == Self::Json && of_json(other)) || (other == Self::Json && of_json(self))
    }

    /// Whether one can be less than another.
    pub(super) fn is_ordered(self) -> bool {
        !matches!(self, Self::Bool | Self::Text)
    }
}

/// What stands between the parentheses of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A name, such as that of a header; case does not matter.
    Name,
    /// A path into a JSON document, such as `$.a.b[0]`.
    JsonPath,
}

/// The names a condition may use.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    variables: Vec<(String, Type)>,
    functions: Vec<(String, Takes, Type)>,
}

impl Schema {
    /// A schema of `variables`. A name is made of `a-z 0-9 _ .` and begins with a letter.
    #[must_use]
    pub fn new(variables: &[(&str, Type)]) -> Self {
        let variables = variables.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Self { variables, functions: Vec::new() }
    }

    /// The same with the function `name`.
    #[must_use]
    pub fn with_function(mut self, name: &str, takes: Takes, gives: Type) -> Self {
        self.functions.push((name.to_owned(), takes, gives));
        self
    }

    /// The type of a variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Type> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind)
    }

    pub(super) fn function(&self, name: &str) -> Option<(Takes, Type)> {
        self.functions.iter().find(|(known, ..)| known == name).map(|(_, takes, gives)| (*takes, *gives))
    }

    /// Every name, functions with parentheses.
    pub(super) fn names(&self) -> String {
        let variables = self.variables.iter().map(|(name, _)| name.clone());
        let functions = self.functions.iter().map(|(name, ..)| format!("{name}(\"…\")"));
        variables.chain(functions).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn nearest(&self, typed: &str) -> Option<&str> {
        let variables = self.variables.iter().map(|(name, _)| name.as_str());
        nearest(typed, variables.chain(self.functions.iter().map(|(name, ..)| name.as_str())))
    }
}
