//! Where fetched files are, and what `fetch:NAME` stands for.

use crate::cli::screen::terminal::say;
use crate::cli::shipped::share::{share, taken};
use crate::experiment::catalogue::{SCHEME, find};
use crate::experiment::grid::paths::looked_in;
use crate::run::plan::Plan;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where fetched files are.
#[derive(Args, Debug, Clone, Default)]
pub struct Cache {
    /// Where fetched files are kept [default: ~/.cache/runner]
    #[arg(long, value_name = "DIR", env = "RUNNER_CACHE")]
    pub cache: Option<PathBuf>,
}

/// Where fetched files are: `--cache`, RUNNER_CACHE, or the user's cache as XDG has it.
pub fn folder(cache: &Cache) -> Result<PathBuf> {
    if let Some(folder) = &cache.cache {
        return Ok(folder.clone());
    }
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    // A relative XDG_CACHE_HOME is to be passed over.
    let xdg = named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || named("HOME").map(|home| Path::new(&home).join(".cache"));
    let folder = xdg.or_else(home).context(
        "there is neither HOME nor XDG_CACHE_HOME to keep fetched files in\nhint: name a folder with --cache or RUNNER_CACHE",
    )?;
    Ok(folder.join("runner"))
}

/// A path below `~/` in the user's home folder, as a shell has it: behind `=`, and in files, no shell puts it there.
pub fn at_home(path: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => Path::new(&home).join(below),
        _ => path.to_path_buf(),
    }
}

/// The path that `fetch:NAME` or `~/NAME` stands for, or the file that ships where nothing of that name is in the working
/// folder; every other text as it is.
pub fn place(text: &str, cache: &Cache) -> Result<String> {
    let Some(name) = text.strip_prefix(SCHEME) else {
        return Ok(match text.strip_prefix("~/") {
            Some(_) => at_home(Path::new(text)).display().to_string(),
            None => match taken(Path::new(text))? {
                Some(shipped) => shipped.display().to_string(),
                None => text.to_string(),
            },
        });
    };
    let path = folder(cache)?.join(find(name)?.file());
    if !path.exists() {
        refuse_absent(&[name.to_string()])?;
    }
    Ok(path.display().to_string())
}

/// The same of a path.
pub fn place_path(path: &Path, cache: &Cache) -> Result<PathBuf> {
    match path.to_str() {
        Some(text) => Ok(place(text, cache)?.into()),
        None => Ok(path.to_path_buf()),
    }
}

/// The names of Inception's files in the catalogue, the first that is fetched being the one that is taken.
const INCEPTIONS: [&str; 3] = ["inception", "inception-torchscript", "inception-tensorflow"];

/// The feature net of a command that takes one: a path, or what `fetch:NAME` stands for, or, where none is named, the
/// fetched Inception, which is said.
///
/// # Errors
/// Where none is named and none is fetched, or what is named is not there; both with the ways to one.
pub fn weights(named: Option<&Path>, cache: &Cache) -> Result<PathBuf> {
    const CURE: &str = "hint: `runner fetch inception` gets Inception's weights, which are then found by themselves; any other net goes by path, `--weights PATH`, such as experiments/shapes/features.safetensors";
    if let Some(path) = named {
        let path = place_path(path, cache)?;
        let share = share()?.filter(|_| path.is_relative());
        let places = share.map_or(String::new(), |share| {
            format!(" here, nor below {}", share.display())
        });
        ensure!(
            path.is_file(),
            "--weights {}: there is no such file{places}\n{CURE}",
            path.display()
        );
        return Ok(path);
    }
    // Without a home folder there is no cache to look into.
    if let Ok(folder) = folder(cache) {
        for name in INCEPTIONS {
            let path = folder.join(find(name)?.file());
            if path.is_file() {
                say(&format!(
                    "no --weights: fetch:{name} is taken, {}",
                    path.display()
                ));
                return Ok(path);
            }
        }
    }
    bail!(
        "a feature net is needed: neither --weights nor RUNNER_WEIGHTS names one, and no Inception is in the cache\n{CURE}"
    )
}

/// `runner fetch imagenet64 inception`, for what a plan reads and does not find.
pub fn command(names: &[String]) -> String {
    format!("runner fetch {}", names.join(" "))
}

/// A plan cannot be carried out before all that it reads is there.
pub fn refuse_incomplete(plan: &Plan) -> Result<()> {
    if let Some(data) = plan.absent_data().first() {
        let places = plan
            .cells
            .first()
            .and_then(|cell| looked_in(&cell.folders, None));
        let places = places.map_or(String::new(), |places| format!("\nhint: {places}"));
        bail!(
            "train.data = \"{data}\" cannot be read: no such file or folder\nhint: name a folder with one folder a class, or an archive: --set train.data=PATH{places}"
        );
    }
    refuse_absent(&plan.absent())
}

/// What cannot be done before these are in the cache.
fn refuse_absent(names: &[String]) -> Result<()> {
    ensure!(
        names.is_empty(),
        "not in the cache: {}\nhint: {}",
        names.join(", "),
        command(names)
    );
    Ok(())
}
