//! A list that is empty in nearly every instance.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::{IntoIter, Vec};
use core::ops::{Deref, DerefMut};
use core::slice::{Iter, IterMut};

use serde::{Deserialize, Serialize};

/// A list that most instances leave empty: it then takes one word and no heap, where a `Vec` takes three words. A node
/// may have thousands of instances with half a dozen such lists each. It is read as a slice, and built from a `Vec`.
///
/// ```
/// use evervip_vrrp::settings::Few;
///
/// let mut list = Few::from(vec![1, 2]);
/// list.push(3);
/// assert_eq!(list.iter().sum::<i32>(), 6);
/// assert_eq!(list.pop(), Some(3));
/// assert_eq!(size_of::<Few<u64>>(), size_of::<usize>());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "Vec<T>",
    into = "Vec<T>",
    bound(serialize = "T: Clone + Serialize")
)]
pub struct Few<T>(
    /// Never an empty list, so that equal lists are equal values.
    #[allow(clippy::box_collection, reason = "a boxed slice would take two words")]
    Option<Box<Vec<T>>>,
);

impl<T> Few<T> {
    /// An empty list.
    pub const EMPTY: Self = Self(None);

    /// Appends an element.
    pub fn push(&mut self, element: impl Into<T>) {
        self.0.get_or_insert_default().push(element.into());
    }

    /// Takes the last element away; `None`: there was none.
    pub fn pop(&mut self) -> Option<T> {
        self.remove(self.len().checked_sub(1)?)
    }

    /// Takes all elements away.
    pub fn clear(&mut self) {
        *self = Self::EMPTY;
    }

    /// Keeps only the elements that `wanted` says yes to.
    pub fn retain(&mut self, wanted: impl FnMut(&T) -> bool) {
        let mut list = Vec::from(core::mem::take(self));
        list.retain(wanted);
        *self = Self::from(list);
    }

    /// Takes an element away; `None`: there was none at that place.
    pub fn remove(&mut self, place: usize) -> Option<T> {
        let mut list = Vec::from(core::mem::take(self));
        let gone = (place < list.len()).then(|| list.remove(place));
        *self = Self::from(list);
        gone
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0
            .as_ref()
            .map(|list| list.as_slice())
            .unwrap_or_default()
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0
            .as_mut()
            .map(|list| list.as_mut_slice())
            .unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut list: Vec<T>) -> Self {
        list.shrink_to_fit();
        Self((!list.is_empty()).then(|| Box::new(list)))
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(few: Few<T>) -> Self {
        few.0.map(|list| *list).unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for Few<Arc<T>> {
    fn from(list: Vec<T>) -> Self {
        list.into_iter().collect()
    }
}

impl<T> FromIterator<T> for Few<Arc<T>> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        elements.into_iter().map(Arc::new).collect()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::from(Vec::from_iter(elements))
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        let mut list = Vec::from(core::mem::take(self));
        list.extend(elements);
        *self = Self::from(list);
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = IterMut<'a, T>;

    fn into_iter(self) -> IterMut<'a, T> {
        self.iter_mut()
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        Vec::from(self).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn an_emptied_list_is_an_empty_one() {
        let mut list = Few::from(vec![1]);
        assert_eq!(list.pop(), Some(1));
        assert_eq!(list, Few::EMPTY);
        assert_eq!(list.pop(), None);
        assert_eq!(Few::<u8>::from(Vec::new()), Few::EMPTY);
        list.extend([4, 5]);
        list.iter_mut().for_each(|element| *element += 1);
        assert_eq!(list.into_iter().collect::<Vec<_>>(), [5, 6]);
    }
}
