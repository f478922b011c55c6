//! The processes that descend from a command, so far as it is sure of each: its group, and those that left the group.
//!
//! A process that makes a group or a session of its own (torchrun's workers do) is known by its parents as long as they
//! live, and then, adopted by this program, by the group or session of a known one, or by a pipe or a device lock of the
//! command that it holds. One that does none of these, a daemon that cut every tie at once, is not found: it may be
//! somebody else's.

use super::system::{self, Adoption, Mark, Own, Signal};
use super::table::{self, Entry};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A process that no other one is mistaken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Process {
    pub pid: i32,
    /// In the kernel's ticks since boot.
    pub born: u64,
}

impl From<&Entry> for Process {
    fn from(entry: &Entry) -> Process {
        Process {
            pid: entry.pid,
            born: entry.born,
        }
    }
}

pub(super) struct Family {
    leader: Process,
    session: i32,
    own: Own,
    /// Those that were seen outside the leader's group.
    outside: BTreeSet<Process>,
    /// Groups and sessions that members made.
    made: BTreeSet<i32>,
    /// What nobody but the command's processes holds open.
    marks: Vec<Mark>,
    /// Held where orphans of the command become children of this program.
    adoption: Option<Adoption>,
    /// The most memory of an adopted process that has ended, in bytes.
    peak_memory: u64,
}

impl Family {
    /// Of a child that was just started as the leader of its group.
    pub fn of_child(leader: i32, marks: Vec<Mark>, adoption: Adoption) -> Family {
        let born = table::entry(leader).map_or(0, |entry| entry.born);
        let leader = Process { pid: leader, born };
        Family {
            marks,
            adoption: Some(adoption),
            ..Family::former(leader, system::own().session, BTreeSet::new())
        }
    }

    /// Of a command that another process started, which is gone.
    pub fn former(leader: Process, session: i32, outside: BTreeSet<Process>) -> Family {
        Family {
            leader,
            session,
            own: system::own(),
            outside,
            made: BTreeSet::new(),
            marks: Vec::new(),
            adoption: None,
            peak_memory: 0,
        }
    }

    pub fn leader(&self) -> Process {
        self.leader
    }

    pub fn outside(&self) -> &BTreeSet<Process> {
        &self.outside
    }

    pub fn peak_memory(&self) -> u64 {
        self.peak_memory
    }

    /// The living members now. Adopted ones that have ended are let go.
    pub fn living(&mut self) -> Vec<Process> {
        if !table::is_shown() {
            let group = system::send(-self.leader.pid, Signal::Probe);
            return group.map(|()| self.leader).into_iter().collect();
        }
        let table = table::all();
        let members = self.members(&table);
        for zombie in members.iter().filter(|member| !member.living) {
            if self.adoption.is_some()
                && zombie.parent == self.own.pid
                && zombie.pid != self.leader.pid
                && let Ok(Some(ended)) = system::reap(zombie.pid)
            {
                self.peak_memory = self.peak_memory.max(ended.peak_memory);
            }
        }
        let living = members.iter().filter(|member| member.living);
        living.map(Process::from).collect()
    }

    fn members(&mut self, table: &[Entry]) -> Vec<Entry> {
        let mut members: BTreeMap<i32, Entry> = BTreeMap::new();
        let own = self.own;
        let others = || table.iter().filter(|entry| entry.pid != own.pid);
        // Of a former command the group's number may be somebody else's by now.
        let reused = table
            .iter()
            .any(|entry| entry.pid == self.leader.pid && entry.born != self.leader.born);
        for entry in others() {
            let in_group = !reused
                && entry.group == self.leader.pid
                && entry.session == self.session
                && entry.born >= self.leader.born;
            if in_group || self.outside.contains(&Process::from(entry)) {
                members.insert(entry.pid, *entry);
            }
        }
        loop {
            let before = members.len();
            for entry in others() {
                if !members.contains_key(&entry.pid) && self.descends(entry, &members) {
                    members.insert(entry.pid, *entry);
                }
            }
            if members.len() == before {
                break;
            }
        }
        let strange = |number: &i32| ![own.group, own.session, self.session].contains(number);
        let numbers = members.values().flat_map(|m| [m.group, m.session]);
        self.made = numbers.filter(strange).collect();
        let outside = members.values().filter(|m| m.group != self.leader.pid);
        self.outside = outside.map(Process::from).collect();
        members.into_values().collect()
    }

    fn descends(&self, entry: &Entry, members: &BTreeMap<i32, Entry>) -> bool {
        let parent = members.get(&entry.parent);
        if parent.is_some_and(|parent| parent.born <= entry.born) {
            return true;
        }
        let adopted = self.adoption.is_some() && entry.parent == self.own.pid;
        adopted
            && (self.made.contains(&entry.group)
                || self.made.contains(&entry.session)
                // A child of this program between fork and exec holds everything, in this program's session.
                || entry.session != self.own.session
                    && entry.living
                    && system::holds(entry.pid, &self.marks))
    }

    /// Sends a signal to every one of `members`, which [`Family::living`] just returned.
    ///
    /// # Errors
    /// Where the system does not let this user send it.
    pub fn send(&self, members: &[Process], signal: Signal) -> Result<()> {
        let in_group = |member: &&Process| !self.outside.contains(member);
        let by_group = self.adoption.is_some() && members.iter().any(|member| in_group(&member));
        let mut sent = Vec::new();
        if by_group {
            sent.push((self.leader.pid, system::send(-self.leader.pid, signal)));
        }
        for member in members.iter().filter(|m| !by_group || !in_group(m)) {
            let there = table::entry(member.pid);
            if there.is_some_and(|entry| entry.born == member.born) {
                sent.push((member.pid, system::send(member.pid, signal)));
            }
        }
        for (pid, result) in sent {
            match result {
                Err(error) if !system::is_gone(&error) => {
                    bail!("process {pid} of the command cannot be ended: {error}")
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// SIGTERM, then SIGKILL to those that are there after a while.
pub(super) struct Ending {
    kill_at: Instant,
}

impl Ending {
    pub fn begin(family: &Family, members: &[Process], grace: Duration) -> Result<Ending> {
        family.send(members, Signal::Terminate)?;
        let now = Instant::now();
        // A grace beyond the clock's end is no end at all; a day is long enough for any program.
        let kill_at = now.checked_add(grace).unwrap_or(now + LONGEST_GRACE);
        Ok(Ending { kill_at })
    }

    /// Kills what is there when the time has come.
    pub fn go_on(&self, family: &Family, members: &[Process]) -> Result<()> {
        if Instant::now() < self.kill_at {
            return Ok(());
        }
        family
            .send(members, Signal::Kill)
            .context("something of the command is left, and may use its device")
    }
}

const LONGEST_GRACE: Duration = Duration::from_secs(86_400);
