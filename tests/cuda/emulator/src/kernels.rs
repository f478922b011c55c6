//! Kernels: CUDA sources through a C++ compiler, behind the words of CUDA that the host has.

use crate::counts::count;
use libloading::Library;
use std::collections::HashMap;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The words of CUDA, and what halves are.
const WORDS: &str = include_str!("../../../kernels/device_code/host.hpp");
const MORE_WORDS: &str = include_str!("../include/emulator.hpp");
/// Where the headers are that kernels include by name.
const HEADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
/// What the compiler that stands in for nvcc leaves instead of PTX, before the source's path.
const SOURCE_IS: &str = "// source: ";

type Call = unsafe extern "C" fn(*mut *mut c_void);
type Run = unsafe extern "C" fn(*const [u32; 3], *const [u32; 3], Call, *mut *mut c_void);

/// One kernel.
pub struct Function {
    name: String,
    call: Call,
    run: Run,
}

impl Function {
    /// Runs it for every thread of the grid.
    ///
    /// # Safety
    /// `arguments` are pointers to values of the types that the kernel takes, and its pointers valid for what it does.
    pub unsafe fn launch(&self, grid: [u32; 3], block: [u32; 3], arguments: *mut *mut c_void) {
        /// The threads of a library are global.
        static TURN: Mutex<()> = Mutex::new(());
        count("launches");
        count(&self.name);
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        unsafe { (self.run)(&raw const grid, &raw const block, self.call, arguments) };
    }
}

/// The kernels of one source.
pub struct Module {
    functions: HashMap<String, Function>,
    _library: Library,
}

impl Module {
    /// Of a source, or of what stands for one.
    pub fn of(image: &str) -> Result<Module, String> {
        /// The compiler's files are named by the process.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, folder) = match image.strip_prefix(SOURCE_IS) {
            Some(path) => {
                let path = Path::new(path.trim());
                let text = std::fs::read_to_string(path).map_err(|e| format!("{path:?}: {e}"))?;
                (text, path.parent().map(Path::to_path_buf))
            }
            None => (image.to_string(), None),
        };
        let whole = [WORDS, MORE_WORDS, &text].concat();
        let flat = compiler(folder.as_deref(), &["-E", "-P"], &whole, None)?;
        let names = kernels(&flat);
        let callers: String = names
            .iter()
            .map(|name| {
                format!(
                    "extern \"C\" void emulator_call_{name}(void **a) {{ emulator::call({name}, a); }}\n"
                )
            })
            .collect();
        let made = library(&format!("{flat}\n{callers}"))?;
        // SAFETY: it was made of these sources, and nothing in it runs when it is loaded.
        let library = unsafe { Library::new(&made) }.map_err(|e| e.to_string())?;
        let mut functions = HashMap::new();
        for name in names {
            // SAFETY: the types are those of the callers above, and of emulator.hpp.
            let function = unsafe {
                Function {
                    name: format!("launches of {name}"),
                    call: *library
                        .get::<Call>(format!("emulator_call_{name}").as_bytes())
                        .map_err(|e| e.to_string())?,
                    run: *library
                        .get::<Run>(b"emulator_run")
                        .map_err(|e| e.to_string())?,
                }
            };
            functions.insert(name, function);
        }
        Ok(Module {
            functions,
            _library: library,
        })
    }

    /// The kernel of this name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }
}

/// The names of all kernels of a source without macros.
fn kernels(flat: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in flat.match_indices("extern \"C\"") {
        let rest = flat[at + found.len()..].trim_start();
        let Some((head, _)) = rest.split_once('(') else {
            continue;
        };
        let mut words = head.split_whitespace();
        if let (Some("void"), Some(name), None) = (words.next(), words.next(), words.next())
            && !name.starts_with("emulator_")
            && name != "run_grid"
        {
            names.push(name.to_string());
        }
    }
    names
}

/// The library of a source; one that was made before is taken again.
fn library(source: &str) -> Result<PathBuf, String> {
    let folder =
        std::env::var_os("CUDA_EMULATOR_KERNELS").map_or_else(std::env::temp_dir, PathBuf::from);
    let made = folder.join(format!("cuda-emulator-{:016x}.so", hash(source)));
    if !made.exists() {
        let own = folder.join(format!("cuda-emulator-{}.so", std::process::id()));
        compiler(None, &["-fPIC", "-shared"], source, Some(&own))?;
        // Other processes find a whole library or none.
        std::fs::rename(&own, &made).map_err(|e| format!("{made:?}: {e}"))?;
    }
    Ok(made)
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What the C++ compiler makes of `source`: its output, or the file `to`.
fn compiler(
    folder: Option<&Path>,
    how: &[&str],
    source: &str,
    to: Option<&Path>,
) -> Result<String, String> {
    let mut call = Command::new("c++");
    call.args([
        "-std=c++17",
        "-O2",
        "-ffp-contract=off",
        "-fno-strict-aliasing",
        "-w",
        "-xc++",
    ])
    .arg(format!("-I{HEADERS}"))
    .args(how);
    if let Some(folder) = folder {
        call.arg(format!("-I{}", folder.display()));
    }
    if let Some(to) = to {
        call.arg("-o").arg(to);
    }
    let text = std::env::temp_dir().join(format!("cuda-emulator-{}.cpp", std::process::id()));
    std::fs::write(&text, source).map_err(|e| format!("{text:?}: {e}"))?;
    let output = call.arg(&text).output().map_err(|e| format!("c++: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}
