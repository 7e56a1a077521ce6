//! Names that people choose for what they configure: channels, checks, operators.

/// Makes an id that is the name of a table in the configuration.
///
/// 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit, so that it is safe in a path,
/// in a file name and on a screen.
macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $(#[$bad_doc:meta])* $bad:ident, $what:literal) => {
        $crate::model::name::name_id! {
            $(#[$doc])* $name, $(#[$bad_doc])* $bad, $what, $crate::model::name::is_name
        }
    };
    ($(#[$doc:meta])* $name:ident, $(#[$bad_doc:meta])* $bad:ident, $what:literal, $is:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        $(#[$bad_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("{what} id {0:?} must be 1 to 64 of a-z A-Z 0-9 . _ - and begin with a letter or digit", what = $what)]
        pub struct $bad(String);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $bad;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if $is(text) { Ok(Self(text.into())) } else { Err($bad(text.to_owned())) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $bad;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(super) use name_id;

/// Whether `text` may be a name: 1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit.
pub(super) fn is_name(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let first_ok = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    first_ok && text.len() <= 64 && text.chars().all(safe)
}
