//! The judge of a slab alone: a recording in which each value is a task that was born in a slot.
//!
//! `spawn` is a value that was put in, `finish` one that was taken out, and `wake` one that was found; each by its
//! serial. `stale_wake` is a key that found nothing.

use std::collections::BTreeMap;

use crate::events::Event;

#[derive(Default)]
struct Slots {
    /// The value in a slot and the event since which it is there; `None` in a vacant slot.
    tenants: BTreeMap<u64, (Option<u64>, u64)>,
    /// The event that gave a serial, and the one that took its value out.
    serials: BTreeMap<u64, (u64, Option<u64>)>,
}

/// The first event that no slab may have.
pub(crate) fn judge(events: &[Event]) -> Option<String> {
    let mut slots = Slots::default();
    events.iter().find_map(|event| slots.apply(event))
}

impl Slots {
    fn apply(&mut self, event: &Event) -> Option<String> {
        let n = event.number;
        match event.kind.as_str() {
            "spawn" => self.put_in(event.task()?, event.number_of("slot")?, n),
            "finish" | "wake" => {
                let (serial, is_out) = (event.task()?, event.kind == "finish");
                let did = if is_out { "freed a slot" } else { "found a value" };
                let Some((_, out)) = self.serials.get_mut(&serial) else {
                    return Some(format!("a key with serial {serial} {did} at event {n}, and nobody was given that"));
                };
                if let Some(before) = out {
                    return Some(format!(
                        "a key with serial {serial} {did} at event {n}, and its own value was taken out at event {before}"
                    ));
                }
                if is_out {
                    *out = Some(n);
                    let tenant = self.tenants.values_mut().find(|(tenant, _)| *tenant == Some(serial))?;
                    *tenant = (None, n);
                }
                None
            }
            _ => None,
        }
    }

    fn put_in(&mut self, serial: u64, slot: u64, n: u64) -> Option<String> {
        let before = self.tenants.insert(slot, (Some(serial), n));
        if serial == 0 {
            return Some(format!("serial 0 was given at event {n}: it is that of vacant slots"));
        }
        if let Some((given, _)) = self.serials.insert(serial, (n, None)) {
            return Some(format!("serial {serial} was given at event {n}, and at event {given} already"));
        }
        if let Some((Some(tenant), since)) = before {
            return Some(format!(
                "slot {slot} was given at event {n}, and value {tenant} has been in it since event {since}"
            ));
        }
        let vacant = self.tenants.iter().find(|(_, (tenant, _))| tenant.is_none()).filter(|_| before.is_none())?;
        let (vacant, (_, since)) = vacant;
        Some(format!("slot {slot} is new at event {n}, though slot {vacant} is vacant since event {since}"))
    }
}

#[test]
fn a_slab_that_breaks_a_promise_is_told_by_its_event() {
    let spawn =
        |n: u64, serial: u64, slot: u64| format!(r#"{{"n":{n},"t":0,"e":"spawn","task":{serial},"slot":{slot}}}"#);
    let of = |n: u64, kind: &str, serial: u64| format!(r#"{{"n":{n},"t":0,"e":"{kind}","task":{serial}}}"#);
    let told = |lines: &[String]| judge(&crate::events::parse(&lines.join("\n"))).unwrap_or_default();
    let good = [spawn(1, 1, 0), of(2, "wake", 1), of(3, "finish", 1), spawn(4, 2, 0)];
    assert_eq!(told(&good), "");
    let with = |wrong: String| told(&[&good[..], &[wrong]].concat());
    assert!(with(of(5, "finish", 1)).contains("freed a slot at event 5, and its own value was taken out at event 3"));
    assert!(with(of(5, "wake", 1)).contains("found a value at event 5"));
    assert!(with(of(5, "wake", 9)).ends_with("nobody was given that"));
    assert_eq!(with(spawn(5, 3, 0)), "slot 0 was given at event 5, and value 2 has been in it since event 4");
    assert_eq!(with(spawn(5, 1, 1)), "serial 1 was given at event 5, and at event 1 already");
    let news = [spawn(1, 1, 0), of(2, "finish", 1), spawn(3, 2, 1)];
    assert_eq!(told(&news), "slot 1 is new at event 3, though slot 0 is vacant since event 2");
}
