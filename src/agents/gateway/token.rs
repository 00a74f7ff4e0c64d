//! The one key that an external agent holds: made for its step, good at its own gateway alone.

use subtle::ConstantTimeEq;

use crate::agents::random::random_hex;

/// Not `Debug`, so that no log shows it.
pub(in crate::agents) struct Token(String);

impl Token {
    /// A new one of 256 random bits. It looks like a provider's key, because some agents look at theirs; and so the search
    /// for secrets finds it wherever an agent leaves it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(in crate::agents) fn new() -> std::io::Result<Self> {
        Ok(Self(format!("sk-ado-{}", random_hex::<32>()?)))
    }

    pub(in crate::agents) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is it; takes the same time wherever they differ.
    pub(super) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secrets_in;

    #[test]
    fn no_two_are_the_same_and_each_is_found_as_a_secret() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert!(
            one.is(one.as_str()) && !one.is(other.as_str()) && !one.is("") && !one.is(&one.as_str()[1..])
        );
        assert_eq!(secrets_in(&format!("key {}", one.as_str())).len(), 1);
    }
}
