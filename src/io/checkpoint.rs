//! Checkpoints told apart by their content and opened lazily: names, shapes and metadata first, tensors when asked for.

use crate::io::disk::write_atomic;
use crate::io::pickle::values::Pickle;
use crate::io::safetensors;
use crate::io::stored::{Kind, Stored};
use crate::io::tensorflow::graphdef::{self, Unread};
use crate::io::torch::file;
use crate::io::torch::state_dict::{self, Cure};
use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use half::{bf16, f16};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open checkpoint; cloning shares the file.
#[derive(Clone, Debug)]
pub struct Checkpoint(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: Arc<File>,
    container: &'static str,
    tensors: Vec<Stored>,
    places: HashMap<String, usize>,
    shapes: BTreeMap<String, Vec<usize>>,
    metadata: BTreeMap<String, String>,
    unread: Vec<Unread>,
}

impl Checkpoint {
    /// Reads the table of contents of a safetensors file, a torch file (zip, legacy or TorchScript) or a TensorFlow
    /// graph's constants; every tensor is checked to lie in the file, and nothing that the file holds is run.
    pub fn open(path: &Path) -> Result<Checkpoint> {
        Checkpoint::opened(path, None, Cure::Resave(path))
    }

    /// As `open`, of the dictionary that `key` names within a torch file: `ema`, or `a.b` for `b` in `a`; for commands that
    /// take it as `--key`.
    pub fn open_key(path: &Path, key: Option<&str>) -> Result<Checkpoint> {
        Checkpoint::opened(path, key, Cure::Flag)
    }

    fn opened(path: &Path, key: Option<&str>, cure: Cure) -> Result<Checkpoint> {
        let inner = open(path, key, cure).with_context(|| format!("reading {}", path.display()))?;
        Ok(Checkpoint(Arc::new(inner)))
    }

    /// `safetensors`, `torch zip`, `torch legacy`, `TorchScript` or `TensorFlow graph`.
    pub fn container(&self) -> &'static str {
        self.0.container
    }

    /// Names in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.tensors.iter().map(|t| t.name.as_str())
    }

    /// Shapes by name.
    pub fn shapes(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.0.shapes
    }

    /// The element type of a tensor as the file calls it: `F32`, `F16`, ...
    pub fn kind(&self, name: &str) -> Option<&'static str> {
        self.stored(name).map(|t| t.kind.name())
    }

    /// Text that the writer left; safetensors files alone have any.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// What a TensorFlow graph holds beside its tensors, in types that are not read.
    pub fn unread(&self) -> &[Unread] {
        &self.0.unread
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What all names begin with up to a dot, the shortest first: `module.`, `module.net.`; none where they share nothing.
    pub fn prefixes(&self) -> Vec<&str> {
        let shapes = &self.0.shapes;
        let (Some((first, _)), Some((last, _))) =
            (shapes.first_key_value(), shapes.last_key_value())
        else {
            return Vec::new();
        };
        // Names are sorted: what the first and the last share, all do.
        let same = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b);
        let shared = same.count();
        let dots = first.bytes().take(shared).enumerate();
        let ends = dots.filter(|&(_, byte)| byte == b'.').map(|(at, _)| at + 1);
        ends.map(|end| &first[..end]).collect()
    }

    /// The same tensors by what their names say behind one of [`prefixes`](Self::prefixes).
    pub fn behind(&self, prefix: &str) -> Checkpoint {
        let old = &self.0;
        let short = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_string();
        let renamed = |stored: &Stored| Stored {
            name: short(&stored.name),
            ..stored.clone()
        };
        Checkpoint(Arc::new(Inner {
            path: old.path.clone(),
            file: old.file.clone(),
            container: old.container,
            tensors: old.tensors.iter().map(renamed).collect(),
            places: old
                .places
                .iter()
                .map(|(name, &at)| (short(name), at))
                .collect(),
            shapes: old
                .shapes
                .iter()
                .map(|(name, shape)| (short(name), shape.clone()))
                .collect(),
            metadata: old.metadata.clone(),
            unread: old.unread.clone(),
        }))
    }

    /// One tensor as f32, whatever its type in the file.
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Tensor> {
        let path = self.0.path.display();
        let stored = self.stored(name).with_context(|| {
            let other = self.0.unread.iter().find(|unread| unread.name == name);
            other.map_or_else(
                || format!("{path} has no tensor `{name}`"),
                |u| {
                    format!(
                        "{path} has `{name}` as {}, and constants of float are read",
                        u.kind
                    )
                },
            )
        })?;
        let values: Vec<f32> = stored
            .read(&self.0.file)
            .with_context(|| format!("reading {path}"))?;
        Ok(Tensor::from_vec(values, stored.shape.as_slice(), device)?)
    }

    /// All tensors as f32, in the order of the file.
    pub fn tensors(&self, device: &Device) -> Result<Vec<(String, Tensor)>> {
        self.names()
            .map(|name| Ok((name.to_string(), self.tensor(name, device)?)))
            .collect()
    }

    /// Weights for a net, read as it asks for them and cast to `dtype`.
    pub fn var_builder(&self, dtype: DType, device: &Device) -> Result<VarBuilder<'static>> {
        let backend: Box<dyn SimpleBackend> = Box::new(self.clone());
        Ok(VarBuilder::from_backend(backend, dtype, device.clone()))
    }

    fn stored(&self, name: &str) -> Option<&Stored> {
        self.0.places.get(name).map(|&i| &self.0.tensors[i])
    }
}

fn open(path: &Path, key: Option<&str>, cure: Cure) -> Result<Inner> {
    let file = File::open(path)?;
    ensure!(file.metadata()?.is_file(), "it is not a file");
    let mut head = [0u8; 16];
    let length = file.metadata()?.len().min(16) as usize;
    file.read_exact_at(&mut head[..length], 0)?;
    let (container, tensors, metadata, unread) = contents(&file, &head[..length], key, cure)?;
    let mut places = HashMap::new();
    for (i, tensor) in tensors.iter().enumerate() {
        ensure!(
            places.insert(tensor.name.clone(), i).is_none(),
            "tensor `{}` is there twice",
            tensor.name
        );
    }
    let shapes = tensors
        .iter()
        .map(|t| (t.name.clone(), t.shape.clone()))
        .collect();
    Ok(Inner {
        path: path.to_path_buf(),
        file: Arc::new(file),
        container,
        tensors,
        places,
        shapes,
        metadata,
        unread,
    })
}

type Contents = (
    &'static str,
    Vec<Stored>,
    BTreeMap<String, String>,
    Vec<Unread>,
);

/// What the file holds, by the container that its first bytes show.
fn contents(file: &File, head: &[u8], key: Option<&str>, cure: Cure) -> Result<Contents> {
    if let Some(mut opened) = file::open(file, head)? {
        let pickle = Pickle::read(&opened.source)?;
        let tensors = state_dict::tensors(&pickle, key, cure, &mut opened.place)?;
        return Ok((opened.container, tensors, BTreeMap::new(), Vec::new()));
    }
    if let Some(key) = key {
        bail!("key `{key}` is asked, and only torch files have keys");
    }
    if safetensors::recognise(head) {
        let (tensors, metadata) = safetensors::read(file)?;
        return Ok(("safetensors", tensors, metadata, Vec::new()));
    }
    if graphdef::recognise(head) {
        let (tensors, unread) = graphdef::read(file)?;
        return Ok(("TensorFlow graph", tensors, BTreeMap::new(), unread));
    }
    if head.first() == Some(&0x80) {
        bail!(
            "it is a bare pickle, which is no checkpoint\nhint: weights come as .pt, .pth, .safetensors or .pb"
        );
    }
    bail!("it is no checkpoint: safetensors, torch files and TensorFlow graphs are read")
}

impl SimpleBackend for Checkpoint {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            candle_core::bail!(
                "tensor `{name}` is {:?} in {}, the net needs {:?}",
                tensor.dims(),
                self.0.path.display(),
                shape.dims()
            )
        }
        Ok(tensor)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor(name, device)
            .map_err(|e| candle_core::Error::Msg(format!("{e:#}")))?
            .to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.stored(name).is_some()
    }
}

/// Writes a safetensors file, atomically: f32, f16, bf16, f64, i64, u32 or u8 tensors in this order, each in its own
/// type. The same tensors and metadata give the same bytes.
pub fn write(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    // The format wants every tensor aligned to its element: the wide ones first.
    let mut order: Vec<(&str, Kind, &Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), kind(tensor)?, tensor)))
        .collect::<Result<_>>()?;
    order.sort_by_key(|(_, kind, _)| std::cmp::Reverse(kind.size()));
    let described: Vec<(&str, Kind, &[usize])> =
        order.iter().map(|(n, k, t)| (*n, *k, t.dims())).collect();
    let header = safetensors::header(&described, metadata)?;
    write_atomic(path, |out| {
        out.write_all(&header)?;
        for (name, kind, tensor) in order {
            write_tensor(out, kind, tensor).with_context(|| format!("tensor `{name}`"))?;
        }
        Ok(())
    })
}

fn kind(tensor: &Tensor) -> Result<Kind> {
    Ok(match tensor.dtype() {
        DType::F64 => Kind::F64,
        DType::F32 => Kind::F32,
        DType::F16 => Kind::F16,
        DType::BF16 => Kind::BF16,
        DType::I64 => Kind::I64,
        DType::U32 => Kind::U32,
        DType::U8 => Kind::U8,
        other => bail!("tensors of type {other:?} are not written"),
    })
}

fn write_tensor(out: &mut dyn Write, kind: Kind, tensor: &Tensor) -> Result<()> {
    let flat = tensor.flatten_all()?;
    match kind {
        Kind::F64 => write_all(out, flat.to_vec1::<f64>()?, f64::to_le_bytes),
        Kind::F16 => write_all(out, flat.to_vec1::<f16>()?, f16::to_le_bytes),
        Kind::BF16 => write_all(out, flat.to_vec1::<bf16>()?, bf16::to_le_bytes),
        Kind::I64 => write_all(out, flat.to_vec1::<i64>()?, i64::to_le_bytes),
        Kind::U32 => write_all(out, flat.to_vec1::<u32>()?, u32::to_le_bytes),
        Kind::U8 => Ok(out.write_all(&flat.to_vec1::<u8>()?)?),
        _ => write_all(out, flat.to_vec1::<f32>()?, f32::to_le_bytes),
    }
}

fn write_all<T: Copy, const N: usize>(
    out: &mut dyn Write,
    values: Vec<T>,
    bytes: impl Fn(T) -> [u8; N],
) -> Result<()> {
    for chunk in values.chunks(1 << 16) {
        let block: Vec<u8> = chunk.iter().flat_map(|&v| bytes(v)).collect();
        out.write_all(&block)?;
    }
    Ok(())
}
