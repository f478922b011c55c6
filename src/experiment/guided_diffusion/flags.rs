//! guided-diffusion's command lines: which flags there are, and their values as its `argparse` reads them.

use crate::experiment::guided_diffusion::command_line::CommandLine;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// Flag and default of the sampling scripts: `model_and_diffusion_defaults`, `classifier_defaults`, the scripts' own.
pub const FLAGS: [(&str, &str); 40] = [
    ("image_size", "64"),
    ("num_channels", "128"),
    ("num_res_blocks", "2"),
    ("num_heads", "4"),
    ("num_heads_upsample", "-1"),
    ("num_head_channels", "-1"),
    ("attention_resolutions", "16,8"),
    ("channel_mult", ""),
    ("dropout", "0.0"),
    ("class_cond", "False"),
    ("use_checkpoint", "False"),
    ("use_scale_shift_norm", "True"),
    ("resblock_updown", "False"),
    ("use_fp16", "False"),
    ("use_new_attention_order", "False"),
    ("learn_sigma", "False"),
    ("diffusion_steps", "1000"),
    ("noise_schedule", "linear"),
    ("timestep_respacing", ""),
    ("use_kl", "False"),
    ("predict_xstart", "False"),
    ("rescale_timesteps", "False"),
    ("rescale_learned_sigmas", "False"),
    ("classifier_use_fp16", "False"),
    ("classifier_width", "128"),
    ("classifier_depth", "2"),
    ("classifier_attention_resolutions", "32,16,8"),
    ("classifier_use_scale_shift_norm", "True"),
    ("classifier_resblock_updown", "True"),
    ("classifier_pool", "attention"),
    ("clip_denoised", "True"),
    ("num_samples", "10000"),
    ("batch_size", "16"),
    ("use_ddim", "False"),
    ("model_path", ""),
    ("classifier_path", ""),
    ("classifier_scale", "1.0"),
    ("base_samples", ""),
    ("large_size", "256"),
    ("small_size", "64"),
];

/// Flags of the training scripts and of `image_nll`.
pub const TRAINING: [&str; 16] = [
    "data_dir",
    "schedule_sampler",
    "lr",
    "weight_decay",
    "lr_anneal_steps",
    "microbatch",
    "ema_rate",
    "log_interval",
    "save_interval",
    "resume_checkpoint",
    "fp16_scale_growth",
    "val_data_dir",
    "noised",
    "iterations",
    "anneal_lr",
    "eval_interval",
];

/// A command line's flags; what is not given has its default.
pub struct Flags {
    given: BTreeMap<&'static str, String>,
    launcher: Option<String>,
}

impl Flags {
    /// `--name value` or `--name=value`, the last of a name winning. What starts the script, such as `torchrun
    /// --nproc_per_node 8 scripts/image_sample.py`, says nothing that the flags do not.
    pub fn read(text: &str) -> Result<Flags> {
        let mut given = BTreeMap::new();
        let line = CommandLine::read(text)?;
        let launcher = line.launcher();
        let mut words = line.arguments.into_iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--") else {
                bail!("`{word}` follows no flag\nhint: flags are read as `--name value`");
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_string()),
                None => {
                    let value = words.next();
                    (
                        flag,
                        value.with_context(|| format!("--{flag} has no value"))?,
                    )
                }
            };
            given.insert(known(name)?, value);
        }
        Ok(Flags { given, launcher })
    }

    /// What starts the script, where it is more than Python.
    pub fn launcher(&self) -> Option<&str> {
        self.launcher.as_deref()
    }

    /// Whether the command line says it.
    pub fn given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    pub fn text(&self, name: &str) -> &str {
        let default = || FLAGS.iter().find(|(flag, _)| *flag == name);
        match self.given.get(name) {
            Some(value) => value,
            None => default().map_or("", |(_, value)| value),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool> {
        let text = self.text(name);
        match text.to_lowercase().as_str() {
            "yes" | "true" | "t" | "y" | "1" => Ok(true),
            "no" | "false" | "f" | "n" | "0" => Ok(false),
            _ => bail!("--{name} {text} is neither True nor False"),
        }
    }

    /// A whole number from `least` up.
    pub fn count(&self, name: &str, least: usize) -> Result<usize> {
        let text = self.text(name);
        let number = text.parse().ok().filter(|n: &usize| *n >= least);
        number.with_context(|| format!("--{name} {text} is not a whole number from {least} up"))
    }

    /// None for upstream's -1.
    pub fn maybe_count(&self, name: &str) -> Result<Option<usize>> {
        match self.text(name) {
            "-1" => Ok(None),
            _ => self.count(name, 1).map(Some),
        }
    }

    pub fn number(&self, name: &str) -> Result<f64> {
        let text = self.text(name);
        let number = text.parse().ok().filter(|x: &f64| x.is_finite());
        number.with_context(|| format!("--{name} {text} is not a number"))
    }

    /// `32,16,8`
    pub fn list(&self, name: &str) -> Result<Vec<usize>> {
        let text = self.text(name);
        let numbers = text.split(',').map(|part| part.trim().parse().ok());
        let numbers: Option<Vec<usize>> = numbers.collect();
        numbers.with_context(|| format!("--{name} {text} is not a list such as 32,16,8"))
    }
}

/// The flag of this name; an unknown one gets its nearest.
fn known(name: &str) -> Result<&'static str> {
    if let Some((flag, _)) = FLAGS.iter().find(|(flag, _)| *flag == name) {
        return Ok(flag);
    }
    ensure!(
        !TRAINING.contains(&name),
        "--{name} is a flag of training, and only the sampling scripts' command lines are read\nhint: training has a table of its own, [train]"
    );
    let near = FLAGS
        .iter()
        .min_by_key(|(flag, _)| strsim::damerau_levenshtein(flag, name));
    let near = near.map_or("", |(flag, _)| flag);
    bail!("guided-diffusion has no flag --{name}\nhint: the nearest is --{near}")
}
