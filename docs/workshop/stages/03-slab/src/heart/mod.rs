//! The heart: the files that have a counterpart of the same name in the project's `runtime/src/heart`.

pub mod key;
