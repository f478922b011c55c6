//! What the commands say of the sets of images that they are given.

mod left_out;
