//! What a report says of results, from rows that no job made.

mod best;
mod cases;
mod charts;
mod claims;
mod deltas;
mod grids;
mod large;
mod page;
mod paper;
mod published;
mod seeds;
mod tables;
