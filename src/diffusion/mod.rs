//! Schedules, posteriors and steps; knows closures, no net.
