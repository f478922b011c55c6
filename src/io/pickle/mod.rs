//! Pickles, read as data: nothing in one is ever executed.

pub(crate) mod array;
pub(crate) mod machine;
pub(crate) mod names;
pub(crate) mod values;
