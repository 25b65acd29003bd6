//! Nothing to import: the tests are the targets beside this file.
