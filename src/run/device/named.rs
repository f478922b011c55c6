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
        return Ok(if found.is_empty() { vec![cpu()] } else { found });
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

/// The name of the CPU among devices.
pub const CPU: &str = "cpu";

fn one(name: &str) -> Result<Named> {
    if name == CPU {
        return Ok(cpu());
    }
    let index = match name {
        "cuda" => Some(0),
        _ => name.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
    };
    let Some(index) = index else {
        bail!("`{name}` is not a device; write `cpu`, `cuda:0`, or a list such as `cuda:0,cuda:1`")
    };
    match open_cuda(index) {
        Ok(device) => Ok(Named {
            name: format!("cuda:{index}"),
            device,
        }),
        Err(_) => {
            let there: Vec<String> = all_cuda().into_iter().map(|d| d.name).collect();
            let there = there.into_iter().chain([CPU.to_string()]);
            let there = there.collect::<Vec<_>>().join(", ");
            let why = if cfg!(feature = "cuda") {
                ""
            } else {
                ": this build has no CUDA"
            };
            bail!("no such device `{name}`{why}; available: {there}")
        }
    }
}

fn cpu() -> Named {
    Named {
        name: CPU.to_string(),
        device: Device::Cpu,
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(index: usize) -> candle_core::Result<Device> {
    Device::new_cuda(index)
}

/// A device whose work is all on one stream, whichever thread asks for it, and which keeps the memory that it freed.
#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> candle_core::Result<Device> {
    use candle_core::cuda_backend::cudarc::driver::{result, sys};
    let device = Device::new_cuda_with_stream(index)?;
    let cuda = device.as_cuda_device()?;
    // SAFETY: every tensor of this device is made, read and freed on its one stream, so no use has to be waited for; and
    // the pool is the device's own, its threshold a number that outlives the call.
    unsafe {
        cuda.disable_event_tracking();
        let pool = result::device::get_default_mem_pool(cuda.cuda_stream().context().cu_device())?;
        let mut keep = u64::MAX;
        result::mem_pool::set_attribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut keep).cast(),
        )?;
    }
    Ok(device)
}

fn all_cuda() -> Vec<Named> {
    let count = if cfg!(feature = "cuda") { 16 } else { 0 };
    (0..count)
        .map_while(|n| open_cuda(n).ok().map(|device| (n, device)))
        .map(|(n, device)| Named {
            name: format!("cuda:{n}"),
            device,
        })
        .collect()
}
