//! Other people's programs and images in a sweep. The programs are Python's, of which nothing but its standard library is
//! used, and the shell's.

mod adopted;
mod counts;
mod faults;
mod outputs;
mod stages;
mod study;
mod sweeps;
