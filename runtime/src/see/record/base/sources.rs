//! The sources of a base, and who waits for them.

use crate::ground::event::{Readiness, SourceId, WaitsFor};
use crate::ground::packed::{Packed, readiness};
use crate::heart::key::{Key, SourceKey};
use crate::see::record::base::Base;
use crate::see::record::base::parts::Source;
use crate::see::record::segment::Segment;

impl Base {
    pub(super) fn source_opened(&mut self, record: &Packed, segment: &Segment) {
        let Some(resource) = segment.resource_of(record) else { return };
        let (ready, by) = (readiness(record.more), record.who());
        let (place, readers, writers) = (record.place, Vec::new(), Vec::new());
        let opened = Source { resource: Some(resource), ready, by, place, readers, writers };
        self.sources.put(record.key(), opened);
    }

    pub(super) fn source_ready(&mut self, key: Key, news: Readiness) {
        let Some(Source { ready, .. }) = self.sources.get_mut(key) else { return };
        (ready.read, ready.write) = (ready.read || news.read, ready.write || news.write);
        ready.read_closed |= news.read_closed;
        ready.write_closed |= news.write_closed;
        self.nobody_waits(key, news.read, news.write);
    }

    fn nobody_waits(&mut self, key: Key, to_read: bool, to_write: bool) {
        let id = SourceId(SourceKey(key));
        for (over, on) in [(to_read, WaitsFor::Read(id)), (to_write, WaitsFor::Write(id))] {
            let Some(source) = self.sources.get_mut(key).filter(|_| over) else { continue };
            let mut waiters = std::mem::take(source.waiters(on));
            waiters.drain(..).for_each(|waiter| self.forget_wait(waiter, on));
            // The room is kept for those who wait next.
            self.sources.get_mut(key).into_iter().for_each(|source| *source.waiters(on) = std::mem::take(&mut waiters));
        }
    }

    pub(super) fn source_drained(&mut self, key: Key, Readiness { read, write, .. }: Readiness) {
        let Some(Source { ready, .. }) = self.sources.get_mut(key) else { return };
        (ready.read, ready.read_closed) = (ready.read && !read, ready.read_closed && !read);
        (ready.write, ready.write_closed) = (ready.write && !write, ready.write_closed && !write);
    }

    pub(super) fn source_closed(&mut self, key: Key) {
        self.nobody_waits(key, true, true);
        self.sources.take(key);
    }
}
