//! The dictionary of tensors in a torch file's object: the whole, or the part that a key names.

use crate::io::pickle::names::SCRIPTED;
use crate::io::pickle::values::{Id, Node, Pickle};
use crate::io::stored::Stored;
use crate::io::torch::file;
use crate::io::torch::opened::Place;
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// Dictionaries within dictionaries, and values that are visited: a file whose values hold each other has no end.
const DEPTH_LIMIT: usize = 32;
const VISITS_LIMIT: usize = 1 << 20;
/// Keys that one error names.
const NAMED: usize = 12;
/// What trained weights are called beside each other, the best first.
const LIKELY: [&str; 6] = [
    "ema",
    "model_ema",
    "ema_model",
    "state_dict",
    "model",
    "net",
];

/// What helps where tensors lie deeper and no key is given.
#[derive(Clone, Copy, Debug)]
pub enum Cure<'a> {
    /// The command has a flag `--key`.
    Flag,
    /// It has none, and this is the file.
    Resave(&'a Path),
}

impl Cure<'_> {
    fn told(self, key: &str) -> String {
        match self {
            Cure::Flag => format!("pass `--key {key}`"),
            Cure::Resave(path) => format!(
                "save that part alone: `torch.save(torch.load(\"{}\", map_location=\"cpu\")[\"{key}\"], \"{key}.pt\")`",
                path.display()
            ),
        }
    }
}

/// The tensors of the object, or of the dictionary that `key` names (`a.b` for `b` in `a`), in the order of the file.
/// What is no tensor (counters, options) is passed over; where tensors lie deeper, a key is asked for.
pub fn tensors(
    pickle: &Pickle,
    key: Option<&str>,
    cure: Cure,
    place: &mut Place,
) -> Result<Vec<Stored>> {
    let mut walk = Walk {
        pickle,
        cure,
        left: VISITS_LIMIT,
    };
    let top = match key {
        None => pickle.root(),
        Some(key) => match walk.find(pickle.root(), key, 0)? {
            Some(id) => id,
            None => bail!("it has no `{key}`{}", walk.keys_of(pickle.root(), "")?),
        },
    };
    if file::tensor_arguments(pickle, top).is_some() {
        match key {
            Some(key) => bail!("`{key}` is a tensor, not a dictionary of tensors"),
            None => bail!("it is one tensor without a name, not a dictionary of tensors"),
        }
    }
    if key.is_none() && walk.is_optimizer(top)? {
        bail!(
            "it is the state of an optimizer, which holds the moments of a net's parameters by number and no weights\nhint: the weights are saved beside it; guided-diffusion calls them ema_RATE_STEP.pt and modelSTEP.pt"
        );
    }
    let prefix = key.map_or(String::new(), |key| format!("{key}."));
    let mut found = Vec::new();
    if is_record(pickle, top) {
        walk.gather(top, "", 0, &mut found)?
    } else {
        walk.direct(top, &prefix, &mut found)?
    }
    ensure!(
        !found.is_empty(),
        "it holds no tensors{}",
        walk.keys_of(top, &prefix)?
    );
    let stored = found.iter().map(|(name, id)| {
        let arguments = file::tensor_arguments(pickle, *id).unwrap_or_default();
        file::tensor(pickle, name, arguments, place)
    });
    stored.collect()
}

/// A TorchScript object, whose attributes are its parts: its tensors are named by the path to them.
fn is_record(pickle: &Pickle, id: Id) -> bool {
    matches!(pickle.node(id), Node::Made { what, .. } if *what == SCRIPTED)
}

struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    cure: Cure<'p>,
    left: usize,
}

impl Walk<'_, '_> {
    /// The named values of a dictionary or a record; none for anything else.
    fn branches(&mut self, id: Id, depth: usize) -> Result<Vec<(String, Id)>> {
        ensure!(
            depth <= DEPTH_LIMIT,
            "its dictionaries lie more than {DEPTH_LIMIT} deep"
        );
        let dict = match self.pickle.node(id) {
            Node::Dict(items) => items,
            Node::Made {
                what: SCRIPTED | "argparse.Namespace",
                state: Some(state),
                ..
            } => match self.pickle.node(*state) {
                Node::Dict(items) => items,
                _ => return Ok(Vec::new()),
            },
            _ => return Ok(Vec::new()),
        };
        ensure!(
            dict.len() <= self.left,
            "its dictionaries hold more than {VISITS_LIMIT} values"
        );
        self.left -= dict.len();
        let named = dict.iter().filter_map(|&(key, value)| {
            let name = match self.pickle.node(key) {
                Node::Text(text) => text.to_string(),
                Node::Int(number) => number.to_string(),
                _ => return None,
            };
            Some((name, value))
        });
        Ok(named.collect())
    }

    /// What torch's `Optimizer.state_dict` returns.
    fn is_optimizer(&mut self, id: Id) -> Result<bool> {
        let mut names: Vec<String> = self.branches(id, 0)?.into_iter().map(|b| b.0).collect();
        names.sort();
        Ok(names == ["param_groups", "state"])
    }

    /// The value at a dotted path; keys may have dots of their own.
    fn find(&mut self, id: Id, path: &str, depth: usize) -> Result<Option<Id>> {
        for (name, value) in self.branches(id, depth)? {
            let Some(rest) = path.strip_prefix(&name) else {
                continue;
            };
            if rest.is_empty() {
                return Ok(Some(value));
            }
            if let Some(rest) = rest.strip_prefix('.')
                && let Some(found) = self.find(value, rest, depth + 1)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The tensors under a record, named by their paths.
    fn gather(
        &mut self,
        id: Id,
        at: &str,
        depth: usize,
        into: &mut Vec<(String, Id)>,
    ) -> Result<()> {
        for (name, value) in self.branches(id, depth)? {
            let name = format!("{at}{name}");
            match file::tensor_arguments(self.pickle, value) {
                Some(_) => into.push((name, value)),
                None => self.gather(value, &format!("{name}."), depth + 1, into)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, id: Id, depth: usize) -> Result<usize> {
        let mut count = 0;
        for (_, value) in self.branches(id, depth)? {
            count += match file::tensor_arguments(self.pickle, value) {
                Some(_) => 1,
                None => self.count(value, depth + 1)?,
            };
        }
        Ok(count)
    }

    /// The tensors that a dictionary itself holds; an error that lists its keys where some lie deeper.
    fn direct(&mut self, id: Id, prefix: &str, into: &mut Vec<(String, Id)>) -> Result<()> {
        let mut deeper = Vec::new();
        for (name, value) in self.branches(id, 0)? {
            if file::tensor_arguments(self.pickle, value).is_some() {
                into.push((name, value));
            } else if self.count(value, 1)? > 0 {
                deeper.push(name);
            }
        }
        if deeper.is_empty() {
            return Ok(());
        }
        let likely = LIKELY.iter().find(|name| deeper.iter().any(|d| d == *name));
        let likely = likely.map_or(deeper[0].as_str(), |name| name);
        bail!(
            "it holds dictionaries of tensors{}\nhint: {}",
            self.keys_of(id, prefix)?,
            self.cure.told(&format!("{prefix}{likely}"))
        )
    }

    /// `: keys = a (11 tensors), b`, or nothing where there are no keys.
    fn keys_of(&mut self, id: Id, prefix: &str) -> Result<String> {
        let branches = self.branches(id, 0)?;
        let mut named = Vec::new();
        for (name, value) in branches.iter().take(NAMED) {
            let name: String = name.chars().take(80).collect();
            let what = match self.count(*value, 1)? {
                0 if file::tensor_arguments(self.pickle, *value).is_some() => " (a tensor)".into(),
                0 => String::new(),
                n => format!(" ({n} tensors)"),
            };
            named.push(format!("{prefix}{name}{what}"));
        }
        Ok(match branches.len() {
            0 => String::new(),
            n if n > NAMED => format!(": keys = {} and {} more", named.join(", "), n - NAMED),
            _ => format!(": keys = {}", named.join(", ")),
        })
    }
}
