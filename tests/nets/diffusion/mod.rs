//! Schedules, steps, losses and whole draws, without and with nets.

mod attention;
mod batches;
mod distillation;
mod fast;
mod guided;
mod invariance;
mod losses;
mod printed;
mod samplers;
mod steps;
mod trajectories;
