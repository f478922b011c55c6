//! The files of a folder on disk and of all folders below it, links followed.

use crate::data::container::listing::{Listing, Spot, shown};
use crate::data::left_out::Reason;
use anyhow::{Context, Error, Result};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use walkdir::WalkDir;

/// Lists the files of a folder. Nothing below a hidden folder is looked at; what cannot be come to is left out.
pub(crate) fn list(root: &Path) -> Result<Listing> {
    let mut listing = Listing::default();
    let mut walk = WalkDir::new(root).follow_links(true).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let Some(reason) = passed_over(&error) else {
                    return Err(Error::from(error)).context("listing the folder");
                };
                let path = error.path().unwrap_or(root);
                let path = shown(path.strip_prefix(root)?.as_os_str().as_bytes());
                listing.leave_out(reason, &path);
                continue;
            }
        };
        if entry.depth() == 0 {
            continue;
        }
        let inside = entry.path().strip_prefix(root)?;
        let path = shown(inside.as_os_str().as_bytes());
        if entry.file_type().is_dir() {
            if entry.file_name().as_bytes().starts_with(b".") {
                listing.hides(&format!("{path}/"));
                walk.skip_current_dir();
            }
        } else if entry.file_type().is_file() {
            let spot = match inside.to_str() {
                Some(_) => Spot::Path,
                None => Spot::Raw(inside.into()),
            };
            listing.files.push((path, spot));
        } else {
            listing.leave_out(Reason::Special, &path);
        }
    }
    Ok(listing)
}

/// Why a folder's entry that cannot be come to is left out; none where the error is one of the folder itself or of the
/// disk, and its files must not be missed unsaid.
pub(crate) fn passed_over(error: &walkdir::Error) -> Option<Reason> {
    if error.depth() == 0 {
        return None;
    }
    if error.loop_ancestor().is_some() {
        return Some(Reason::Loop);
    }
    let path = error.path()?;
    unopened(error.io_error()?, || path.is_symlink())
}

/// The same of an error of the system.
pub(crate) fn unopened(error: &io::Error, is_link: impl Fn() -> bool) -> Option<Reason> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Some(Reason::Forbidden),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if is_link() => {
            Some(Reason::Dangling)
        }
        _ if error.raw_os_error() == Some(libc::ELOOP) => Some(Reason::Loop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Root may read everything, so the errors are made here.
    #[test]
    fn only_what_is_known_to_be_missing_is_left_out() {
        let of = |error: io::Error, link: bool| unopened(&error, || link);
        let system = io::Error::from_raw_os_error;
        for link in [false, true] {
            assert_eq!(of(system(libc::EACCES), link), Some(Reason::Forbidden));
            assert_eq!(of(system(libc::EPERM), link), Some(Reason::Forbidden));
            assert_eq!(of(system(libc::ELOOP), link), Some(Reason::Loop));
            assert_eq!(of(system(libc::EIO), link), None);
            assert_eq!(of(system(libc::EMFILE), link), None);
        }
        assert_eq!(of(system(libc::ENOENT), true), Some(Reason::Dangling));
        assert_eq!(of(system(libc::ENOTDIR), true), Some(Reason::Dangling));
        assert_eq!(of(system(libc::ENOENT), false), None);
    }
}
