//! Nothing to import: the tests are the targets in the folder beside this file.
