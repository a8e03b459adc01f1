//! What `run.each` goes through, how many at once, and what it does with each.

use std::future::Future;

use crate::{Result, Run};

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

/// The body of an `each`: what every `AsyncFn(&Run, T) -> Result<R>` is whose future can be sent to another thread.
///
/// A bound on `AsyncFn` alone cannot say that its future is `Send`. Without that the compiler looks into the future of
/// the whole procedure, meets the closure with its lifetimes forgotten, and finds it "not general enough".
pub trait EachBody<'r, T, R> {
    /// The work on one item.
    type Work: Future<Output = Result<R>> + Send;
    /// Begins the work on one item.
    fn begin(&self, run: &'r Run, item: T) -> Self::Work;
}

impl<'r, T, R, F, W> EachBody<'r, T, R> for F
where
    F: Fn(&'r Run, T) -> W,
    W: Future<Output = Result<R>> + Send,
{
    type Work = W;

    fn begin(&self, run: &'r Run, item: T) -> W {
        self(run, item)
    }
}
