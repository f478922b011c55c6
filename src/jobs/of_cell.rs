//! From a cell to its jobs: what of its tables is asked for, in the order in which it runs.

use crate::diffusion::guidance::interval::{settled, within};
use crate::diffusion::process::level::Level;
use crate::diffusion::process::respace::space_timesteps;
use crate::diffusion::samplers::method::Method;
use crate::experiment::catalogue::SCHEME;
use crate::experiment::file::drawing::asked::Asked;
use crate::experiment::file::drawing::rules::{Null, Rule};
use crate::experiment::file::experiment::{
    CommandSample, Eval, Experiment, Guidance, Kind, Model, Sample, Sampling, Steps, Training,
    Upsample,
};
use crate::experiment::grid::paths::{leads_nowhere, looked_in};
use crate::experiment::grid::sweep::Cell;
use crate::experiment::key::Key;
use crate::experiment::nets::resolve::resolve;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::Metric;
use crate::jobs::external::adopted::adopted;
use crate::jobs::external::inputs::plain;
use crate::jobs::external::measure::CommandMetricsJob;
use crate::jobs::external::program::PlannedProgram;
use crate::jobs::external::sample::CommandSampleJob;
use crate::jobs::external::train::CommandTrainJob;
use crate::jobs::features::FeaturesJob;
use crate::jobs::inputs::averages::Chosen;
use crate::jobs::inputs::pinned::{pinned, pinned_reference};
use crate::jobs::inputs::{classes, reference_file, upsampler};
use crate::jobs::job::Job;
use crate::jobs::metrics::MetricsJob;
use crate::jobs::net::{Net, Weights};
use crate::jobs::sample::{PlannedGuidance, SampleJob};
use crate::jobs::stage::Plannable;
use crate::jobs::train::TrainJob;
use crate::jobs::upsample::UpsampleJob;
use anyhow::{Context, Result, bail};
use std::io;

/// The jobs of a cell, in the order in which they run.
///
/// # Errors
/// Where the tables do not fit each other or a file that they name cannot be read, before anything runs.
pub fn jobs_of(cell: &Cell) -> Result<Vec<Job>> {
    planned(cell).map_err(|error| {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
        let missing = causes.any(|cause: &io::Error| cause.kind() == io::ErrorKind::NotFound);
        match looked_in(&cell.folders, cell.shipped.as_deref()) {
            Some(places) if missing && leads_nowhere(&cell.spec) => {
                error.context(format!("a file is missing\nhint: {places}"))
            }
            _ => error,
        }
    })
}

fn planned(cell: &Cell) -> Result<Vec<Job>> {
    let spec = &cell.spec;
    let mut jobs: Vec<Job> = training(cell)?.into_iter().collect();
    let trained = jobs.first().map(Job::key).transpose()?;
    let (samples, count) = match &spec.sample {
        None => return Ok(jobs),
        Some(Sampling::Net(sample)) => {
            jobs.extend(drawing(spec, sample, trained)?);
            (jobs.last(), sample.count)
        }
        Some(Sampling::Command(sample)) => {
            let job = command(cell, sample, trained)?;
            jobs.push(Job::CommandSample(job));
            (jobs.last(), sample.images.count)
        }
        Some(Sampling::Files(files)) => {
            let job = adopted(cell, files)?;
            let count = job.count;
            jobs.push(Job::Adopted(job));
            (jobs.last(), count)
        }
    };
    let samples = samples.context("images are asked for, and no job makes them")?;
    let samples = samples.key()?;
    if let Some(eval) = spec.scores() {
        let (features, metrics) = scoring(eval, samples.clone(), count)?;
        jobs.extend([Job::Features(features), Job::Metrics(metrics)]);
    }
    if let Some(program) = spec.measuring() {
        jobs.push(Job::CommandMetrics(CommandMetricsJob {
            program: PlannedProgram::of("eval", program, cell)?,
            samples,
            count,
        }));
    }
    Ok(jobs)
}

/// What makes the cell's weights.
fn training(cell: &Cell) -> Result<Option<Job>> {
    let spec = &cell.spec;
    Ok(match &spec.train {
        None => None,
        Some(Training::Net(train)) => {
            let job = TrainJob::of_table("train", spec.model.clone(), train)?;
            Some(Job::Train(job))
        }
        Some(Training::Command(train)) => Some(Job::CommandTrain(CommandTrainJob {
            program: PlannedProgram::of("train", &train.program, cell)?,
            seed: train.seed,
        })),
    })
}

/// Images by a net of ours: what trains its classifier, the drawing, and what makes large images of them.
fn drawing(spec: &Experiment, sample: &Sample, trained: Option<Key>) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    check_steps(&sample.steps, spec.timesteps()).context("[sample]")?;
    let mut sample = sample.clone();
    sample.classes = classes::in_plan(spec, &sample.classes)?;
    let guidance = match spec.guidance.as_ref().filter(|g| !g.is_idle()) {
        Some(guidance) => {
            let (net, training) = guide(spec, guidance, trained.as_ref())?;
            jobs.extend(training.map(Job::Train));
            let (rule, share) = on_steps(spec, &sample, guidance.rule())?;
            Some(PlannedGuidance {
                net,
                scale: guidance.weight(),
                share,
                rule,
                dtype: guidance.dtype,
            })
        }
        None => None,
    };
    let base = SampleJob {
        net: sampled_net(spec, trained)?,
        guidance,
        sample,
    };
    let enlarged = spec.upsample.as_ref().filter(|u| !u.is_none());
    let enlarged = enlarged.map(|u| upsample(u, &base)).transpose()?;
    jobs.push(Job::Sample(base));
    jobs.extend(enlarged.map(Job::Upsample));
    Ok(jobs)
}

/// `rule` on the steps of its draw, and the share of the draw's evaluations that it guides, on the process that the file
/// names. Intervals that hold the same steps become one there, so that they share their images.
fn on_steps(spec: &Experiment, sample: &Sample, mut rule: Rule) -> Result<(Rule, f64)> {
    let Some(interval) = rule.interval else {
        return Ok((rule, 1.0));
    };
    let known = resolve(&spec.model, None);
    // A checkpoint is not read for a price: where no preset says its process, every step is counted.
    let Some(process) = known.ok().and_then(|(_, process)| process) else {
        return Ok((rule, 1.0));
    };
    let method = Method::new(sample, &process)?;
    let schedule = method.schedule(&process, &sample.kept())?;
    let (levels, timestep) = (method.levels(&schedule), schedule.clock_of(1));
    let [low, high] = within(interval, &levels, timestep);
    let guided = |level: &&Level| (low..=high).contains(&level.timestep);
    let share = levels.iter().filter(guided).count() as f64 / levels.len() as f64;
    // Nor is it for a key: the card of a file may name another process than the preset, and the file's own form stays.
    if spec.net_train().is_some() || !classes::may_have_card(spec) {
        rule.interval = settled(interval, &levels, timestep);
    }
    Ok((rule, share))
}

/// Images by a program.
fn command(cell: &Cell, sample: &CommandSample, trained: Option<Key>) -> Result<CommandSampleJob> {
    let mut images = sample.images.clone();
    if let Some(pattern) = &mut images.collect {
        *pattern = plain("sample.collect", pattern)?;
    }
    Ok(CommandSampleJob {
        program: PlannedProgram::of("sample", &sample.program, cell)?,
        images,
        elastic: sample.program.is_elastic(),
        training: trained,
        needs_labels: cell.spec.needs_labels(),
    })
}

/// What `[eval]` asks of the first `count` of the stored images `samples`.
fn scoring(eval: &Eval, samples: Key, count: usize) -> Result<(FeaturesJob, MetricsJob)> {
    let weights = pinned("eval.weights", &eval.weights)?;
    let reference = pinned_reference(&eval.reference, eval)?;
    // What is not fetched yet shows what it holds when it is there.
    let absent = eval
        .reference
        .to_str()
        .is_some_and(|p| p.starts_with(SCHEME));
    let space = FeatureSpace::named(&eval.features);
    if space.is_published() && !absent {
        let rules = space.rules(eval.preset).only(&eval.metrics);
        reference_file::check_offer(&eval.reference, &rules)
            .context("eval.metrics and eval.reference")?;
    }
    let features = FeaturesJob {
        samples,
        count,
        world: eval.features.clone(),
        weights: weights.clone(),
        preprocessing: eval.preset.rules().preprocessing,
    };
    // The seconds of training are read from the training's own record.
    let mut metrics = eval.metrics.clone();
    metrics.retain(|metric| *metric != Metric::TrainingSeconds);
    let metrics = MetricsJob {
        features: features.key()?,
        count,
        world: eval.features.clone(),
        weights,
        reference,
        preset: eval.preset,
        metrics,
    };
    Ok((features, metrics))
}

/// That the steps can be kept, while it still costs nothing; a checkpoint that was trained on another number of steps
/// than the file says is only found when it is opened.
fn check_steps(steps: &Steps, timesteps: usize) -> Result<()> {
    if let Steps::Sections(text) = steps {
        space_timesteps(timesteps, text)?;
    }
    Ok(())
}

/// Which weights of `[train]` a table asks for.
fn chosen(spec: &Experiment, asked: Option<Asked>) -> Chosen {
    let chosen = asked.zip(spec.net_train());
    chosen.map_or_else(Chosen::default, |(asked, train)| Chosen::of(&asked, train))
}

fn sampled_net(spec: &Experiment, trained: Option<Key>) -> Result<Net> {
    let weights = match (trained, &spec.model.checkpoint) {
        (Some(key), _) => {
            let steps = spec.drawn_after();
            let asked = spec.net_sample().map(Asked::from);
            let asked = asked.map(|asked| Asked { steps, ..asked });
            Weights::Trained(key, chosen(spec, asked))
        }
        (None, Some(path)) => Weights::File(pinned("model.checkpoint", path)?),
        (None, None) => bail!(
            "[sample] needs weights\nhint: name them with `model.checkpoint = \"...\"`, or make them with a [train] table"
        ),
    };
    let model = spec.drawn_model();
    Ok(Net { model, weights })
}

/// The second stage of a cell, once it is known to fit the first.
fn upsample(upsample: &Upsample, base: &SampleJob) -> Result<UpsampleJob> {
    check_steps(&upsample.steps, upsample.timesteps()).context("[upsample]")?;
    let weights = Weights::File(pinned("upsample.checkpoint", &upsample.checkpoint)?);
    let model = Model {
        kind: Kind::SuperRes,
        preset: upsample.preset.clone(),
        checkpoint: Some(upsample.checkpoint.clone()),
        ..Model::default()
    };
    let net = Net { model, weights };
    upsampler::check(base, &net)?;
    Ok(UpsampleJob {
        net,
        samples: base.key()?,
        sample: upsample.drawn(&base.sample),
    })
}

/// The classifier or the second net of a cell, and what trains it where no file holds it; no net where the sampled one
/// gives both answers.
fn guide(
    spec: &Experiment,
    guidance: &Guidance,
    trained: Option<&Key>,
) -> Result<(Option<Net>, Option<TrainJob>)> {
    let own = guidance.null().is_some_and(|null| null != Null::Net);
    if own || guidance.method.by_attention() {
        return Ok((None, None));
    }
    let mut model = guidance.model();
    let (weights, training) = match (&guidance.train, &guidance.checkpoint, trained) {
        (Some(train), ..) => {
            let job = TrainJob::of_table("guidance.train", model.clone(), train)?;
            let chosen = Chosen::of(&guidance.into(), train);
            (Weights::Trained(job.key()?, chosen), Some(job))
        }
        (None, Some(path), _) => (Weights::File(pinned("guidance.checkpoint", path)?), None),
        (None, None, Some(key)) if guidance.is_of_train() => {
            model = spec.drawn_model();
            let chosen = chosen(spec, Some(guidance.into()));
            (Weights::Trained(key.clone(), chosen), None)
        }
        (None, None, _) => bail!(
            "[guidance] needs weights\nhint: name them with `guidance.checkpoint = \"...\"`, or make them with a table [guidance.train]"
        ),
    };
    Ok((Some(Net { model, weights }), training))
}
