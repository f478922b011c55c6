//! How fast the devices are: as the user says, as it is kept, or by a probe of this machine.

use crate::cli::cache::{self, Cache};
use crate::cli::screen::terminal::{say, warning};
use crate::cli::verbs::plan::budget::Kind;
use crate::cli::verbs::plan::expected::{Speed, untimed};
use crate::cli::verbs::work::places::list;
use crate::run::device::named::{CPU, Named, devices};
use crate::run::plan::Plan;
use crate::stages::cost::rates::{ALONE, PROBE, Rates, file};
use crate::stages::cost::work::Work;
use anyhow::Result;
use clap::Args;
use clap::builder::FalseyValueParser;

/// What times are estimated by, where no stored result tells them.
#[derive(Args, Debug, Clone)]
pub struct SpeedArgs {
    /// Devices whose times are estimated, such as `cpu` or `cuda:0,cuda:1` [default: every GPU, else the CPU]
    #[arg(long, value_name = "LIST")]
    pub device: Option<String>,
    /// Take this speed, in 10^12 multiply-adds a second, for a device that is not here
    #[arg(long, value_name = "SPEED", value_parser = positive, conflicts_with = "device")]
    pub rate: Option<f64>,
    /// Never measure this machine; what was measured before is used
    #[arg(long, env = "RUNNER_NO_PROBE", value_parser = FalseyValueParser::new())]
    pub no_probe: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("a number above 0 is needed, such as 85.6".to_string()),
    }
}

/// Whether a machine whose speed is not known is measured now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probing {
    Allowed,
    Never,
}

/// The speed, and of what.
///
/// # Errors
/// A name that is no device.
pub fn speed(
    args: &SpeedArgs,
    cache: &Cache,
    plan: &Plan,
    work: &[Option<Vec<Work>>],
    probing: Probing,
) -> Result<(Speed, Kind)> {
    if let Some(rate) = args.rate {
        return Ok((Speed::Given(rate * 1e12), Kind::Device));
    }
    let untimed = untimed(plan, work);
    if untimed.is_empty() && args.device.is_none() {
        let kind = stored_kind(plan).unwrap_or(Kind::Cpu);
        return Ok((Speed::Unknown, kind));
    }
    let devices = devices(list(args.device.as_deref())?.0.as_deref())?;
    let gpu = devices.iter().any(|device| device.name != CPU);
    let kind = if gpu { Kind::Gpu } else { Kind::Cpu };
    let each = devices.iter();
    let rates = each.map(|device| rates_of(device, cache, &untimed, probing));
    Ok((Speed::Measured(rates.collect()), kind))
}

/// What stored results were made on.
fn stored_kind(plan: &Plan) -> Option<Kind> {
    use crate::run::store::State;
    let mut stored = plan.items.iter().filter_map(|item| match &item.state {
        State::Stored(manifest) => Some(manifest.device != CPU),
        _ => None,
    });
    let first = stored.next()?;
    Some(if first || stored.any(|gpu| gpu) {
        Kind::Gpu
    } else {
        Kind::Cpu
    })
}

/// What is kept of a device, and what a probe adds.
fn rates_of(device: &Named, cache: &Cache, untimed: &[Work], probing: Probing) -> Rates {
    let name = device.name.as_str();
    let path = cache::folder(cache).ok().map(|cache| file(&cache, name));
    let mut rates = match &path {
        Some(path) => Rates::read(path, name),
        None => Rates::none(name),
    };
    let missing = rates.missing(untimed);
    if missing.is_empty() || probing == Probing::Never {
        return rates;
    }
    let seconds = PROBE.as_secs();
    match &path {
        Some(path) => say(&format!(
            "measuring this machine's {name} ({seconds} s), kept in {}",
            path.display()
        )),
        None => say(&format!("measuring this machine's {name} ({seconds} s)")),
    }
    match rates.probe(&missing, &device.device) {
        Ok(share) if share < ALONE => warning(&format!(
            "other programs had the {name} for {:.0} % of the measurement: an idle machine takes less time than is told here, and \
             the next plan measures again",
            100.0 * (1.0 - share)
        )),
        Ok(_) => {}
        Err(error) => warning(&format!(
            "measuring {name}: {error:#}; some times stay unknown"
        )),
    }
    if let Some(path) = path
        && let Err(error) = rates.write(&path)
    {
        warning(&format!("what was measured is not kept: {error:#}"));
    }
    rates
}
