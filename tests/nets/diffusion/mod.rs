//! Schedules, steps, losses and whole draws, without and with nets.

mod invariance;
mod losses;
mod printed;
mod samplers;
mod steps;
mod trajectories;
