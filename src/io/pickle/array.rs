//! NumPy arrays and scalars as they lie in pickles: protocol 2's bytes within text, plain bytes, and protocol 5's buffers.

use crate::io::numpy::npy::{self, Header};
use crate::io::numpy::npz::Array;
use crate::io::pickle::values::{Id, Node, Pickle};
use anyhow::{Context, Result, bail, ensure};
use std::borrow::Cow;

/// An array of numbers as f64, row-major; none where the value is no array.
pub fn array(pickle: &Pickle, id: Id) -> Result<Option<Array<Vec<f64>>>> {
    let Node::Made { what, with, state } = pickle.node(id) else {
        return Ok(None);
    };
    let wrong = "a NumPy array is described wrongly";
    // Both forms give shape, type, order and data, in orders of their own.
    let (shape, dtype, fortran, data) = if what.ends_with("._reconstruct") {
        let state = state.context(wrong)?;
        match pickle.sequence(state).context(wrong)? {
            &[_, shape, dtype, fortran, data] => {
                let fortran = matches!(pickle.node(fortran), Node::Bool(true));
                (shape, dtype, fortran, data)
            }
            _ => bail!(wrong),
        }
    } else if what.ends_with("._frombuffer") {
        match pickle.sequence(*with).context(wrong)? {
            &[data, dtype, shape, order] => (shape, dtype, pickle.text(order) == Some("F"), data),
            _ => bail!(wrong),
        }
    } else {
        return Ok(None);
    };
    let shape = pickle.sequence(shape).context(wrong)?;
    let size = |&id: &Id| pickle.int(id).and_then(|v| usize::try_from(v).ok());
    let shape = shape.iter().map(size).collect::<Option<Vec<usize>>>();
    let header = header(pickle, dtype, fortran, shape.context(wrong)?)?;
    let bytes = bytes(pickle, data)?.context(wrong)?;
    let data = numbers(&header, &bytes)?;
    let shape = header.shape;
    Ok(Some(Array { shape, data }))
}

/// An integer, Python's or NumPy's.
pub fn integer(pickle: &Pickle, id: Id) -> Result<Option<i64>> {
    if let Node::Made { what, with, .. } = pickle.node(id)
        && what.ends_with(".scalar")
    {
        let Some(&[dtype, data]) = pickle.sequence(*with) else {
            bail!("a NumPy scalar is described wrongly");
        };
        let header = header(pickle, dtype, false, Vec::new())?;
        let bytes = bytes(pickle, data)?.context("a NumPy scalar has no bytes")?;
        check(&header, &bytes)?;
        return Ok(npy::elements::<i64>(&header, &bytes)?.first().copied());
    }
    Ok(pickle.int(id))
}

/// The header of an array of a pickled `dtype("f8", False, True)` whose state holds the byte order.
fn header(pickle: &Pickle, dtype: Id, fortran: bool, shape: Vec<usize>) -> Result<Header> {
    let wrong = "a NumPy type is described wrongly";
    let Node::Made {
        what: "numpy.dtype",
        with,
        state,
    } = pickle.node(dtype)
    else {
        bail!(wrong);
    };
    let name = pickle.sequence(*with).and_then(|w| w.first().copied());
    let name = name.and_then(|id| pickle.text(id)).context(wrong)?;
    let state = state.and_then(|id| pickle.sequence(id));
    let order = state.and_then(|state| pickle.text(*state.get(1)?));
    npy::described(&format!("{}{name}", order.unwrap_or("|")), fortran, shape)
}

/// Bytes, or the text that stands for them.
fn bytes<'a>(pickle: &Pickle<'a>, id: Id) -> Result<Option<Cow<'a, [u8]>>> {
    Ok(match pickle.node(id) {
        Node::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
        // Python 2 knew no difference.
        Node::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
        Node::Made {
            what: "_codecs.encode",
            with,
            ..
        } => {
            let text = pickle.sequence(*with).and_then(|w| w.first().copied());
            let text = text.and_then(|id| pickle.text(id));
            let text = text.context("bytes are encoded wrongly")?;
            let byte = |c: char| u8::try_from(u32::from(c)).ok();
            let bytes = text.chars().map(byte).collect::<Option<Vec<u8>>>();
            Some(Cow::Owned(bytes.context("bytes are encoded wrongly")?))
        }
        _ => None,
    })
}

fn check(header: &Header, bytes: &[u8]) -> Result<()> {
    ensure!(
        bytes.len() == header.bytes(),
        "an array of shape {:?} takes {} bytes, it has {}",
        header.shape,
        header.bytes(),
        bytes.len()
    );
    Ok(())
}

fn numbers(header: &Header, bytes: &[u8]) -> Result<Vec<f64>> {
    check(header, bytes)?;
    npy::elements(header, bytes)
}
