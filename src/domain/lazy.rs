//! A value that is read out of a text when somebody first looks at it.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that can be had again.
pub trait Text: Send + Sync {
    fn read(&self) -> Arc<str>;
}

impl Text for Arc<str> {
    fn read(&self) -> Arc<str> {
        Arc::clone(self)
    }
}

/// Looks like its value. Clones share what was read.
pub struct Lazy<T> {
    value: OnceLock<Arc<T>>,
    /// `None` where the value is there from the beginning.
    source: Option<Source<T>>,
}

struct Source<T> {
    text: Arc<dyn Text>,
    read: fn(&str) -> T,
}

impl<T> Lazy<T> {
    pub fn new(text: Arc<dyn Text>, read: fn(&str) -> T) -> Self {
        Self { value: OnceLock::new(), source: Some(Source { text, read }) }
    }

    fn value(&self) -> &Arc<T> {
        self.value.get_or_init(|| {
            let source = self.source.as_ref().expect("a value that is not there has a source");
            Arc::new((source.read)(&source.text.read()))
        })
    }
}

impl<T> From<T> for Lazy<T> {
    fn from(value: T) -> Self {
        Self { value: Arc::new(value).into(), source: None }
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value()
    }
}

impl<T: Clone> DerefMut for Lazy<T> {
    /// Changes this holder's value alone.
    fn deref_mut(&mut self) -> &mut T {
        self.value();
        Arc::make_mut(self.value.get_mut().expect("it was just read"))
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        let source =
            self.source.as_ref().map(|Source { text, read }| Source { text: Arc::clone(text), read: *read });
        Self { value: self.value.clone(), source }
    }
}

impl<T: Default> Default for Lazy<T> {
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
        std::ptr::eq(self, other) || Arc::ptr_eq(self.value(), other.value()) || **self == **other
    }
}

impl<T: Serialize> Serialize for Lazy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lazy<T> {
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

    struct Counted(AtomicUsize);

    impl Text for Counted {
        fn read(&self) -> Arc<str> {
            self.0.fetch_add(1, Ordering::Relaxed);
            "abc".into()
        }
    }

    #[test]
    fn a_text_is_read_when_it_is_looked_at_and_once_for_later_clones() {
        let text = Arc::new(Counted(AtomicUsize::new(0)));
        let first: Lazy<Vec<usize>> = Lazy::new(text.clone(), |text| vec![text.len()]);
        assert_eq!(text.0.load(Ordering::Relaxed), 0);
        assert_eq!(*first, [3]);
        let mut second = first.clone();
        second.push(7);
        assert_eq!((&*first, &*second), (&vec![3], &vec![3, 7]));
        assert_eq!(text.0.load(Ordering::Relaxed), 1);
    }
}
