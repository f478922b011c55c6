//! `cpu,cuda:0` → devices, or which ones there are.

use anyhow::{Result, bail, ensure};
use candle_core::Device;

/// A device by the name it has on the command line.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub device: Device,
}

/// The devices of a comma-separated list; without one, every CUDA device, else the CPU.
pub fn devices(list: Option<&str>) -> Result<Vec<Named>> {
    let Some(list) = list else {
        let found = all_cuda();
        return Ok(match found.is_empty() {
            true => vec![cpu()],
            false => found,
        });
    };
    let mut chosen: Vec<Named> = Vec::new();
    for name in list.split(',').map(str::trim) {
        let named = one(name)?;
        ensure!(
            chosen.iter().all(|other| other.name != named.name),
            "device `{name}` is named twice; one device runs one job at a time"
        );
        chosen.push(named);
    }
    Ok(chosen)
}

fn one(name: &str) -> Result<Named> {
    if name == "cpu" {
        return Ok(cpu());
    }
    let index = match name {
        "cuda" => Some(0),
        _ => name.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
    };
    let Some(index) = index else {
        bail!("`{name}` is not a device; write `cpu`, `cuda:0`, or a list such as `cuda:0,cuda:1`")
    };
    match Device::new_cuda(index) {
        Ok(device) => Ok(Named {
            name: format!("cuda:{index}"),
            device,
        }),
        Err(_) => {
            let there: Vec<String> = all_cuda().into_iter().map(|d| d.name).collect();
            let there = there.into_iter().chain(["cpu".to_string()]);
            let there = there.collect::<Vec<_>>().join(", ");
            let why = match cfg!(feature = "cuda") {
                true => "",
                false => ": this build has no CUDA",
            };
            bail!("no such device `{name}`{why}; available: {there}")
        }
    }
}

fn cpu() -> Named {
    Named {
        name: "cpu".to_string(),
        device: Device::Cpu,
    }
}

fn all_cuda() -> Vec<Named> {
    let count = match cfg!(feature = "cuda") {
        true => 16,
        false => 0,
    };
    (0..count)
        .map_while(|n| Device::new_cuda(n).ok().map(|device| (n, device)))
        .map(|(n, device)| Named {
            name: format!("cuda:{n}"),
            device,
        })
        .collect()
}
