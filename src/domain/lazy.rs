//! A value that is worked out when somebody first looks at it.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Looks like its value. Cloning shares it, worked out or not.
pub struct Lazy<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: OnceLock<T>,
    source: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: 'static> Lazy<T> {
    pub fn new(source: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { value: OnceLock::new(), source: Box::new(source) }))
    }
}

impl<T: Clone + Send + Sync + 'static> From<T> for Lazy<T> {
    fn from(value: T) -> Self {
        let lazy = Self(Arc::new(Inner {
            value: OnceLock::new(),
            source: Box::new(|| unreachable!("the value is there from the beginning")),
        }));
        // The cell is empty, so that setting it cannot fail.
        let _ = lazy.0.value.set(value);
        lazy
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.value.get_or_init(|| (self.0.source)())
    }
}

impl<T: Clone + Send + Sync + 'static> DerefMut for Lazy<T> {
    /// Changes this holder's value alone.
    fn deref_mut(&mut self) -> &mut T {
        *self = Self::from(T::clone(self));
        let inner = Arc::get_mut(&mut self.0).expect("it was just made and is not shared");
        inner.value.get_mut().expect("it was just set")
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Default + Clone + Send + Sync + 'static> Default for Lazy<T> {
    fn default() -> Self {
        Self::from(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Lazy<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl<T: Serialize> Serialize for Lazy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Clone + Send + Sync + 'static> Deserialize<'de> for Lazy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

impl<T: JsonSchema> JsonSchema for Lazy<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_value_is_worked_out_once_for_all_holders() {
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let first = Lazy::new(move || vec![seen.fetch_add(1, Ordering::Relaxed)]);
        let mut second = first.clone();
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert_eq!((&*second, &*first), (&vec![0], &vec![0]));
        second.push(7);
        assert_eq!((&*first, &*second), (&vec![0], &vec![0, 7]));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
