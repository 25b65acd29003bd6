//! The pure files of the runtime against naive models of them.
