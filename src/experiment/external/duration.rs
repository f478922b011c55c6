//! How long, as people write it: `90s`, `1h 30m`, `2d`.

use anyhow::{Result, anyhow, ensure};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use std::time::Duration;

/// Reads jiff's friendly form (<https://docs.rs/jiff/1/jiff/fmt/friendly/>), a day being 24 hours and a week 7 days.
///
/// # Errors
/// What is not a duration, is not above zero, or needs a calendar (months and years).
pub fn parse(text: &str) -> Result<Duration> {
    let hint = "hint: write a number with its unit, such as \"90s\", \"45m\", \"4h\", \"1h 30m\" or \"2d\"";
    let unreadable = || anyhow!("{text:?} is not a duration\n{hint}");
    let span: Span = text.trim().parse().map_err(|_| unreadable())?;
    let signed: SignedDuration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| anyhow!("{text:?} counts months or years, which differ in length\n{hint}"))?;
    ensure!(
        signed.is_positive(),
        "{text:?} is no time at all\nhint: write one above zero, such as \"4h\""
    );
    Ok(signed.unsigned_abs())
}
