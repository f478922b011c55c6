//! What a command gets of the environment that `runner` was started in.

use std::ffi::OsString;

/// Variables that a command gets without asking: where programs, people and their files are, which language they speak,
/// and which Python is theirs.
pub const BASIC: [&str; 21] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "PYTHONHOME",
    "PYTHONPATH",
];

/// Those of [`BASIC`] that are set.
pub fn basic() -> Vec<(OsString, OsString)> {
    of(BASIC.iter().copied())
}

/// Those of `names` that are set.
pub fn named(names: &[String]) -> Vec<(OsString, OsString)> {
    of(names.iter().map(String::as_str))
}

fn of<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(OsString, OsString)> {
    names
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
        .collect()
}
