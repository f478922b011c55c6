//! Symbolic links inside an archive: where each leads, without unpacking anything.

use crate::data::container::listing::{Listing, Spot};
use crate::data::left_out::Reason;
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Links that are gone through one after the other, as many as Linux allows; more are a loop.
const DEEPEST: usize = 40;
/// Bytes of a target, as many as Linux allows a path; a longer one leads nowhere.
pub(crate) const LONGEST: usize = 4096;
/// Files and links that links may lead to, for every member of the archive: folders of links to each other would
/// otherwise lead to more files than any memory holds.
const MOST: usize = 16;

/// A symbolic link: its path in the archive, and where it leads, seen from the folder that it lies in.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub path: String,
    pub target: String,
}

/// Where a link ends.
#[derive(Debug, PartialEq)]
enum End {
    File(Spot),
    /// A folder, by its normal path.
    Folder(String),
    Lost(Reason),
}

/// The archive's members by their normal paths: no empty part, no `.`, no `..`.
struct Members {
    files: BTreeMap<String, Spot>,
    folders: BTreeSet<String>,
    /// With the path as it is shown.
    links: BTreeMap<String, Link>,
}

/// Adds the files that links lead to, under the links' paths; those behind links to folders under paths through these.
/// Links that lead to nothing, out of the archive or round in circles are left out.
pub(crate) fn follow(listing: &mut Listing, folders: &[String], links: Vec<Link>) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let members = Members {
        files: listing
            .files
            .iter()
            .map(|(path, spot)| (normal(path), spot.clone()))
            .collect(),
        folders: folders.iter().map(|path| normal(path)).collect(),
        links: links
            .iter()
            .map(|link| (normal(&link.path), link.clone()))
            .collect(),
    };
    let most = MOST * (members.files.len() + members.links.len());
    let mut walk = Walk {
        members: &members,
        listing,
        left: most,
        through: Vec::new(),
    };
    for link in &links {
        walk.go(&link.path, &normal(&link.path))?;
    }
    Ok(())
}

struct Walk<'a> {
    members: &'a Members,
    listing: &'a mut Listing,
    /// Files and links that may still be come to.
    left: usize,
    /// The normal paths of the links that are gone through at the moment.
    through: Vec<String>,
}

impl Walk<'_> {
    /// Adds what the link at `link` leads to as `path`.
    fn go(&mut self, path: &str, link: &str) -> Result<()> {
        self.count()?;
        if self.listing.hides(path) {
            return Ok(());
        }
        match self.members.end(link) {
            End::File(spot) => self.listing.files.push((path.to_string(), spot)),
            End::Lost(reason) => self.listing.left_out.add(reason, path),
            End::Folder(folder) => {
                self.through.push(link.to_string());
                let around = self.through.iter().any(|link| below(link, &folder));
                if around || self.through.len() > DEEPEST {
                    self.listing.left_out.add(Reason::Loop, path);
                } else {
                    self.enter(path, &folder)?;
                }
                self.through.pop();
            }
        }
        Ok(())
    }

    /// Adds all that lies in `folder` as if it lay in `path`.
    fn enter(&mut self, path: &str, folder: &str) -> Result<()> {
        let members = self.members;
        for (file, spot) in inside(&members.files, folder) {
            self.count()?;
            let path = format!("{path}{}", &file[folder.len()..]);
            self.listing.files.push((path, spot.clone()));
        }
        for (link, _) in inside(&members.links, folder) {
            self.go(&format!("{path}{}", &link[folder.len()..]), link)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        ensure!(
            self.left > 0,
            "its links lead to more than {MOST} times the files that it holds\nhint: pack it without links to folders, with `tar --dereference`"
        );
        self.left -= 1;
        Ok(())
    }
}

impl Members {
    /// Where the link at this normal path ends.
    fn end(&self, link: &str) -> End {
        let Some(first) = self.links.get(link) else {
            return End::Lost(Reason::Dangling);
        };
        let mut here = parent(link).to_string();
        let mut ahead: Vec<&str> = Vec::new();
        let mut target = Some(first.target.as_str());
        let mut links = 0;
        loop {
            if let Some(target) = target.take() {
                links += 1;
                if links > DEEPEST {
                    return End::Lost(Reason::Loop);
                }
                if target.starts_with('/') {
                    return End::Lost(Reason::Outside);
                }
                if target.is_empty() || target.len() > LONGEST {
                    return End::Lost(Reason::Dangling);
                }
                ahead.extend(target.rsplit('/'));
            }
            match ahead.pop() {
                None => break,
                Some("" | ".") => {}
                Some("..") if here.is_empty() => return End::Lost(Reason::Outside),
                Some("..") => here.truncate(parent(&here).len()),
                Some(part) => {
                    let folder = here.len();
                    push(&mut here, part);
                    if let Some(link) = self.links.get(&here) {
                        here.truncate(folder);
                        target = Some(&link.target);
                    }
                }
            }
        }
        if let Some(spot) = self.files.get(&here) {
            return End::File(spot.clone());
        }
        if self.is_folder(&here) {
            return End::Folder(here);
        }
        End::Lost(Reason::Dangling)
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty()
            || self.folders.contains(path)
            || inside(&self.files, path).next().is_some()
            || inside(&self.links, path).next().is_some()
    }
}

/// The members below `folder`, by normal paths.
fn inside<'a, T>(
    members: &'a BTreeMap<String, T>,
    folder: &str,
) -> impl Iterator<Item = (&'a String, &'a T)> {
    let start = match folder {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    let members = members.range((Bound::Included(start.clone()), Bound::Unbounded));
    members.take_while(move |(path, _)| path.starts_with(&start))
}

/// Whether a normal path lies below a folder's.
fn below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The folder of a normal path, without a slash at its end.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn push(path: &mut String, part: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(part);
}

/// A member's path without empty parts and `.`; `..` goes back.
pub(crate) fn normal(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => normal.truncate(parent(&normal).len()),
            part => push(&mut normal, part),
        }
    }
    normal
}
