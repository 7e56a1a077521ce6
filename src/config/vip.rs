//! Who is a VIP by configuration.

/// The patterns of `contacts.vip`: `@example.org` is everybody there, anything else one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VipList(Vec<String>);

impl VipList {
    /// A list of `patterns`; case does not matter.
    #[must_use]
    pub fn new(patterns: &[String]) -> Self {
        Self(patterns.iter().map(|pattern| pattern.to_lowercase()).collect())
    }

    /// The patterns, in lower case.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Whether whoever writes from `address` is a VIP.
    #[must_use]
    pub fn matches(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        self.0.iter().any(|pattern| {
            if pattern.starts_with('@') { address.ends_with(pattern.as_str()) } else { address == *pattern }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_addresses() {
        let list = VipList::new(&["@Big.example".into(), "github:octocat".into()]);
        assert!(list.matches("Anna@big.example"));
        assert!(!list.matches("anna@notbig.example.org"));
        assert!(!list.matches("anna@evilbig.example"), "the @ is part of the pattern");
        assert!(list.matches("github:OctoCat"));
        assert!(!list.matches("github:octocat2"));
    }
}
