//! The sources of a base, and who waits for them.

use crate::ground::event::Readiness;
use crate::ground::packed::{Packed, readiness};
use crate::heart::key::Key;
use crate::see::record::base::Base;
use crate::see::record::base::parts::Source;
use crate::see::record::segment::{By, Segment};

impl Base {
    pub(super) fn source_opened(&mut self, record: &Packed, segment: &Segment) {
        let Some(resource) = segment.resource_of(record) else { return };
        let (ready, by) = (readiness(record.more), By { tag: record.tag, number: record.other });
        let (place, readers, writers) = (record.place, Vec::new(), Vec::new());
        let opened = Source { resource: Some(resource), ready, by, place, readers, writers };
        self.sources.put(record.key(), opened);
    }

    pub(super) fn source_ready(&mut self, key: Key, news: Readiness) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let ready = &mut source.ready;
        (ready.read, ready.write) = (ready.read || news.read, ready.write || news.write);
        ready.read_closed |= news.read_closed;
        ready.write_closed |= news.write_closed;
        if news.read {
            source.readers.clear();
        }
        if news.write {
            source.writers.clear();
        }
    }

    pub(super) fn source_drained(&mut self, key: Key, Readiness { read, write, .. }: Readiness) {
        let Some(Source { ready, .. }) = self.sources.get_mut(key) else { return };
        (ready.read, ready.read_closed) = (ready.read && !read, ready.read_closed && !read);
        (ready.write, ready.write_closed) = (ready.write && !write, ready.write_closed && !write);
    }
}
