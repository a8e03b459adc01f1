//! What `run.each` goes through, and how many at once.

/// Items to go through, and how many at once.
#[derive(Debug, Clone)]
pub struct Items<T> {
    pub(crate) items: Vec<T>,
    pub(crate) at_once: usize,
}

impl<T, I: IntoIterator<Item = T>> From<I> for Items<T> {
    fn from(items: I) -> Self {
        Self { items: items.into_iter().collect(), at_once: 8 }
    }
}

/// Says how many items of an `each` are worked on at once.
pub trait AtOnce: IntoIterator + Sized {
    /// This many at once, at least one.
    fn at_once(self, at_once: usize) -> Items<Self::Item> {
        Items { items: self.into_iter().collect(), at_once: at_once.max(1) }
    }

    /// One after the other.
    fn one_by_one(self) -> Items<Self::Item> {
        self.at_once(1)
    }
}

impl<I: IntoIterator> AtOnce for I {}
