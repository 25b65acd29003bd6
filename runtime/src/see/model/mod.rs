//! The model: what is known of a loop at one moment, and how it is written down and read again.
//!
//! ```text
//!     things     tasks, timers and sources, as the events tell them
//!     state      all of them between two events; `apply` takes it one event further
//!     words      how a cause, a wait, a state or a place is called, in every text
//!     ndjson     the written form, of flat objects by json; parse reads it again, whole says how long it is
//!     live       a state of the stores alone, where no event was seen
//!     dump       the task table of the loop that runs here; table lays it out, kept knows who tells the past
//!     numbered   a map by number, and slots, one by key: what the others are made of
//! ```

pub(crate) mod dump;
pub(super) mod json;
pub(crate) mod kept;
pub(crate) mod live;
pub(crate) mod ndjson;
pub(crate) mod numbered;
pub(crate) mod parse;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod things;
pub(crate) mod whole;
pub(crate) mod words;
