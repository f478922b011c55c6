//! Where the paths of an experiment file lead: from the working folder, from the file's own, or to what ships with the
//! program.

use crate::experiment::catalogue::SCHEME;
use crate::experiment::file::experiment::{Experiment, Train, Training};
use std::path::{Path, PathBuf};

/// `path` as it is where it is absolute, is `fetch:NAME`, or leads somewhere from the working folder; else from the first
/// of `folders` where something is there; as it is where nothing is.
pub fn found(path: &Path, folders: &[PathBuf]) -> PathBuf {
    if !is_relative(path) || path.exists() {
        return path.to_path_buf();
    }
    let mut places = folders.iter().map(|folder| folder.join(path));
    let there = places.find(|place| place.exists());
    there.unwrap_or_else(|| path.to_path_buf())
}

/// The files that are read for `spec`, each by its key, but `train.data`, which may be a name too.
pub fn files_read(spec: &mut Experiment) -> Vec<(&'static str, &mut PathBuf)> {
    let mut files = Vec::new();
    let model = &mut spec.model.checkpoint;
    files.extend(model.iter_mut().map(|path| ("model.checkpoint", path)));
    if let Some(Training::Net(train)) = &mut spec.train {
        let start = train.start_from.iter_mut();
        files.extend(start.map(|path| ("train.start_from", path)));
        let features = train.label_features.iter_mut();
        files.extend(features.map(|path| ("train.label_features", path)));
        let teacher = train.distill.iter_mut().map(|d| &mut d.teacher);
        files.extend(teacher.map(|path| ("train.distill.teacher", path)));
    }
    if let Some(guidance) = &mut spec.guidance {
        let guide = guidance.checkpoint.iter_mut();
        files.extend(guide.map(|path| ("guidance.checkpoint", path)));
        if let Some(train) = &mut guidance.train {
            let start = train.start_from.iter_mut();
            files.extend(start.map(|path| ("guidance.train.start_from", path)));
            let features = train.label_features.iter_mut();
            files.extend(features.map(|path| ("guidance.train.label_features", path)));
        }
    }
    let upsample = spec.upsample.iter_mut().filter(|u| !u.is_none());
    files.extend(upsample.map(|u| ("upsample.checkpoint", &mut u.checkpoint)));
    let scores = spec.eval.iter_mut().filter_map(|e| e.scores.as_mut());
    for eval in scores {
        files.push(("eval.weights", &mut eval.weights));
        files.push(("eval.reference", &mut eval.reference));
    }
    files
}

/// Every path of `spec` that is read becomes the one that [`found`] gives; nets, weights and references may also be those
/// below `shipped`, the folder of the files that ship with the program.
pub fn locate(spec: &mut Experiment, folders: &[PathBuf], shipped: Option<&Path>) {
    let shipped = shipped.map(Path::to_path_buf);
    let places: Vec<PathBuf> = folders.iter().cloned().chain(shipped).collect();
    for (_, path) in files_read(spec) {
        *path = found(path, &places);
    }
    let guide = spec.guidance.iter_mut().filter_map(|g| g.train.as_mut());
    let own = spec.train.iter_mut().filter_map(|train| match train {
        Training::Net(train) => Some(train),
        Training::Command(_) => None,
    });
    for train in own.chain(guide) {
        if let Some(data) = data_of(train)
            && let Some(path) = found(data, folders).to_str()
        {
            train.data = path.to_string();
        }
    }
}

/// Where relative paths are looked for, in words; none where that is the working folder alone.
pub fn looked_in(folders: &[PathBuf], shipped: Option<&Path>) -> Option<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let folders = folders.iter().map(|folder| here.join(folder));
    let folders: Vec<String> = folders.map(|f| f.display().to_string()).collect();
    let own = (!folders.is_empty())
        .then(|| format!("the experiment file's own, {}", folders.join(", then ")));
    let shipped = shipped.map(|folder| {
        let folder = folder.display();
        format!("the files that ship with the program, {folder}")
    });
    let others: Vec<String> = own.into_iter().chain(shipped).collect();
    (!others.is_empty()).then(|| {
        format!(
            "a relative path is taken from the working folder, {}, and where nothing is there from {}",
            here.display(),
            others.join(", then from ")
        )
    })
}

/// Whether a file that `spec` reads is named by a relative path that leads nowhere.
pub fn leads_nowhere(spec: &Experiment) -> bool {
    let mut spec = spec.clone();
    let files = files_read(&mut spec);
    let mut paths = files.iter().map(|(_, path)| path.as_path());
    paths.any(|path| is_relative(path) && !path.exists())
}

/// The images of a training where they are files.
fn data_of(train: &Train) -> Option<&Path> {
    (train.data != "shapes").then(|| Path::new(&train.data))
}

fn is_relative(path: &Path) -> bool {
    let fetched = path.to_str().is_some_and(|text| text.starts_with(SCHEME));
    path.is_relative() && !fetched
}
