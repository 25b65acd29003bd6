//! The latches: what the kernel said about one source and nobody has disproved yet.

/// One of the two ways of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// All that the kernel said about one source and nobody has disproved yet: a bit for each thing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Latches(u8);

impl Latches {
    /// Urgent data is on its way. A read stops before it, so a short read proves nothing.
    pub(super) const URGENT: Self = Self(1 << 4);

    /// In this direction an attempt may succeed.
    pub(crate) const fn ready(direction: Direction) -> Self {
        Self(1 << direction as u8)
    }

    /// It is hung up in this direction, or has failed. An attempt will say so, and no short read disproves
    /// it.
    pub(crate) const fn closed(direction: Direction) -> Self {
        Self(1 << (2 + direction as u8))
    }

    /// Whether any of `others` is set in these.
    pub(crate) const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    pub(super) const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(super) const fn only_if(self, condition: bool) -> Self {
        Self(if condition { self.0 } else { 0 })
    }

    pub(super) fn of(event: &mio::event::Event) -> Self {
        use Direction::{Read, Write};
        let shut = |direction| Self::closed(direction).union(Self::ready(direction));
        Self::ready(Read)
            .only_if(event.is_readable())
            .union(Self::ready(Write).only_if(event.is_writable()))
            .union(shut(Read).only_if(event.is_read_closed()))
            .union(shut(Write).only_if(event.is_write_closed()))
            .union(shut(Read).union(shut(Write)).only_if(event.is_error()))
            .union(Self::URGENT.only_if(event.is_priority()))
    }
}
