//! Which classes a file asks for: names to labels, in the plan as far as it can know them, else when the net is open.

use crate::data::labels::{classes, imagenet};
use crate::diffusion::random::labels::Rule;
use crate::experiment::file::experiment::{Class, ClassRule, Classes, Experiment};
use crate::experiment::nets::resolve::resolve;
use anyhow::{Context, Result, ensure};

/// `sample.classes` with names replaced by labels where the plan knows what they mean, and refused where it knows that
/// they mean nothing: a wrong name must not wait for the net to be loaded.
pub fn in_plan(spec: &Experiment, asked: &Classes) -> Result<Classes> {
    let (Classes::List(list), Some(classes)) = (asked, classes_of(spec)?) else {
        return Ok(asked.clone());
    };
    let label = |class: &Class| {
        let label = match class {
            Class::Index(index) => *index,
            // Another data set's names are in the card of its net, which is not read here.
            Class::Name(_) if classes != imagenet::CLASSES || may_have_card(spec) => {
                return Ok(class.clone());
            }
            Class::Name(name) => imagenet::index(name).context("sample.classes")?,
        };
        ensure!(
            (label as usize) < classes,
            "sample.classes: class {label} is outside 0..={} (the net knows {classes} classes)",
            classes - 1
        );
        Ok(Class::Index(label))
    };
    Ok(Classes::List(
        list.iter().map(label).collect::<Result<_>>()?,
    ))
}

/// How the labels of a net with `classes` classes are given out; `names` are those of its card, if it has any.
pub fn rule(asked: &Classes, names: &[String], classes: usize) -> Result<Rule> {
    Ok(match asked {
        Classes::Rule(ClassRule::Balanced) => Rule::Balanced,
        Classes::Rule(ClassRule::Random) => Rule::Random,
        Classes::List(list) => {
            let label = |class: &Class| match class {
                Class::Index(index) => Ok(*index),
                Class::Name(name) if names.is_empty() && classes == imagenet::CLASSES => {
                    imagenet::index(name).context("sample.classes")
                }
                Class::Name(name) => classes::index(names, name).context("sample.classes"),
            };
            Rule::Cycle(list.iter().map(label).collect::<Result<_>>()?)
        }
    })
}

/// How many classes there are to ask for, where presets say it: the classifier's when one guides, else the net's.
fn classes_of(spec: &Experiment) -> Result<Option<usize>> {
    let guided = spec.guidance.as_ref();
    let guided = guided.filter(|g| g.by_classifier() && !g.is_idle());
    let model = match guided {
        Some(guidance) => guidance.model(),
        None => spec.model.clone(),
    };
    if model.preset.is_none() {
        return Ok(None);
    }
    Ok(resolve(&model, None)?.0.classes())
}

/// Whether the net may have a card, as those have that are trained here: only safetensors files hold one. It says what the
/// classes are called, and on which process the net was trained.
pub fn may_have_card(spec: &Experiment) -> bool {
    let path = spec.model.checkpoint.as_ref();
    path.is_none_or(|path| path.extension().is_some_and(|e| e == "safetensors"))
}
