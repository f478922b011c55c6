//! `runner export`: the images of one cell as one npz, such as guided-diffusion's scripts write and read.

use crate::cli::open::{Choice, open};
use crate::cli::screen::terminal::{out, thousands};
use crate::jobs::files::export::export;
use crate::jobs::stage::Stage;
use crate::run::damage::found::{Depth, all};
use crate::run::plan::{Item, Plan};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
#[command(after_long_help = "\
The npz is as guided-diffusion's scripts write theirs: `arr_0` u8 [n, height, width, 3], `arr_1` int64 [n] the labels. Its
evaluator.py, its super_res_sample.py (--base_samples) and `runner score` read it.

Examples:
  runner export experiments/guidance.toml 0 --out samples.npz

  # The first 100 images of one slice
  runner export experiments/guidance.toml --only model.resolution=16 --only guidance.scale=1 --set sample.count=100

  # The small images that an upsampler started from
  runner export experiments/upsample.toml 1 --stage sample")]
pub struct ExportArgs {
    #[command(flatten)]
    pub choice: Choice,
    /// The number of the cell, where there are several
    #[arg(value_name = "CELL")]
    pub cell: Option<usize>,
    /// The npz to write [default: NAME-cellCELL.npz]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Whose images: sample or upsample [default: the last that the cell has]
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
}

/// The stages that make images.
const MAKERS: [Stage; 2] = [Stage::Sample, Stage::Upsample];

pub fn run(args: &ExportArgs, store: &Path) -> Result<u8> {
    let opened = open(&args.choice, store, None)?;
    let file = args.choice.file.display();
    let plan = &opened.plan;
    let n = chosen(plan, args).with_context(|| file.to_string())?;
    let (cell, item) = (&plan.cells[n], images_of(plan, n, args)?);
    let stage = item.job.stage();
    let stands = || format!("{file}: cell {} {}", cell.index, cell.label());
    let count = item.job.wanted().count.unwrap_or_default() as u64;
    let folder = opened.store.folder(stage, &item.key);
    let damaged = all(&folder, Depth::All)?;
    ensure!(
        damaged.is_empty(),
        "{}: {}\nhint: that is done by `runner sweep {file} --until {stage}`",
        stands().trim_end(),
        damaged.join("; ")
    );
    ensure!(
        item.state.stored(),
        "{}: its {} images are not all there\nhint: make them with `runner sweep {file} --until {stage}`, or take fewer with `--set sample.count=N`",
        stands().trim_end(),
        thousands(count)
    );
    let written = |path: &Path| export(&folder, count, path).with_context(stands);
    let (path, [n, h, w, _]) = match &args.out {
        Some(path) => (path.clone(), written(path)?),
        None => {
            let path = PathBuf::from(format!("{}-cell{}.npz", opened.sweep.name, cell.index));
            let shape = written(&path)?;
            (path, shape)
        }
    };
    out(&format!(
        "{}: {} images of {w} by {h} pixels and their labels, cell {} {} ({stage} {})",
        path.display(),
        thousands(n as u64),
        cell.index,
        cell.label(),
        item.key
    ))?;
    Ok(0)
}

/// The position of the cell that is meant: the one that is named, or the only one.
fn chosen(plan: &Plan, args: &ExportArgs) -> Result<usize> {
    let all = || {
        let lines = plan
            .cells
            .iter()
            .map(|c| format!("{} ({})", c.index, c.label()));
        lines.collect::<Vec<_>>().join(", ")
    };
    match (args.cell, plan.cells.len()) {
        (Some(index), _) => {
            let found = plan.cells.iter().position(|cell| cell.index == index);
            found.with_context(|| format!("there is no cell {index}; the cells are {}", all()))
        }
        (None, 1) => Ok(0),
        (None, count) => bail!(
            "it has {count} cells, and a file holds the images of one: {}\nhint: name it, as in `runner export {} {}`",
            all(),
            args.choice.file.display(),
            plan.cells.first().map_or(0, |cell| cell.index)
        ),
    }
}

/// The job whose images are asked: the last that makes any, or the one of `--stage`.
fn images_of<'a>(plan: &'a Plan, n: usize, args: &ExportArgs) -> Result<&'a Item> {
    let asked = args.stage.as_deref();
    let stage = asked.map(|name| {
        let maker = MAKERS.into_iter().find(|stage| stage.name() == name);
        maker.with_context(|| format!("--stage {name} makes no images; sample and upsample do"))
    });
    let stage = stage.transpose()?;
    let mut items = plan.of_cell[n].iter().map(|&at| &plan.items[at]);
    let found = items.rfind(|item| match stage {
        Some(stage) => item.job.stage() == stage,
        None => MAKERS.contains(&item.job.stage()),
    });
    found.with_context(|| {
        let stage = asked.map_or(String::new(), |stage| format!(" of stage {stage}"));
        format!(
            "{}: cell {} makes no images{stage}",
            args.choice.file.display(),
            plan.cells[n].index
        )
    })
}
