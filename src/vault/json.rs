//! Whether a text is JSON, and of which kind; what Obsidian would not read back whole is not.
//!
//! Does not know canvases or bookmarks.

use std::collections::HashSet;
use std::fmt;
use std::mem::{Discriminant, discriminant};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The kind of value that the text is; `None` where it is no JSON, or an object in it has a key twice.
pub(super) fn kind(text: &str) -> Option<Discriminant<Value>> {
    serde_json::from_str::<Unique>(text).ok()?;
    serde_json::from_str::<Value>(text).ok().map(|value| discriminant(&value))
}

/// Any value in which no object has a key twice.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, _)) = map.next_entry::<String, Unique>()? {
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format!("the key `{twice}` is there twice")));
            }
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_key_twice_or_anything_behind_it_is_not_taken_for_json() {
        assert_eq!(kind("{\"a\": [1, -2.5, null, true, \"x\"], \"b\": {\"a\": 1}}"), kind("{}"));
        assert_ne!(kind("[]"), kind("{}"));
        for broken in ["{\"a\": 1, \"a\": 2}", "[{\"a\": {}, \"a\": {}}]", "{} {}", "{\"a\": 1,}", "", "{"] {
            assert_eq!(kind(broken), None, "{broken}");
        }
    }
}
