//! An error as people should read it: its links in one text, without the backtraces that candle prints into its own.

use anyhow::Error;

/// What the driver's own words for a full card hold.
const FULL_CARD: &str = "CUDA_ERROR_OUT_OF_MEMORY";

/// `reading a.pt: no such file`, hints on lines of their own.
pub fn message(error: &Error) -> String {
    let text = links(error).join(": ");
    if text.contains(FULL_CARD) {
        format!(
            "{text}\nhint: the GPU's memory is full; lower `sample.batch`, which is without effect on the images, or `train.batch`"
        )
    } else {
        text
    }
}

/// The text of each link of the chain, outermost first; a link that repeats the one before it is left out.
pub fn links(error: &Error) -> Vec<String> {
    let mut links: Vec<String> = error.chain().map(|link| plain(&link.to_string())).collect();
    links.dedup();
    links
}

fn plain(text: &str) -> String {
    let frame = |line: &&str| line.starts_with("  ") && line.trim_start().starts_with("0: ");
    let lines: Vec<&str> = text.lines().take_while(|line| !frame(line)).collect();
    lines.join("\n").trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn a_backtrace_inside_an_error_is_left_out() {
        let error = anyhow!("shape mismatch\n   0: candle_core::error::Error::bt\n   1: main");
        let error = Err::<(), _>(error).context("step 3").unwrap_err();
        assert_eq!(message(&error), "step 3: shape mismatch");
    }

    #[test]
    fn a_full_card_is_told_with_a_cure() {
        let error = anyhow!("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        let error = Err::<(), _>(error).context("drawing images").unwrap_err();
        assert!(message(&error).starts_with("drawing images: DriverError"));
        assert!(message(&error).contains("\nhint: the GPU's memory is full; lower `sample.batch`"));
    }
}
