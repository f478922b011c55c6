//! The files in a result folder: names of parts, and what they say of their making.

pub mod damage;
pub mod export;
pub mod meta;
pub mod parts;
pub mod results;
