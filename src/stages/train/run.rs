//! Data to `model.safetensors`: the training loop, killed and resumed at any step without a trace in the weights.

use crate::data::shapes::Stream;
use crate::experiment::nets::arch::{Arch, Card, Process, Task};
use crate::experiment::nets::resolve::resolve;
use crate::jobs::context::{JobContext, Progress, Stopped};
use crate::jobs::files::results;
use crate::jobs::files::results::Kept;
use crate::jobs::train::TrainJob;
use crate::machine::profile::{Operation, span};
use crate::nets::inventory;
use crate::stages::feed::{Batch, Feed};
use crate::stages::train::clusters;
use crate::stages::train::distill::{Distilling, Teacher};
use crate::stages::train::journal::Journal;
use crate::stages::train::kept;
use crate::stages::train::learner::Learner;
use crate::stages::train::microbatch::learn;
use crate::stages::train::optimizer::adamw::{AdamW, learning_rate_of, norm};
use crate::stages::train::optimizer::averages::Kind;
use crate::stages::train::resume;
use crate::stages::train::start_from::{Grown, grow};
use anyhow::{Context, Result, bail};
use candle_core::{DType, Tensor};
use std::time::Instant;

/// Updates between two lines of the log.
const LINE_EVERY: u64 = 50;
/// Sides at which a feature net learns: it must judge all of them alike.
const FEATURE_SIDES: [usize; 3] = [16, 32, 64];

/// A training under way.
struct Run<'a> {
    job: &'a TrainJob,
    context: &'a JobContext<'a>,
    card: Card,
    adamw: AdamW,
    learner: Learner,
    journal: Journal,
    validation: Option<Feed>,
    kept: Vec<Kept>,
    /// Training seconds of earlier, interrupted runs.
    before: f64,
    started: Instant,
}

/// Trains `[model]`; leaves `model.safetensors` (EMA weights, f32), the same of every further EMA, `log.csv`,
/// `checkpoints.json`, the kept checkpoints and the snapshots of power-function averages.
pub fn run(job: &TrainJob, context: &JobContext) -> Result<()> {
    let (arch, process) = resolve(&job.model, None)?;
    let train = &job.train;
    let sides = match &arch {
        Arch::Features(_) => FEATURE_SIDES.to_vec(),
        _ => vec![arch.resolution()],
    };
    let mut feed = Feed::open(train, Stream::Train, &sides)?;
    if matches!(&arch, Arch::Features(a) if a.attributes > 0) {
        feed = feed.with_attributes()?;
    }
    for remark in feed.remarks() {
        context.warn(&remark);
    }
    // Denoisers are judged by what they draw.
    let validates = matches!(arch.task(), Task::Classify | Task::Describe);
    let mut validation = match train.data.as_str() {
        "shapes" if validates => Some(Feed::open(train, Stream::Validation, &sides)?),
        _ => None,
    };
    if let (Some(labels), Some(file)) = (train.labels, &job.label_features) {
        let label = |feed| clusters::labelled(feed, labels, &file.path, sides[0], context);
        feed = label(feed)?;
        validation = validation.map(label).transpose()?;
    }
    let classes = feed.classes();
    check_classes(&arch, &classes)?;
    let mut run = Run::open(job, context, arch, process, classes, validation)?;
    let batches = feed.start(run.adamw.step..train.updates())?;
    while run.adamw.step < train.updates() {
        if context.stopped() {
            run.save()?;
            return Err(Stopped.into());
        }
        let batch = {
            let _span = span(Operation::WaitBatch);
            batches.recv().context("the data thread ended early")??
        };
        run.step(&batch)?;
    }
    run.finish()
}

/// A class-conditional net must know as many classes as the data shows.
fn check_classes(arch: &Arch, classes: &[String]) -> Result<()> {
    match arch.classes() {
        Some(wanted) if classes.is_empty() => bail!(
            "the data has no classes, the net {wanted}\nhint: put the images into one folder a class, or name them CLASS_rest.png, or train a net without classes"
        ),
        Some(wanted) if wanted != classes.len() => bail!(
            "the data has {} classes, the net {wanted}\nhint: set `model.arch.classes = {}`",
            classes.len(),
            classes.len()
        ),
        _ => Ok(()),
    }
}

/// What a training begins with.
struct Fresh {
    /// Of the net, on the device.
    weights: Vec<(String, Tensor)>,
    teacher: Option<Teacher>,
    grown: Option<Grown>,
}

impl Fresh {
    fn open(
        job: &TrainJob,
        context: &JobContext,
        (arch, process): (&Arch, Option<&Process>),
    ) -> Result<Fresh> {
        let device = &context.device;
        let distilled = process.filter(|_| job.train.distill.is_some());
        let teacher = distilled.map(|process| Teacher::open(job, (arch, process), device));
        let teacher = teacher.transpose()?;
        let mut weights = match &teacher {
            Some(teacher) => teacher.weights.clone(),
            None => inventory::initial(arch, job.train.seed)?,
        };
        // A run that goes on restores its own weights, whatever it once started from.
        let start = job.start.as_ref().filter(|_| !resume::begun(&context.out));
        let grown = start.map(|start| grow(&mut weights, arch, &start.path));
        let grown = grown.transpose()?;
        for (_, weight) in &mut weights {
            *weight = weight.to_device(device)?;
        }
        Ok(Fresh {
            weights,
            teacher,
            grown,
        })
    }
}

impl<'a> Run<'a> {
    fn open(
        job: &'a TrainJob,
        context: &'a JobContext<'a>,
        arch: Arch,
        process: Option<Process>,
        classes: Vec<String>,
        validation: Option<Feed>,
    ) -> Result<Self> {
        let train = &job.train;
        resume::set_aside_damaged(&context.out, &|line| context.warn(line))?;
        let Fresh {
            weights,
            teacher,
            grown,
        } = Fresh::open(job, context, (&arch, process.as_ref()))?;
        let mut adamw = AdamW::new(weights, train)?;
        let vb = adamw.builder(&context.device);
        let mut learner = Learner::new(&arch, process.as_ref(), train, vb, teacher)?;
        let timesteps = &mut learner.timesteps;
        let restored = resume::restore(&context.out, &mut adamw, timesteps, &context.device)?;
        if let Some(distilling) = learner.distilling_mut().filter(|_| adamw.step > 0) {
            adamw.began = distilling.go_on(adamw.step, restored.teacher)?.after;
        }
        let log = context.out.join(results::TRAINING_LOG);
        let journal = Journal::open(&log, &learner.columns(), adamw.step)?;
        let kept = kept::until(&context.out, adamw.step)?;
        let (done, all) = (adamw.step, train.updates());
        if done == 0 {
            if let Some(grown) = grown {
                context.log(&grown.to_string());
            }
            context.log(&format!("training for {all} steps of {}", train.batch));
            if let Some(averages) = train.averages() {
                context.log(&format!("averages: {averages}"));
            }
            if let Some(distilling) = learner.distilling() {
                context.log(&distilling.round().to_string());
            }
        } else {
            context.log(&format!("going on from step {done} of {all}"));
        }
        let card = Card {
            arch,
            process,
            classes,
            steps: 0,
            distilled: None,
        };
        Ok(Self {
            job,
            context,
            card,
            adamw,
            learner,
            journal,
            validation,
            kept,
            before: restored.seconds,
            started: Instant::now(),
        })
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Where a round of a distillation has ended, its student teaches the next.
    fn next_round(&mut self) -> Result<()> {
        let done = self.adamw.step;
        if let Some(distilling) = self.learner.distilling_mut()
            && distilling.next(done)
        {
            let weights = self.adamw.ema()?;
            self.adamw.restart(&weights)?;
            let round = distilling.advance(weights)?;
            self.context.log(&round.to_string());
        }
        Ok(())
    }

    /// The updates before those of the round, and the last of them; of a training without rounds, none and all.
    fn course(&self) -> (u64, u64) {
        let round = self.learner.distilling().map(Distilling::round);
        round.map_or((0, self.job.train.steps), |round| {
            (round.after, round.until)
        })
    }

    fn step(&mut self, batch: &Batch) -> Result<()> {
        self.next_round()?;
        let train = &self.job.train;
        let (after, until) = self.course();
        let rate = learning_rate_of(train, self.adamw.step - after, until - after);
        let at = (train, self.adamw.step);
        let (gradients, said) = learn(&self.learner, &self.adamw, at, batch)?;
        self.journal.scalar("learning_rate", rate);
        let line = (self.adamw.step + 1).is_multiple_of(LINE_EVERY) || self.adamw.step + 1 == until;
        if line {
            self.journal.scalar("gradient_norm", norm(&gradients)?);
        }
        {
            let _span = span(Operation::Optimizer);
            self.adamw.update(&gradients, rate)?;
        }
        let terms = said.read(&mut self.learner, train)?;
        terms.iter().for_each(|term| self.journal.add(term));
        let step = self.adamw.step;
        let saving = step.is_multiple_of(train.checkpoint_every);
        if saving {
            self.validate()?;
        }
        if line {
            self.tell();
            self.journal.line(step, self.seconds())?;
        }
        if train.keep.contains(&step) || (step == until && step < train.updates()) {
            self.keep(Some(step))?;
        }
        if train.has_snapshot(step) {
            self.snapshot()?;
        }
        if saving {
            self.save()?;
        }
        Ok(())
    }

    fn tell(&self) {
        let train = &self.job.train;
        let speed = self.adamw.step as f64 * train.batch as f64 / self.seconds().max(1e-3);
        let mut note = format!("{speed:.0} images/s");
        if let Some(distilling) = self.learner.distilling() {
            note = format!("{}  {note}", distilling.round());
        }
        for name in ["loss", "accuracy", "validation_accuracy"] {
            if let Some(value) = self.journal.mean(name) {
                note.push_str(&format!("  {name} {value:.4}"));
            }
        }
        self.context
            .log(&format!("step {}  {note}", self.adamw.step));
        self.context.tell(Progress {
            done: self.adamw.step,
            total: train.updates(),
            unit: "steps",
            note,
        });
    }

    fn validate(&mut self) -> Result<()> {
        let Some(feed) = &mut self.validation else {
            return Ok(());
        };
        for turn in 0..FEATURE_SIDES.len() as u64 {
            let batch = feed.batch(turn)?;
            for term in self.learner.validate(&batch, turn)? {
                self.journal.add(&term);
            }
        }
        Ok(())
    }

    /// What the weights of this step say of themselves.
    fn card_now(&self) -> Card {
        let distilling = self.learner.distilling();
        Card {
            steps: self.adamw.step,
            distilled: distilling.and_then(|distilling| distilling.round().student),
            ..self.card.clone()
        }
    }

    /// Writes every EMA as that of these steps, or as the last.
    fn keep(&mut self, steps: Option<u64>) -> Result<()> {
        let further = self.job.train.ema.all().get(1..).unwrap_or_default();
        self.write(results::weights(None, steps), self.adamw.ema()?)?;
        for &decay in further {
            let weights = self.adamw.average(Kind::Decay(decay))?;
            self.write(results::weights(Some(decay), steps), weights)?;
        }
        Ok(())
    }

    /// Writes the power-function averages.
    fn snapshot(&mut self) -> Result<()> {
        let step = self.adamw.step;
        let power = self.job.train.power_ema.as_ref();
        for &sigma_rel in power.map_or(&[][..], |power| &power.sigma_rel) {
            let weights = self.adamw.average(Kind::Power { sigma_rel })?;
            self.write(results::snapshot(sigma_rel, step), weights)?;
        }
        Ok(())
    }

    /// Writes weights to the file `name` and notes the training seconds they took.
    fn write(&mut self, name: String, weights: Vec<(String, Tensor)>) -> Result<()> {
        let note = Kept {
            file: name,
            steps: self.adamw.step,
            seconds: self.seconds(),
        };
        let (folder, card) = (&self.context.out, self.card_now());
        kept::keep(folder, &mut self.kept, note, &weights, &card)
    }

    /// Writes what a killed run goes on from.
    fn save(&self) -> Result<()> {
        resume::save(
            &self.context.out,
            &self.adamw,
            &self.learner.timesteps,
            self.learner.distilling().map_or(&[], Distilling::teaching),
            self.seconds(),
        )
    }

    fn finish(mut self) -> Result<()> {
        self.keep(None)?;
        resume::remove(&self.context.out)?;
        if let Some(path) = &self.job.train.export {
            let halves = self
                .adamw
                .ema()?
                .into_iter()
                .map(|(name, w)| Ok((name, w.to_dtype(DType::F16)?)));
            kept::write(path, &halves.collect::<Result<Vec<_>>>()?, &self.card_now())?;
            self.context.log(&format!("wrote {}", path.display()));
        }
        Ok(())
    }
}
