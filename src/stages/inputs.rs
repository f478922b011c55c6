//! The nets that jobs name, looked at before anything runs: a file whose tensors do not fit must not wait for its turn.

use crate::experiment::file::experiment::Sample;
use crate::experiment::nets::arch::Arch;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::io::checkpoint::Checkpoint;
use crate::jobs::inputs::card::card;
use crate::jobs::inputs::distilled;
use crate::jobs::inputs::pinned::Pinned;
use crate::jobs::job::Job;
use crate::jobs::net::Net;
use crate::jobs::sample::SampleJob;
use crate::stages::describe::{extract, inception};
use crate::stages::draw::degraded::Degraded;
use crate::stages::weights;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;

/// What was looked at, so that cells that share a net look at it once.
#[derive(Default)]
pub struct Looked {
    nets: Vec<(Net, Arch, Option<usize>)>,
    features: Vec<(PathBuf, String)>,
    /// What is worth saying, each once.
    pub notes: Vec<String>,
}

impl Looked {
    /// Compares names and shapes of what `job` reads with its nets. What is not fetched yet, or is trained by the sweep, is
    /// passed over.
    ///
    /// # Errors
    /// A file that is no checkpoint, or whose tensors are not the net's.
    pub fn at(&mut self, job: &Job) -> Result<()> {
        match job {
            Job::Sample(job) => {
                self.net("model.checkpoint", &job.net)?;
                self.distilled("sample", &job.net, &job.sample)?;
                self.attention(job)?;
                match job.guidance.as_ref().and_then(|g| g.net.as_ref()) {
                    Some(net) => self.net("guidance.checkpoint", net),
                    None => Ok(()),
                }
            }
            Job::Upsample(job) => {
                self.net("upsample.checkpoint", &job.net)?;
                self.distilled("upsample", &job.net, &job.sample)
            }
            Job::Features(job) => self.features(&job.weights, &job.world),
            Job::Train(_)
            | Job::Metrics(_)
            | Job::CommandTrain(_)
            | Job::CommandSample(_)
            | Job::CommandMetrics(_)
            | Job::Adopted(_) => Ok(()),
        }
    }

    fn net(&mut self, key: &str, net: &Net) -> Result<()> {
        let file = net.file().filter(|file| file.absent().is_none());
        let (Some(file), None) = (file, self.known(net)) else {
            return Ok(());
        };
        let known = weights::look(&file.path, &net.model).context(key.to_string())?;
        self.note(key, &known.fitting.prefix);
        self.nets.push((net.clone(), known.arch, known.distilled));
        Ok(())
    }

    /// A net whose file was looked at, and the one number of DDIM steps that it was distilled for.
    fn known(&self, net: &Net) -> Option<(&Arch, Option<usize>)> {
        let mut known = self.nets.iter();
        let (_, arch, distilled) = known.find(|(known, ..)| known == net)?;
        Some((arch, *distilled))
    }

    /// That `sample`, of `table`, draws as its net was distilled.
    fn distilled(&self, table: &str, net: &Net, sample: &Sample) -> Result<()> {
        let steps = self.known(net).and_then(|(_, distilled)| distilled);
        distilled::draws(table, sample, steps)
    }

    /// That the sampled net has the attention blocks by which it is guided.
    fn attention(&self, job: &SampleJob) -> Result<()> {
        let Some(guidance) = &job.guidance else {
            return Ok(());
        };
        if let Some((arch, _)) = self.known(&job.net) {
            Degraded::of(&guidance.rule, arch)?;
        } else if let Ok((arch, _)) = resolve(&job.net.model, None) {
            Degraded::of(&guidance.rule, &arch)?;
        }
        Ok(())
    }

    fn features(&mut self, file: &Pinned, world: &str) -> Result<()> {
        let looked = (file.path.clone(), world.to_string());
        if file.absent().is_some() || self.features.contains(&looked) {
            return Ok(());
        }
        let prefix = feature_net(file, world).context("eval.weights")?;
        self.note("eval.weights", &prefix);
        self.features.push(looked);
        Ok(())
    }

    fn note(&mut self, key: &str, prefix: &str) {
        let note = format!("{key}: all names begin with `{prefix}`, which is passed over");
        if !prefix.is_empty() && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The prefix of the names in a feature net's file, which must hold the net of `world`.
fn feature_net(file: &Pinned, world: &str) -> Result<String> {
    let (path, space) = (&file.path, FeatureSpace::named(world));
    let own = card(&Checkpoint::open(path)?)?.is_some();
    ensure!(
        own != space.is_published(),
        "{} holds another net than {}",
        path.display(),
        space.net
    );
    if own {
        return Ok(weights::look(path, &extract::model())?.fitting.prefix);
    }
    Ok(inception::look(path, None)?.prefix)
}
