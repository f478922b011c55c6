//! Files as users have them, given to the program.

mod labels;
mod left_out;
mod weights;
