//! Reports as a browser shows them: in a real Chromium without a window, at the widths of a phone, a laptop and a large
//! screen, in light and in dark. Where there is no Chromium the tests say so and pass.

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod browser;
mod committed;
mod made;
mod probe;
