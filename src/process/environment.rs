//! What a command sees of this program's environment unless its file says more.

use std::ffi::OsString;

/// The variables that are passed on where they are set; a name that ends in `*` stands for every variable that begins so.
pub const BASIC: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "PYENV_*",
    "XDG_CACHE_HOME",
];

/// The variables of [`BASIC`] that are set here, by name.
pub fn basic() -> Vec<(OsString, OsString)> {
    only(std::env::vars_os(), &BASIC)
}

/// Those of `names` that are set here, by name; names as in [`BASIC`].
pub fn named<N: AsRef<str>>(names: &[N]) -> Vec<(OsString, OsString)> {
    only(std::env::vars_os(), names)
}

fn only<N: AsRef<str>>(
    all: impl Iterator<Item = (OsString, OsString)>,
    names: &[N],
) -> Vec<(OsString, OsString)> {
    let asked = |variable: &OsString| {
        let variable = variable.as_encoded_bytes();
        names
            .iter()
            .any(|name| match name.as_ref().strip_suffix('*') {
                Some(beginning) => variable.starts_with(beginning.as_bytes()),
                None => variable == name.as_ref().as_bytes(),
            })
    };
    let mut found: Vec<_> = all.filter(|(variable, _)| asked(variable)).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_asked_for_are_passed_on() {
        let all = ["SECRET", "PATH", "LC_ALL", "LC", "PATHS", "LC_TIME"];
        let all = all.map(|name| (OsString::from(name), OsString::from("x")));
        let found = only(all.into_iter(), &BASIC);
        let names: Vec<_> = found.iter().map(|(name, _)| name.to_str()).collect();
        assert_eq!(names, [Some("LC_ALL"), Some("LC_TIME"), Some("PATH")]);
    }
}
