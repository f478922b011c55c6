//! What happens in a worker, as lines of JSON: written by `runner work --json`, read by whoever started it.

use crate::jobs::context::Progress;
use crate::run::damage::Damage;
use crate::run::fault::message;
use crate::run::local::Event;
use crate::run::plan::Plan;
use anyhow::{Error, anyhow};
use serde::{Deserialize, Serialize};

/// An event by the names that every process knows a job by.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    pub stage: String,
    pub key: String,
    pub device: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    Started,
    Progress {
        done: u64,
        total: u64,
        unit: String,
        note: String,
    },
    Done {
        seconds: f64,
    },
    /// Another process has made it.
    There,
    Failed {
        seconds: f64,
        error: String,
    },
    /// It reads a result that failed.
    Skipped,
    /// What it reads was damaged and is made again first: the keys, and what was found.
    Damaged {
        needs: Vec<(String, Vec<String>)>,
    },
    Held,
    /// For devices that are in use.
    Waiting {
        for_what: String,
    },
}

/// The unit of a progress that was read back.
fn unit(text: &str) -> &'static str {
    let known = ["images", "steps", "commands", "metrics", "evals", "pairs"];
    known.into_iter().find(|unit| *unit == text).unwrap_or("")
}

/// An event of `plan` as a line.
pub fn line(plan: &Plan, event: &Event) -> Line {
    let (item, device, what) = match event {
        Event::Started { item, device } => (item, *device, What::Started),
        Event::Progress {
            item,
            device,
            progress,
        } => {
            let what = What::Progress {
                done: progress.done,
                total: progress.total,
                unit: progress.unit.to_string(),
                note: progress.note.clone(),
            };
            (item, *device, what)
        }
        Event::Done {
            item,
            device,
            seconds,
        } => (item, *device, What::Done { seconds: *seconds }),
        Event::There { item, device } => (item, *device, What::There),
        Event::Failed {
            item,
            device,
            seconds,
            error,
        } => {
            let what = What::Failed {
                seconds: *seconds,
                error: message(error),
            };
            (item, *device, what)
        }
        Event::Skipped { item } => (item, "", What::Skipped),
        Event::Damaged {
            item,
            device,
            damaged,
        } => {
            let needs = damaged.iter().map(|damage| {
                let key = plan.items[damage.need].key.full().to_string();
                (key, damage.lines.clone())
            });
            let needs = needs.collect();
            (item, *device, What::Damaged { needs })
        }
        Event::Held { item, device, .. } => (item, *device, What::Held),
        Event::Waiting {
            item,
            device,
            for_what,
        } => {
            let for_what = for_what.to_string();
            (item, *device, What::Waiting { for_what })
        }
    };
    let item = &plan.items[*item];
    Line {
        stage: item.job.stage().to_string(),
        key: item.key.full().to_string(),
        device: device.to_string(),
        what,
    }
}

impl Line {
    /// Tells it as an event of item `item` of `plan`, on the place of this name.
    pub fn tell(&self, plan: &Plan, item: usize, device: &str, tell: &dyn Fn(Event)) {
        let event = match &self.what {
            What::Started => Event::Started { item, device },
            What::Progress {
                done,
                total,
                unit: name,
                note,
            } => Event::Progress {
                item,
                device,
                progress: Progress {
                    done: *done,
                    total: *total,
                    unit: unit(name),
                    note: note.clone(),
                },
            },
            What::Done { seconds } => Event::Done {
                item,
                device,
                seconds: *seconds,
            },
            What::Failed { seconds, error } => {
                let error: Error = anyhow!("{error}");
                return tell(Event::Failed {
                    item,
                    device,
                    seconds: *seconds,
                    error: &error,
                });
            }
            What::Damaged { needs } => {
                let found = needs.iter().filter_map(|(key, lines)| {
                    let need = plan.items.iter().position(|item| item.key.full() == key)?;
                    let lines = lines.clone();
                    Some(Damage { need, lines })
                });
                let damaged: Vec<Damage> = found.collect();
                return tell(Event::Damaged {
                    item,
                    device,
                    damaged: &damaged,
                });
            }
            What::Waiting { for_what } => Event::Waiting {
                item,
                device,
                for_what,
            },
            What::There => Event::There { item, device },
            What::Held => Event::Held {
                item,
                device,
                holder: None,
            },
            What::Skipped => Event::Skipped { item },
        };
        tell(event)
    }
}
