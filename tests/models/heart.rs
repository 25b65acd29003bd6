//! The heart's pure files, under the names that they have there.

#[path = "../../runtime/src/heart/inbox.rs"]
#[allow(dead_code, reason = "the registry is used, and no message sent")]
pub(crate) mod inbox;
#[path = "../../runtime/src/heart/key.rs"]
#[allow(dead_code, reason = "sources have keys too, and no model")]
pub(crate) mod key;
#[allow(dead_code, reason = "what only a dump asks for is left out")]
#[path = "../../runtime/src/heart/ready.rs"]
pub(crate) mod ready;
#[path = "../../runtime/src/heart/tasks/mod.rs"]
#[allow(dead_code, reason = "what only a dump asks for is left out")]
pub(crate) mod tasks;
#[allow(dead_code, reason = "what only a dump asks for is left out")]
#[path = "../../runtime/src/heart/wheel.rs"]
pub(crate) mod wheel;
