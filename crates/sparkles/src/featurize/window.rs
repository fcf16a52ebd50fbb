//! Photos fetched ahead of the thread that decodes them, within a budget.

use std::collections::VecDeque;

use sparkles_data::{DataError, Fetch, Location, ObjectVersion, Stores};

use super::Photo;
use crate::memory::{Budget, Grant};

/// Photos that a thread has fetched, or asked for, ahead.
const AHEAD: usize = 3;

/// A photo's bytes, as long as the window can hold them.
pub(super) enum Fetched {
    /// The bytes, their version, and what they draw from the window.
    Bytes(bytes::Bytes, ObjectVersion, Grant),
    /// The object could not be read.
    Failed(DataError),
    /// More bytes than the window can ever hold.
    TooLarge,
}

/// Fetches the photos of one part in order.
///
/// A photo draws its bytes from the window before it is asked for, and photos
/// draw in order: the one that is decoded next always has its bytes or is the
/// only one of its thread that waits, so that threads cannot block each other.
pub(super) struct Window<'a> {
    stores: &'a Stores,
    budget: &'a Budget,
    photos: std::slice::Iter<'a, Photo>,
    queue: VecDeque<(&'a Photo, Option<(Fetch, Grant)>)>,
}

impl<'a> Window<'a> {
    pub(super) fn new(stores: &'a Stores, budget: &'a Budget, photos: &'a [Photo]) -> Self {
        Self {
            stores,
            budget,
            photos: photos.iter(),
            queue: VecDeque::new(),
        }
    }

    fn fill(&mut self) {
        while self.queue.len() < AHEAD {
            let Some(photo) = self.photos.as_slice().first() else {
                return;
            };
            let bytes = photo.bytes.max(1);
            if bytes > self.budget.total() {
                self.queue.push_back((photo, None));
            } else {
                let grant = if self.queue.is_empty() {
                    self.budget.acquire(bytes)
                } else {
                    self.budget.try_acquire(bytes)
                };
                let Some(grant) = grant else {
                    return;
                };
                let fetching = match Location::parse(&photo.location) {
                    Ok(location) => self.stores.fetch(&location, bytes),
                    Err(error) => self.stores.fail(error),
                };
                self.queue.push_back((photo, Some((fetching, grant))));
            }
            self.photos.next();
        }
    }
}

impl<'a> Iterator for Window<'a> {
    type Item = (&'a Photo, Fetched);

    fn next(&mut self) -> Option<Self::Item> {
        self.fill();
        let (photo, fetching) = self.queue.pop_front()?;
        let fetched = match fetching {
            None => Fetched::TooLarge,
            Some((handle, grant)) => match self.stores.wait(handle) {
                Ok((bytes, version)) => Fetched::Bytes(bytes, version, grant),
                Err(error) => Fetched::Failed(error),
            },
        };
        Some((photo, fetched))
    }
}
