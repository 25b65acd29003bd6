//! The file of the heart in which threads meet, under the name that it has there.

#[path = "../../runtime/src/heart/inbox.rs"]
pub(crate) mod inbox;
