//! Which job, where, in what order; knows stages only as `Job`.
