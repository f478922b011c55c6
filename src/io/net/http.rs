//! How requests are made, and what the heads of answers say.

use anyhow::{Result, bail};
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

/// Statuses are answers, not errors; a connection that says nothing for a minute is given up.
pub fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .user_agent(concat!("runner/", env!("CARGO_PKG_VERSION")));
    config.build().into()
}

/// What says that the bytes are still the same ones: a strong entity tag, else the time of the last change.
pub fn validator_of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(String::from);
    let tag = text("etag").filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text("last-modified"))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `bytes 5-9/10` → (Some(5), Some(10)); `bytes */10` → (None, Some(10)).
pub fn content_range(headers: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let text = headers.get("content-range")?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range
        .split_once('-')
        .and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

/// The length of a whole answer as the server says it. `published` is what is known of it otherwise; where neither says
/// it, an answer that only ends where the connection does could end anywhere.
pub fn whole_length(
    response: &Response<Body>,
    url: &str,
    published: Option<u64>,
) -> Result<Option<u64>> {
    let length = number(response.headers(), "content-length");
    let chunked = response.headers().contains_key("transfer-encoding");
    if length.is_none() && !chunked && published.is_none() {
        bail!(
            "fetching {url}: the server does not say how long the file is, so that a cut could not be told"
        );
    }
    Ok(length)
}
