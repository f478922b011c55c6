//! What happens to a command in the middle of its work, and what it says where something is missing or broken.

mod asked;
mod damage;
mod slices;
