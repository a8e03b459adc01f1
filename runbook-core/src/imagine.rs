//! Made-up values of any type: what a procedure goes on with where nothing is looked at.

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

/// What kind of values are made up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mood {
    /// Nothing there: `false`, `None`, 0, empty lists. Else `true`, `Some`, 1 and lists of one.
    pub(crate) sparse: bool,
    /// Nothing there but on the surface: the fields of a value, not what is in them.
    pub(crate) shallow: bool,
    /// Texts are ids of 40 hexadecimal digits, rather than placeholders.
    pub(crate) digits: bool,
    /// Which variant of an `enum` is taken.
    pub(crate) variant: usize,
    /// What lists of texts hold, when not a placeholder: texts that the procedure decides by.
    pub(crate) words: Vec<String>,
}

/// A value of any type that serde can read; `None` when this does not work out. Texts become `<name>`, or the name of the
/// field they stand in.
pub(crate) fn imagine<T: DeserializeOwned>(name: &str, mood: &Mood) -> Option<T> {
    let mut guess = Guess { mood, choices: Vec::new(), at: 0 };
    // Some types refuse some texts. What was chosen last before a refusal is chosen otherwise, and so on backwards.
    for _ in 0..500 {
        guess.at = 0;
        match T::deserialize(Imagined { guess: &mut guess, name, depth: 0 }) {
            Ok(value) => return Some(value),
            Err(_) => guess.other()?,
        }
    }
    None
}

/// The choices that make up a value.
struct Guess<'a> {
    mood: &'a Mood,
    /// What was chosen, of how many.
    choices: Vec<(usize, usize)>,
    at: usize,
}

impl Guess<'_> {
    /// One of so many.
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.choices.len() {
            self.choices.push((0, of));
        }
        self.at += 1;
        self.choices[self.at - 1].0
    }

    /// The next choices; `None` when all were tried.
    fn other(&mut self) -> Option<()> {
        self.choices.truncate(self.at);
        while let Some((chosen, of)) = self.choices.pop() {
            if chosen + 1 < of {
                self.choices.push((chosen + 1, of));
                return Some(());
            }
        }
        None
    }
}

/// What a text that is wanted may have to look like.
const TEXTS: [&str; 10] = [
    "0000000000000000000000000000000000000000",
    "2026-01-01T00:00:00Z",
    "1",
    "1.0.0",
    "127.0.0.1",
    "127.0.0.1:80",
    "http://localhost/",
    "/",
    "daily 00:00-23:59",
    "local",
];

/// A value that is being made up.
struct Imagined<'a, 'g> {
    guess: &'a mut Guess<'g>,
    name: &'a str,
    depth: usize,
}

/// From here on there is nothing, so that types inside themselves end.
const DEEP: usize = 8;
/// And from here on when a value is to be shallow.
const SHALLOW: usize = 1;
/// Types that do not end are given up here.
const TOO_DEEP: usize = 40;
/// How many choices a value may take before there is nothing any more.
const MANY: usize = 300;

impl<'g> Imagined<'_, 'g> {
    fn inside<'b>(&'b mut self, name: &'b str) -> Imagined<'b, 'g> {
        Imagined { guess: self.guess, name, depth: self.depth + 1 }
    }

    fn ends(&self) -> Result<(), Refused> {
        if self.depth > TOO_DEEP { Err(Refused) } else { Ok(()) }
    }

    /// Whether there is something, which may turn out otherwise.
    fn there(&mut self) -> bool {
        let deep = if self.guess.mood.shallow { SHALLOW } else { DEEP };
        if self.depth > deep || self.guess.at > MANY {
            return false;
        }
        (self.guess.choose(2) == 0) != self.guess.mood.sparse
    }

    fn text(&mut self) -> String {
        let shown = format!("<{}>", self.name.replace('_', " "));
        let mut texts: Vec<&str> = vec![&shown];
        texts.extend(TEXTS);
        if self.guess.mood.digits {
            texts.swap(0, 1);
        }
        texts[self.guess.choose(texts.len())].to_owned()
    }

    fn number(&mut self) -> u8 {
        u8::from(self.there())
    }
}

/// Why no value could be made up.
#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the type refuses it")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(<$number>::from(self.number()))
        })*
    };
}

impl<'de> de::Deserializer<'de> for Imagined<'_, '_> {
    type Error = Refused;

    numbers! {
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_i8<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_i8(i8::from(self.there()))
    }

    /// A type that takes anything gets a text, a number, a truth, or nothing.
    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        match self.guess.choose(6) {
            0 => visitor.visit_string(self.text()),
            1 => visitor.visit_u64(self.number().into()),
            2 => visitor.visit_bool(self.there()),
            3 => visitor.visit_map(MapDeserializer::new(std::iter::empty::<(String, String)>())),
            4 => visitor.visit_seq(Elements { of: self, left: Vec::new() }),
            _ => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.there())
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_byte_buf(Vec::new())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        if self.there() { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refused> {
        self.ends()?;
        visitor.visit_newtype_struct(Self { depth: self.depth + 1, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        let mut left = Vec::new();
        if self.there() {
            // Lists of texts hold every word; what is no text takes the first place only.
            left.push(None);
            left.extend(self.guess.mood.words.iter().cloned().map(Some));
        }
        visitor.visit_seq(Elements { of: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.ends()?;
        visitor.visit_seq(Elements { of: self, left: vec![None; len] })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        let fields: &[&str] = if self.there() { &[""] } else { &[] };
        visitor.visit_map(Fields { of: self, fields: fields.iter(), now: "" })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.ends()?;
        visitor.visit_map(Fields { of: self, fields: fields.iter(), now: "" })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.ends()?;
        if variants.is_empty() {
            return Err(Refused);
        }
        let chosen = (self.guess.choose(variants.len()) + self.guess.mood.variant) % variants.len();
        visitor.visit_enum(Variant { of: self, name: variants[chosen] })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

/// The elements of a list: those made up, and words.
struct Elements<'a, 'g> {
    of: Imagined<'a, 'g>,
    left: Vec<Option<String>>,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left.is_empty() {
            return Ok(None);
        }
        match self.left.remove(0) {
            None => {
                let name = self.of.name;
                seed.deserialize(self.of.inside(name)).map(Some)
            }
            Some(word) => {
                // No words in lists of anything but texts.
                let text: StrDeserializer<'_, Refused> = word.as_str().into_deserializer();
                let value = seed.deserialize(text).ok();
                if value.is_none() {
                    self.left.clear();
                }
                Ok(value)
            }
        }
    }
}

/// The fields of a struct, or the entries of a map, whose keys have no name.
struct Fields<'a, 'g, 'f> {
    of: Imagined<'a, 'g>,
    fields: std::slice::Iter<'f, &'static str>,
    now: &'static str,
}

impl<'de> de::MapAccess<'de> for Fields<'_, '_, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(now) = self.fields.next() else { return Ok(None) };
        self.now = now;
        if now.is_empty() {
            let name = self.of.name;
            return seed.deserialize(self.of.inside(name)).map(Some);
        }
        let key: StrDeserializer<'_, Refused> = now.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let name = if self.now.is_empty() { self.of.name } else { self.now };
        seed.deserialize(self.of.inside(name))
    }
}

/// One variant of an `enum`.
struct Variant<'a, 'g> {
    of: Imagined<'a, 'g>,
    name: &'static str,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let name: StrDeserializer<'_, Refused> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.of.inside(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_tuple(self.of.inside(self.name), len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        de::Deserializer::deserialize_struct(self.of.inside(self.name), self.name, fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use jiff::Timestamp;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Stored, Window};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Release {
        revision: Id,
        previous: Option<Id>,
        taken_at: Timestamp,
        changed: Vec<PathBuf>,
        rows: BTreeMap<String, u64>,
        state: State,
        window: Window,
        #[serde(default)]
        note: String,
        any: serde_json::Value,
        pair: (bool, i8),
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    struct Id(String);

    impl TryFrom<String> for Id {
        type Error = &'static str;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            if text.len() == 40 { Ok(Self(text)) } else { Err("no id") }
        }
    }

    impl From<Id> for String {
        fn from(id: Id) -> Self {
            id.0
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum State {
        Failed(Box<State>),
        Running { pid: u32 },
    }

    #[test]
    fn every_field_gets_what_its_type_takes() {
        let release: Release = imagine("release", &Mood::default()).expect("a release");
        assert_eq!(release.revision.0.len(), 40);
        assert!(release.previous.is_some());
        assert_eq!(release.taken_at.to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(release.changed, [PathBuf::from("<changed>")]);
        assert_eq!(release.rows.into_iter().collect::<Vec<_>>(), [("<rows>".to_owned(), 1)]);
        assert_eq!((release.note.as_str(), release.pair), ("<note>", (true, 1)));
        assert!(Stored::of(&release.state).is_ok());
    }

    #[test]
    fn moods_differ() {
        let sparse = Mood { sparse: true, variant: 1, ..Mood::default() };
        let release: Release = imagine("release", &sparse).expect("a release");
        assert!(release.changed.is_empty() && release.rows.is_empty());
        assert_eq!((release.previous, release.state, release.pair), (None, State::Running { pid: 0 }, (false, 0)));
        let digits = Mood { digits: true, words: vec!["migrations".into()], ..Mood::default() };
        let texts: (String, Vec<String>, Vec<u8>) = imagine("value", &digits).expect("texts");
        assert_eq!(texts.0, TEXTS[0]);
        assert_eq!((texts.1[1].as_str(), texts.2), ("migrations", vec![1]));
    }

    #[test]
    fn what_cannot_be_is_not() {
        #[derive(Debug, Deserialize)]
        enum Never {}
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Endless(Box<Endless>);
        assert!(imagine::<Never>("never", &Mood::default()).is_none());
        assert!(imagine::<Endless>("endless", &Mood::default()).is_none());
        assert!(imagine::<Vec<Never>>("never", &Mood::default()).is_some_and(|never| never.is_empty()));
    }
}
