//! The registry of runtimes over the real primitives, where numbers are many.
//!
//! How its steps interleave is the business of the loom models, which cannot count far enough to see
//! the low bits of a number come round again.

use std::iter::repeat_with;

use crate::ground::registry::Registry;
use crate::ground::sync::{Arc, Bell};
use crate::heart::inbox::Inbox;
use crate::watchdog::watched;

fn inbox() -> Arc<Inbox<()>> {
    let poll = mio::Poll::new().expect("an event queue");
    Inbox::new(Bell::new(poll.registry(), mio::Token(0)).expect("a bell")).0
}

/// Lets runtimes come and go until `number` is the last that was given.
fn count_up_to(number: u32, registry: &Registry<Inbox<()>>) {
    let passer_by = inbox();
    while let Some(given) = registry.enter(&passer_by) {
        registry.leave(given);
        assert!(given <= number, "{number} was not given");
        if given == number {
            return;
        }
    }
    panic!("no number was left");
}

#[test]
fn a_number_is_never_given_twice_and_its_low_bits_come_round() {
    watched(|| {
        let (registry, old, new) = (Registry::new(), inbox(), inbox());
        let number = registry.enter(&old).unwrap();
        registry.leave(number);
        count_up_to(number + 0xfffe, &registry);
        assert_eq!(registry.enter(&new), Some(number + 0x1_0000), "0 is nobody's");

        let found = registry.hint(number as u16).expect("the new runtime has the old one's low bits");
        assert!(Arc::ptr_eq(&found, &new), "a late wake goes to the new one, which shrugs");
        assert!(registry.exact(number).is_none(), "but nothing that matters does");
        assert!(registry.exact(number + 0x1_0000).is_some_and(|found| Arc::ptr_eq(&found, &new)));
    });
}

#[test]
fn a_living_runtime_keeps_its_low_bits() {
    watched(|| {
        let (registry, old, new) = (Registry::new(), inbox(), inbox());
        let number = registry.enter(&old).unwrap();
        count_up_to(number + 0xfffe, &registry);
        assert_eq!(registry.enter(&new), Some(number + 0x1_0001), "0 is nobody's, and one number is passed over");
        assert!(registry.exact(number).is_some_and(|found| Arc::ptr_eq(&found, &old)));
        assert!(registry.hint(number as u16).is_some_and(|found| Arc::ptr_eq(&found, &old)));
    });
}

#[test]
fn a_hidden_runtime_is_found_by_nobody_and_keeps_its_low_bits() {
    watched(|| {
        let (registry, old, new) = (Registry::new(), inbox(), inbox());
        let number = registry.enter(&old).unwrap();
        registry.hide(number);
        assert!(registry.exact(number).is_none() && registry.hint(number as u16).is_none());
        assert_eq!(Arc::strong_count(&old), 1, "the registry holds nothing of it");
        count_up_to(number + 0xfffe, &registry);
        assert_eq!(registry.enter(&new), Some(number + 0x1_0001), "0 is nobody's, and one number is passed over");
    });
}

#[test]
fn as_many_runtimes_live_as_there_are_low_bits_and_no_more() {
    watched(|| {
        let (registry, shared) = (Registry::new(), inbox());
        let given: Vec<_> = repeat_with(|| registry.enter(&shared)).map_while(|number| number).collect();
        assert_eq!(given.len(), 0xffff);
        assert!(given.iter().all(|&number| number as u16 != 0), "a loop that is watched goes by 0 meanwhile");
        registry.leave(given[1234]);
        let next = registry.enter(&shared).expect("one has left");
        assert!(next > given[0xfffe] && next as u16 == given[1234] as u16);
        registry.leave(next);
        let after = registry.enter(&shared).expect("the last one has left, and all low bits but its are taken");
        assert!(after > next && after as u16 == next as u16);
        assert!(registry.enter(&shared).is_none());
    });
}
