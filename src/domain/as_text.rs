//! Types that serde reads and writes as their text.

/// For a type with [`FromStr`](std::str::FromStr) and [`Display`](std::fmt::Display): the conversions that
/// `#[serde(try_from = "String", into = "String")]` asks for.
macro_rules! as_text {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = <$name as std::str::FromStr>::Err;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

pub(super) use as_text;
