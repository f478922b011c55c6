//! The ranges of an experiment: every value that parses and still cannot be meant is refused here.

use crate::experiment::catalogue::{self, SCHEME};
use crate::experiment::check::averages::check_asked;
use crate::experiment::check::distill::check_distill;
use crate::experiment::check::guidance::check_guidance;
use crate::experiment::check::nets::{check_model, check_train};
use crate::experiment::check::sampling::{check_sample, check_steps};
use crate::experiment::external::check::{
    check_adopted, check_command_sample, check_command_train, check_measuring,
};
use crate::experiment::file::experiment::{
    Eval, Experiment, Kind, Precision, Sample, Sampling, Upsample,
};
use crate::experiment::nets::arch::Answer;
use crate::experiment::nets::presets;
use crate::experiment::scoring::feature_space::FeatureSpace;
use crate::experiment::scoring::metric::{Metric, Need};
use crate::experiment::scoring::preset::Preset;
use crate::experiment::scoring::rules::FEWEST;
use anyhow::{Context, Result, bail, ensure};

/// T of every released net, and of a net whose file does not say.
const TIMESTEPS: usize = 1000;

impl Experiment {
    /// Everything that can be wrong without reading another file.
    pub fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        check_model(&self.model)?;
        self.check_fetched()?;
        ensure!(
            self.train.is_some() || self.sample.is_some(),
            "there is neither [train] nor [sample], so there is nothing to do"
        );
        if let Some(train) = self.net_train() {
            check_train("train", train)?;
            check_distill(self, train)?;
            ensure!(
                train.labels.is_none() || self.model.kind != Kind::Features,
                "train.labels are clusters of features, and [model] is the net that makes features\nhint: take `labels` and `label_features` out"
            );
            ensure!(
                !train.gradient_checkpointing || self.model.kind != Kind::Features,
                "train.gradient_checkpointing is for nets with residual blocks, and [model] is a feature net\nhint: take it out"
            );
            ensure!(
                train.dtype != Precision::Bf16 || self.model.kind != Kind::Features,
                "train.dtype = \"bf16\" is for nets of ADM's family, and [model] is a feature net\nhint: take it out"
            );
            ensure!(
                self.model.checkpoint.is_none(),
                "[train] starts from fresh weights, so model.checkpoint cannot be set\nhint: take one of the two out"
            );
        }
        check_command_train(self)?;
        ensure!(
            self.guidance.is_none() || self.sample.is_some(),
            "[guidance] needs [sample]"
        );
        match &self.sample {
            Some(Sampling::Net(sample)) => self.check_net_sample(sample)?,
            Some(Sampling::Command(sample)) => check_command_sample(self, sample)?,
            Some(Sampling::Files(files)) => check_adopted(self, files)?,
            None => {}
        }
        if let Some(upsample) = &self.upsample {
            ensure!(self.sample.is_some(), "[upsample] needs [sample]");
            if let Some(sample) = self.net_sample() {
                let answer = preset_answer(upsample.preset.as_deref());
                check_sample("upsample", &upsample.drawn(sample), answer)?;
                check_steps("upsample", &upsample.steps, upsample.timesteps())?;
            }
        }
        if self.eval.is_some() {
            let sample = self.sample.as_ref().context("[eval] needs [sample]")?;
            self.check_evaluation(sample.count())?;
        }
        Ok(())
    }

    /// `[sample]` of a net of ours, and the classifier that guides it.
    fn check_net_sample(&self, sample: &Sample) -> Result<()> {
        if let Some(guidance) = &self.guidance {
            check_guidance(self, guidance, sample)?;
        }
        ensure!(
            self.model.kind == Kind::Unet,
            "[sample] draws from a model of kind \"unet\", not of kind {}{}",
            quoted(self.model.kind),
            match self.model.kind {
                Kind::SuperRes =>
                    "\nhint: name the net in a table [upsample], and in [model] the one whose samples it enlarges",
                _ => "",
            }
        );
        ensure!(
            self.train.is_some() || self.model.checkpoint.is_some(),
            "[sample] needs weights\nhint: name them with `model.checkpoint = \"...\"`, or make them with a [train] table"
        );
        check_asked(&sample.into(), "train", self.net_train())?;
        check_sample("sample", sample, self.answer())?;
        check_steps("sample", &sample.steps, self.timesteps())
    }

    /// `[eval]` of `count` images; none where it is not known yet.
    fn check_evaluation(&self, count: Option<usize>) -> Result<()> {
        if let Some(program) = self.measuring() {
            check_measuring(program)?;
        }
        let Some(eval) = self.scores() else {
            return Ok(());
        };
        check_eval(eval, count)?;
        ensure!(
            self.train.is_some() || !eval.metrics.contains(&Metric::TrainingSeconds),
            "eval.metrics names `training-seconds`, and there is no [train] to take the time of"
        );
        if let Some(labels) = self.net_train().and_then(|train| train.labels) {
            ensure!(
                !self.needs_labels(),
                "eval.metrics names `agreement`, which compares the classes that samples are asked for with those that the feature net knows, and train.labels = \"{labels}\" are others\nhint: leave `agreement` out"
            );
        }
        Ok(())
    }

    /// `fetch:NAME` must name what can be fetched.
    fn check_fetched(&self) -> Result<()> {
        let guide = self.guidance.as_ref().and_then(|g| g.checkpoint.as_ref());
        let eval = self.scores().into_iter().flat_map(|e| {
            [
                ("eval.weights", &e.weights),
                ("eval.reference", &e.reference),
            ]
        });
        let upsample = self.upsample.as_ref().map(|u| &u.checkpoint);
        let labels = self.net_train().and_then(|t| t.label_features.as_ref());
        let distill = self.net_train().and_then(|train| train.distill.as_ref());
        let model = self.model.checkpoint.iter();
        let paths = model
            .map(|path| ("model.checkpoint", path))
            .chain(distill.map(|d| ("train.distill.teacher", &d.teacher)))
            .chain(upsample.map(|path| ("upsample.checkpoint", path)))
            .chain(guide.map(|path| ("guidance.checkpoint", path)))
            .chain(labels.map(|path| ("train.label_features", path)))
            .chain(eval);
        for (key, path) in paths {
            if let Some(name) = path.to_str().and_then(|text| text.strip_prefix(SCHEME)) {
                catalogue::find(name).with_context(|| format!("{key} = \"{SCHEME}{name}\""))?;
            }
        }
        Ok(())
    }

    /// T as far as the file says it.
    pub fn timesteps(&self) -> usize {
        let own = self.model.process.timesteps;
        own.unwrap_or_else(|| preset_timesteps(self.model.preset.as_deref()))
    }

    /// What the net answers, as far as the file says it: a net that is not known yet may have a variance half.
    fn answer(&self) -> Answer {
        match self.model.arch.learn_sigma {
            Some(true) => Answer::MeanAndVariance,
            Some(false) => Answer::Mean,
            None => preset_answer(self.model.preset.as_deref()),
        }
    }
}

impl Upsample {
    /// T of the super-resolution net as far as the file says it.
    pub fn timesteps(&self) -> usize {
        preset_timesteps(self.preset.as_deref())
    }
}

fn preset_timesteps(name: Option<&str>) -> usize {
    let preset = name.and_then(presets::arch);
    preset.map_or(TIMESTEPS, |(_, process)| process.timesteps)
}

fn preset_answer(name: Option<&str>) -> Answer {
    match name.and_then(presets::arch) {
        Some((arch, _)) => arch.answer().unwrap_or(Answer::Mean),
        None => Answer::MeanAndVariance,
    }
}

fn check_name(name: &str) -> Result<()> {
    let good = |c: char| c.is_alphanumeric() || "-_.+ ".contains(c);
    ensure!(
        !name.trim().is_empty() && !name.starts_with('.') && name.chars().all(good),
        "name = {name:?} cannot name a folder of reports; use letters, digits, `-` and `_`"
    );
    Ok(())
}

fn check_eval(eval: &Eval, count: Option<usize>) -> Result<()> {
    ensure!(!eval.metrics.is_empty(), "eval.metrics is an empty list");
    let space = FeatureSpace::named(&eval.features);
    if space.is_published() {
        return check_preset(eval, count);
    }
    ensure!(
        eval.preset.is_default(),
        "eval.preset = \"{}\" is an evaluator's rules for Inception's features, and eval.features = \"{}\"\nhint: leave it out",
        eval.preset,
        eval.features
    );
    let rules = space.rules(eval.preset);
    for &asked in &eval.metrics {
        if asked == Metric::TrainingSeconds || rules.published(asked).is_some() {
            continue;
        }
        let plain = match space.own(asked) {
            own if own != asked => format!("use `{}`", own.id()),
            _ => {
                let has = rules.metrics.iter().map(|(metric, _)| *metric);
                let has = has.filter(|metric| !metric.needs(Need::PixelGaussian));
                let ids: Vec<&str> = has.map(Metric::id).collect();
                let (last, first) = ids.split_last().unwrap_or((&"none", &[]));
                format!("other nets have {} and {last}", first.join(", "))
            }
        };
        bail!(
            "eval.metrics names `{}`, which is measured on Inception's features, and eval.features = \"{}\"\nhint: {plain}",
            asked.id(),
            eval.features
        );
    }
    Ok(())
}

/// What is asked must be what the preset's tool prints.
fn check_preset(eval: &Eval, count: Option<usize>) -> Result<()> {
    if let Some(count) = count {
        ensure!(
            count >= FEWEST,
            "sample.count = {count} is below {FEWEST}, which scores need"
        );
    }
    let space = FeatureSpace::named(&eval.features);
    let has = |preset: Preset, metric: Metric| preset.rules().published(metric).is_some();
    for &asked in &eval.metrics {
        if asked == Metric::TrainingSeconds || has(eval.preset, asked) {
            continue;
        }
        let others = Preset::ALL.into_iter().filter(|p| has(*p, asked));
        let others: Vec<&str> = others.map(Preset::name).collect();
        let own = space.own(asked);
        let hint = if own != asked {
            format!("use `{}`", own.id())
        } else if asked.needs(Need::Labels) {
            "leave it out: Inception's classes are not those that samples are asked for".to_string()
        } else {
            format!("`{}` has it", others.join("`, `"))
        };
        bail!(
            "eval.metrics names `{}`, which preset `{}` does not have; it has {}\nhint: {hint}",
            asked.id(),
            eval.preset,
            eval.preset.rules().ids().join(", ")
        );
    }
    Ok(())
}

fn quoted(kind: Kind) -> String {
    format!("\"{}\"", format!("{kind:?}").to_lowercase())
}
