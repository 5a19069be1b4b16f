//! Places that are used again and again, and numbers that name their content: the number of what was there before names
//! nobody.

/// Names what is in a place: the place, and how often it has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Token {
    place: u32,
    use_count: u32,
}

impl From<u64> for Token {
    fn from(number: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        Self {
            use_count: u32::from_be_bytes([a, b, c, d]),
            place: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        Self::from(token.use_count) << 32 | Self::from(token.place)
    }
}

/// The places.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    use_count: u32,
    content: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// How many are in use.
    pub(super) const fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The name that the next content will have.
    pub(super) fn next(&self) -> Token {
        let place = self.free.last().copied();
        let place = place.unwrap_or_else(|| u32::try_from(self.places.len()).unwrap_or(u32::MAX));
        Token {
            place,
            use_count: self.place(place).map_or(0, |place| place.use_count),
        }
    }

    /// Puts something into the place that [`next`](Self::next) has named.
    pub(super) fn insert(&mut self, content: T) -> Token {
        let token = self.next();
        match self.free.pop() {
            Some(_place) => {
                if let Some(place) = self.place_mut(token.place) {
                    place.content = Some(content);
                }
            }
            // Four thousand million descriptors are out of reach.
            None => self.places.push(Place {
                use_count: 0,
                content: Some(content),
            }),
        }
        token
    }

    /// What is named so, if it is still there.
    pub(super) fn get(&self, token: Token) -> Option<&T> {
        let place = self.place(token.place)?;
        if place.use_count == token.use_count {
            place.content.as_ref()
        } else {
            None
        }
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let place = self.place_mut(token.place)?;
        if place.use_count == token.use_count {
            place.content.as_mut()
        } else {
            None
        }
    }

    /// Takes it out; its name will never mean anything again, or not before four thousand million others have been in its
    /// place.
    pub(super) fn remove(&mut self, token: Token) -> Option<T> {
        let place = self.place_mut(token.place)?;
        if place.use_count != token.use_count {
            return None;
        }
        let content = place.content.take()?;
        place.use_count = place.use_count.wrapping_add(1);
        self.free.push(token.place);
        Some(content)
    }

    fn place(&self, place: u32) -> Option<&Place<T>> {
        self.places.get(usize::try_from(place).ok()?)
    }

    fn place_mut(&mut self, place: u32) -> Option<&mut Place<T>> {
        self.places.get_mut(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_means_nobody() {
        let mut slots = Slots::default();
        let (one, two) = (slots.insert("one"), slots.insert("two"));
        assert_eq!(slots.get(one), Some(&"one"));
        assert_eq!(slots.remove(one), Some("one"));
        assert_eq!(slots.len(), 1);
        assert_eq!(slots.get(one), None);
        assert_eq!(slots.remove(one), None);
        let next = slots.next();
        let three = slots.insert("three");
        assert_eq!(next, three);
        assert_eq!(slots.get(one), None);
        assert_eq!(slots.get_mut(one), None);
        assert_eq!(slots.get_mut(three), Some(&mut "three"));
        assert_eq!(slots.get(two), Some(&"two"));
        assert_eq!(slots.len(), 2);
        let four = slots.insert("four");
        assert_eq!(slots.get(four), Some(&"four"));
    }

    #[test]
    fn names_are_numbers() {
        let mut slots = Slots::default();
        for _ in 0..3 {
            let token = slots.insert(());
            assert_eq!(Token::from(u64::from(token)), token);
            slots.remove(token);
        }
        let token = Token {
            place: 7,
            use_count: u32::MAX,
        };
        assert_eq!(Token::from(u64::from(token)), token);
    }
}
