//! A sweep on a cluster: which workers are asked for and when, what became of them. The store is the truth; what the
//! scheduler says only decides who is still to be waited for. Never prints.

pub mod arrays;
pub mod call;
pub mod driver;
pub mod event;
pub mod groups;
pub mod ledger;
pub mod losses;
pub mod script;
pub mod staffing;
pub mod submit;
pub mod tasks;
