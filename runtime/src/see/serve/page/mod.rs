//! The page: one file with all it needs, joined here from the rooms of its source.
//!
//! Each room holds one idea. Read the model first, which knows no document and is tested on its own; then
//! the panel that makes you curious:
//!
//! ```text
//!     style.css, body.html     the looks, and the fixed elements
//!     model/                   events in, states out: words, state, history, recording
//!     elements.js, sentences.js   what all panels draw and say with
//!     panels/                  one file a panel
//!     app.js                   what is shown, and when it is drawn
//!     controls/                the bar, steps, Predict, the tour, the end, and the keys
//!     transport.js             where events come from: a program that runs, or a file
//! ```
//!
//! Nothing is built: the compiler joins the files as they are. Two files are the same page again: `page.html.gz`, which
//! programs carry and browsers unpack, and docs/see.html for the disk. After a change of a room,
//! `cargo run -p oneloop-browser-tests --bin page` writes both anew, and a test compares.

/// A file of the page's source, in a line of its own.
macro_rules! joined {
    ($($text:expr),* $(,)?) => { concat!($($text, "\n"),*) };
}

/// The page, packed by gzip: this is what is served, a third of the size.
pub(super) const PACKED: &[u8] = include_bytes!("page.html.gz");

/// The page as its rooms make it, to be packed.
#[allow(dead_code, reason = "a program carries the packed page only")]
pub(super) const PAGE: &str = joined!(
    include_str!("head.html"),
    "<style>",
    include_str!("style.css"),
    "</style>\n</head>\n<body class=\"bare\">",
    include_str!("body.html"),
    include_str!("recordings.html"),
    "<script>",
    include_str!("model/words.js"),
    include_str!("model/state.js"),
    include_str!("model/history.js"),
    include_str!("model/recording.js"),
    include_str!("elements.js"),
    include_str!("sentences.js"),
    include_str!("panels/chips.js"),
    include_str!("panels/turn.js"),
    include_str!("panels/queue.js"),
    include_str!("panels/slab.js"),
    include_str!("panels/picture.js"),
    include_str!("panels/wheel.js"),
    include_str!("panels/sources.js"),
    include_str!("panels/findings.js"),
    include_str!("panels/inspector.js"),
    include_str!("panels/timeline.js"),
    include_str!("app.js"),
    include_str!("controls/bar.js"),
    include_str!("controls/step.js"),
    include_str!("controls/predict.js"),
    include_str!("controls/tour.js"),
    include_str!("controls/end.js"),
    include_str!("transport.js"),
    include_str!("controls/hands.js"),
    "</script>\n</body>\n</html>",
);
