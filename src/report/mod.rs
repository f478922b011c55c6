//! Finished rows to files that people read; knows no tensor.
