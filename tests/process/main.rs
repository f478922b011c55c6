//! Somebody else's program: run to its end, with what it was given and no more, and nothing of it left.
