//! The files of a tar archive, and of the tar archives that lie in it.

use crate::data::container::links::{Link, follow, normal};
use crate::data::container::listing::{Listing, Spot, shown};
use crate::data::container::store::Window;
use crate::data::left_out::Reason;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::io::Read;
use tar::{Archive, EntryType};

const BROKEN: &str = "the tar archive is broken\nhint: it may be truncated";

/// Bytes of a member's header.
const HEADER: usize = 512;

/// Whether `head` begins a tar archive: a header that says so, or that has the right check sum, as those of before POSIX.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..HEADER) else {
        return false;
    };
    if &header[257..262] == b"ustar" {
        return true;
    }
    let stored = str::from_utf8(&header[148..156]).ok();
    let stored = stored.map(|text| text.trim_matches([' ', '\0']));
    let stored = stored.and_then(|text| u32::from_str_radix(text, 8).ok());
    // The sum is taken with blanks in its own place.
    let own: u32 = header[148..156].iter().map(|b| u32::from(*b)).sum();
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[0] != 0 && stored == Some(sum - own + 8 * u32::from(b' '))
}

/// Lists the files of a tar. Of a tar in it, as ImageNet has one a class, its files lie in a folder of its name without
/// `.tar`; what is packed once more within that is no picture.
pub(crate) fn list(whole: &Window) -> Result<Listing> {
    let mut outer = members(whole)?;
    let mut inner = Vec::new();
    let mut files = Vec::new();
    for (path, spot) in std::mem::take(&mut outer.files) {
        let stem = path.len().saturating_sub(".tar".len());
        let Spot::Stretch { start, size } = spot else {
            continue;
        };
        let named = path.get(stem..).filter(|e| e.eq_ignore_ascii_case(".tar"));
        if named.is_some() && !outer.hides(&path) {
            // The stretch is told in places of the file, the window in places of the archive.
            let window = whole.within(start - whole.start, size);
            let mut head = Vec::new();
            let head_of = window.clone().take(HEADER as u64).read_to_end(&mut head);
            head_of.with_context(|| format!("reading {path} in it"))?;
            if is_tar(&head) {
                inner.push((path[..stem].to_string(), path, window));
                continue;
            }
        }
        files.push((path, spot));
    }
    outer.files = files;
    for (folder, path, window) in inner {
        let members = members(&window).with_context(|| format!("reading {path} in it"))?;
        outer.extend(&folder, members);
    }
    Ok(outer)
}

/// What a walk over the members of one tar finds.
#[derive(Default)]
struct Found {
    listing: Listing,
    folders: Vec<String>,
    links: Vec<Link>,
    /// Hard links: their path, that of an earlier member, and how many files came before.
    twins: Vec<(String, String, usize)>,
}

/// The files of one tar; `Spot`s are places in the file that it lies in.
fn members(window: &Window) -> Result<Listing> {
    let mut archive = Archive::new(window.clone());
    let mut found = Found::default();
    for entry in archive.entries_with_seek().context(BROKEN)? {
        let entry = entry.context(BROKEN)?;
        let path = shown(&entry.path_bytes());
        let path = path.trim_start_matches("./").to_string();
        let target = entry.link_name_bytes().map(|name| shown(&name));
        let target = target.unwrap_or_default();
        match entry.header().entry_type() {
            EntryType::Directory => found.folders.push(path),
            // Before POSIX a folder was a file whose name ends like one.
            EntryType::Regular if path.ends_with('/') => found.folders.push(path),
            EntryType::Regular | EntryType::Continuous => {
                let (start, size) = (entry.raw_file_position(), entry.size());
                ensure!(
                    start
                        .checked_add(size)
                        .is_some_and(|end| end <= window.length),
                    "{path} reaches beyond the end of the archive\nhint: it may be truncated"
                );
                let start = window.start + start;
                found
                    .listing
                    .files
                    .push((path, Spot::Stretch { start, size }));
            }
            EntryType::Link => {
                let before = found.listing.files.len();
                found.twins.push((path, target, before));
            }
            EntryType::Symlink => found.links.push(Link { path, target }),
            EntryType::GNUSparse => bail!(
                "{path} is packed with holes, which is not read\nhint: pack it again without `--sparse`"
            ),
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                found.listing.leave_out(Reason::Special, &path);
            }
            // Headers of the whole archive, such as its label.
            _ => {}
        }
    }
    found.resolved()
}

impl Found {
    fn resolved(mut self) -> Result<Listing> {
        self.resolve_twins();
        let mut listing = self.listing;
        follow(&mut listing, &self.folders, self.links)?;
        // Of members of one name, the last is what unpacking leaves; the sort keeps their order.
        listing.files.sort_by(|a, b| a.0.cmp(&b.0));
        let mut kept: Vec<(String, Spot)> = Vec::with_capacity(listing.files.len());
        for file in std::mem::take(&mut listing.files) {
            match kept.last_mut().filter(|last| last.0 == file.0) {
                Some(last) => {
                    listing.leave_out(Reason::Replaced, &file.0);
                    *last = file;
                }
                None => kept.push(file),
            }
        }
        listing.files = kept;
        Ok(listing)
    }

    /// Gives hard links what they lead to: the last of the earlier members of that name.
    fn resolve_twins(&mut self) {
        if self.twins.is_empty() {
            return;
        }
        let mut known: HashMap<String, Spot> = HashMap::new();
        let soft = self.links.iter().map(|link| (normal(&link.path), link));
        let soft: HashMap<String, Link> = soft.map(|(path, link)| (path, link.clone())).collect();
        let mut files = std::mem::take(&mut self.listing.files).into_iter();
        let mut all = Vec::with_capacity(files.len() + self.twins.len());
        let mut taken = 0;
        for (path, target, before) in std::mem::take(&mut self.twins) {
            let seen = all.len();
            all.extend(files.by_ref().take(before - taken));
            taken = before;
            for (path, spot) in &all[seen..] {
                let (path, spot): (&String, &Spot) = (path, spot);
                known.insert(normal(path), spot.clone());
            }
            let target = normal(&target);
            if let Some(spot) = known.get(&target).cloned() {
                known.insert(normal(&path), spot.clone());
                all.push((path, spot));
            } else if let Some(link) = soft.get(&target) {
                let target = link.target.clone();
                self.links.push(Link { path, target });
            } else {
                self.listing.leave_out(Reason::Dangling, &path);
            }
        }
        all.extend(files);
        self.listing.files = all;
    }
}
