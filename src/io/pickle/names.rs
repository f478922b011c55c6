//! The names that a pickle may hold. Anything else is refused, so that a file can ask for nothing.

use anyhow::{Result, bail};

/// The names that may stand in a pickle: what tensors, arrays and their dictionaries are made of.
const ALLOWED: [&str; 54] = [
    "__builtin__.dict",
    "__builtin__.list",
    "__builtin__.set",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.dict",
    "builtins.list",
    "builtins.set",
    "collections.OrderedDict",
    "collections.defaultdict",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.BFloat16Storage",
    "torch.BoolStorage",
    "torch.ByteStorage",
    "torch.CharStorage",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.IntStorage",
    "torch.LongStorage",
    "torch.ShortStorage",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.bfloat16",
    "torch.bool",
    "torch.device",
    "torch.float16",
    "torch.float32",
    "torch.float64",
    "torch.int16",
    "torch.int32",
    "torch.int64",
    "torch.int8",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.storage.UntypedStorage",
    "torch.torch_version.TorchVersion",
    "torch.uint16",
    "torch.uint32",
    "torch.uint8",
];
/// What classes of TorchScript become: their names are the writer's own.
pub const SCRIPTED: &str = "__torch__";

/// The name as the list has it; an error that names it where the list does not.
pub(crate) fn allowed(module: &str, name: &str) -> Result<&'static str> {
    if module == SCRIPTED || module.starts_with("__torch__.") {
        return Ok(SCRIPTED);
    }
    let full = format!("{module}.{name}");
    match ALLOWED.into_iter().find(|allowed| *allowed == full) {
        Some(known) => Ok(known),
        None => bail!(
            "it names `{full}`, which tensors and arrays do not need; nothing of it was run\nhint: save plain tensors, such as a state_dict"
        ),
    }
}
