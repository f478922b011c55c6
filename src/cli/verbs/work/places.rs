//! `cuda:0,cuda:1`, `cpu:2`: the places of this machine where workers run, one in this process or a process each.

use crate::jobs::job::Job;
use crate::run::device::named::{CPU, devices};
use anyhow::{Context, Result, ensure};

/// A place of a worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name among the places: `cuda:1`, `cpu:1/2`.
    pub name: String,
    /// The device that its process is told to use.
    pub device: String,
    /// Which of how many equal shares of the cores it calculates on, from 1; None for all.
    pub share: Option<(usize, usize)>,
}

/// More workers than this on one CPU are a slip.
const MOST: usize = 1024;

/// A list with `cpu:N` in it as `devices` takes it, and N.
pub fn list(text: Option<&str>) -> Result<(Option<String>, usize)> {
    let Some(text) = text else {
        return Ok((None, 1));
    };
    let mut workers = 1;
    let mut names = Vec::new();
    for name in text.split(',').map(str::trim) {
        let Some(count) = name.strip_prefix("cpu:") else {
            names.push(name);
            continue;
        };
        let wrong = || {
            format!(
                "`{name}` is not a device\nhint: `cpu:2` is two workers, each on half of the cores"
            )
        };
        workers = count.parse().with_context(wrong)?;
        ensure!((1..=MOST).contains(&workers), wrong());
        names.push(CPU);
    }
    Ok((Some(names.join(",")), workers))
}

/// The places of a process each; None where there is one place alone, or jobs of programs that ask for several devices,
/// which one process has to hand out.
///
/// # Errors
/// A name that is no device.
pub fn apart<'a>(
    text: Option<&str>,
    mut jobs: impl Iterator<Item = &'a Job>,
) -> Result<Option<Vec<Place>>> {
    let (names, workers) = list(text)?;
    let named = devices(names.as_deref())?;
    let mut places = Vec::new();
    for device in named {
        if device.name == CPU && workers > 1 {
            places.extend((1..=workers).map(|n| Place {
                name: format!("cpu:{n}/{workers}"),
                device: CPU.to_string(),
                share: Some((n, workers)),
            }));
        } else {
            places.push(Place {
                name: device.name.clone(),
                device: device.name,
                share: None,
            });
        }
    }
    let several = |job: &Job| job.program().is_some_and(|program| program.devices > 1);
    Ok((places.len() > 1 && !jobs.any(several)).then_some(places))
}

/// `1/2` → (1, 2).
pub fn share(text: &str) -> Option<(usize, usize)> {
    let (n, of) = text.split_once('/')?;
    let (n, of) = (n.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&n).then_some((n, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_on_one_cpu_have_a_share_of_the_cores_each() {
        let places = apart(Some("cpu:2"), [].into_iter()).unwrap().unwrap();
        let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        assert_eq!(names, ["cpu:1/2", "cpu:2/2"]);
        assert_eq!(places[1].share, Some((2, 2)));
        assert_eq!(apart(Some("cpu"), [].into_iter()).unwrap(), None);
        assert_eq!(apart(Some("cpu:1"), [].into_iter()).unwrap(), None);
        for wrong in ["cpu:0", "cpu:x", "cpu:-1", "cpu:99999"] {
            let error = apart(Some(wrong), [].into_iter()).unwrap_err();
            assert!(format!("{error:#}").contains("is two workers"), "{error:#}");
        }
        assert_eq!(share("2/2"), Some((2, 2)));
        assert_eq!(share("3/2"), None);
    }
}
