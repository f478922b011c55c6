//! What people type and see: the only room that prints, reads the environment or exits.
