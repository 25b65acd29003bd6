//! The runtimes that the table compares, one file each: the adapters are what a user of each would write.

mod oneloop;
mod smol;
mod step2;
mod step3;
mod tokio;

pub use self::oneloop::Oneloop;
pub use self::smol::Smol;
pub use self::step2::Step2;
pub use self::step3::Step3;
pub use self::tokio::Tokio;
