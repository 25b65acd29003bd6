//! The library of the demos that speak HTTP: a server's house, in which everything has an upper bound.

pub mod farewell;
pub mod house;
pub mod pool;
pub mod slowly;
