//! Nothing to import: the tests are the targets beside this file, and the Rust blocks of the pages below.

/// The front page's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// Every Rust block of the page for people from asyncio.
#[cfg(doctest)]
#[doc = include_str!("../docs/from-asyncio.md")]
mod from_asyncio {}
