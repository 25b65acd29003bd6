//! The differences that are meant, each with its reason; and the page that tells them.

/// A line that a program writes down differently.
pub(crate) struct Difference {
    pub(crate) oneloop: &'static str,
    pub(crate) tokio: &'static str,
    pub(crate) why: &'static str,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        oneloop: "four tasks that yield once go on in the order: [0, 1, 2, 3]",
        tokio: "four tasks that yield once go on in the order: [3, 2, 1, 0]",
        why: "tokio keeps the wakes of `yield_now` back until it has looked at the kernel, and then gives them out \
              last first. Here a yield is a wake like any other: to the end of the queue, at once.",
    },
    Difference {
        oneloop: "an abort's error names the place: true",
        tokio: "an abort's error names the place: false",
        why: "A `JoinError` of an abort says here who asked for it, and at which line. The kinds are the same: \
              `is_cancelled` and `is_panic`.",
    },
    Difference {
        oneloop: "others ran during a sleep of zero: 1",
        tokio: "others ran during a sleep of zero: 0",
        why: "tokio's sleep of zero is ready when it is first asked. Here even that lets the other ready tasks run \
              once, so that a loop of such sleeps starves nobody.",
    },
    Difference {
        oneloop: "the error's words: the time allowed ran out",
        tokio: "the error's words: deadline has elapsed",
        why: "Other words for `Elapsed`. As an `io::Error` both are of the kind `TimedOut`.",
    },
];

const HEAD: &str = include_str!("from_tokio_head.md");
const TAIL: &str = include_str!("from_tokio_tail.md");

/// The text of `docs/from-tokio.md`.
pub(crate) fn page() -> String {
    let rows = DIFFERENCES.iter().map(|Difference { oneloop, tokio, why }| {
        let (what, here) = oneloop.rsplit_once(": ").unwrap_or((oneloop, ""));
        let there = tokio.rsplit_once(": ").map_or(*tokio, |(_, there)| there);
        format!("| {what} | {here} | {there} | {why} |\n")
    });
    format!("{HEAD}\n| | oneloop | tokio | why |\n|---|---|---|---|\n{}\n{TAIL}", rows.collect::<String>())
}
