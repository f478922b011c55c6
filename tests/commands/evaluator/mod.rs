//! What people type today, in this program's words: the ADM evaluator's call and its five lines, torch-fidelity's JSON,
//! files of mu and sigma, several sets against several references.

mod lines;
mod several;
mod statistics;
mod weights;
mod world;
