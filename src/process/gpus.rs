//! The GPUs that commands may be given, found without CUDA: what the user lets this program see, else what `nvidia-smi`
//! lists.

use super::command::{Command, Ended, Stream, run};
use super::environment;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";
const ORDER: &str = "CUDA_DEVICE_ORDER";
/// How long `nvidia-smi` may take; it wakes the driver up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of `nvidia-smi --query-gpu=index,uuid --format=csv,noheader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    pub index: String,
    /// `GPU-` and 32 hexadecimal digits: the same in every container and under every numbering.
    pub uuid: String,
}

/// What to write into CUDA_VISIBLE_DEVICES for each GPU that a command may be given, in order: indices or UUIDs. Asked once
/// a process.
pub fn visible() -> Vec<String> {
    static FOUND: OnceLock<Vec<String>> = OnceLock::new();
    let found = || match variable() {
        // Whoever hides all of them need not be told which there are.
        Some(text) if text.trim().is_empty() => Vec::new(),
        text => among(text.as_deref(), installed()),
    };
    FOUND.get_or_init(found).clone()
}

/// The lock's name of a GPU that [`visible`] names: by its UUID where `nvidia-smi` tells it, since the same index is another
/// card in another container or Slurm job; else by its index.
pub fn lock_name(gpu: &str) -> String {
    name_among(gpu, installed())
}

/// The same of the GPU that CUDA numbers so in this process (`cuda:N`). CUDA puts the fastest first: on a machine of unlike
/// cards it numbers as `nvidia-smi` does only with CUDA_DEVICE_ORDER=PCI_BUS_ID.
pub fn lock_name_of(ordinal: usize) -> String {
    match visible().get(ordinal) {
        Some(gpu) => lock_name(gpu),
        None => lock_name(&ordinal.to_string()),
    }
}

/// The variables by which a command sees these GPUs of [`visible`] alone.
pub fn environment_of(gpus: &[String]) -> Vec<(OsString, OsString)> {
    let mut variables = vec![(VISIBLE.into(), gpus.join(",").into())];
    match std::env::var_os(ORDER) {
        Some(order) => variables.push((ORDER.into(), order)),
        None if variable().is_none() => variables.push((ORDER.into(), "PCI_BUS_ID".into())),
        None => {}
    }
    variables
}

fn variable() -> Option<String> {
    let value = std::env::var_os(VISIBLE)?;
    Some(value.to_string_lossy().into_owned())
}

/// What of `variable`, the text of CUDA_VISIBLE_DEVICES, names a GPU; without it, the cards by index. As in CUDA, what follows
/// a name that is none is not seen.
pub fn among(variable: Option<&str>, cards: &[Card]) -> Vec<String> {
    let Some(text) = variable else {
        return cards.iter().map(|card| card.index.clone()).collect();
    };
    let is_gpu = |name: &&str| {
        let number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let there = cards.is_empty() || cards.iter().any(|card| card.index == *name);
        number && there || name.starts_with("GPU-") || name.starts_with("MIG-")
    };
    let mut found: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).take_while(is_gpu) {
        if !found.iter().any(|before| before == name) {
            found.push(name.to_string());
        }
    }
    found
}

/// The lock's name of a GPU named by its index, its UUID, or the beginning of its UUID.
pub fn name_among(gpu: &str, cards: &[Card]) -> String {
    let mut fitting = cards
        .iter()
        .filter(|card| card.index == gpu || gpu.starts_with("GPU-") && card.uuid.starts_with(gpu));
    let name = match (fitting.next(), fitting.next()) {
        (Some(card), None) => &card.uuid,
        _ => gpu,
    };
    format!("cuda-{}", name.replace('/', "-"))
}

/// The cards of `nvidia-smi`'s answer; lines that are none are passed over.
pub fn cards(answer: &str) -> Vec<Card> {
    let lines = answer.lines().filter_map(|line| line.split_once(','));
    let cards = lines.map(|(index, uuid)| Card {
        index: index.trim().to_string(),
        uuid: uuid.trim().to_string(),
    });
    let is_card = |card: &Card| card.index.parse::<u32>().is_ok() && card.uuid.starts_with("GPU-");
    cards.filter(is_card).collect()
}

/// What `nvidia-smi` lists; nothing where it is absent, fails or does not answer.
fn installed() -> &'static [Card] {
    static FOUND: OnceLock<Vec<Card>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let (answer, asked) = mpsc::channel();
        // On a thread of its own: a driver that hangs keeps even a killed process, which would be waited for.
        std::thread::spawn(move || answer.send(ask().unwrap_or_default()));
        cards(&asked.recv_timeout(2 * PATIENCE).unwrap_or_default())
    })
}

fn ask() -> Option<String> {
    let argv = [
        "nvidia-smi",
        "--query-gpu=index,uuid",
        "--format=csv,noheader",
    ];
    let command = Command {
        argv: &argv.map(String::from),
        folder: Path::new("/"),
        environment: environment::named(&["*"]),
        keep_open: Vec::new(),
        timeout: Some(PATIENCE),
        grace: Duration::from_secs(1),
        record: None,
    };
    let lines = Mutex::new(String::new());
    let keep = |stream, line: &str| {
        if stream == Stream::Stdout
            && let Ok(mut lines) = lines.lock()
        {
            lines.push_str(line);
            lines.push('\n');
        }
    };
    let finished = run(&command, &keep, &mut || {}, &AtomicBool::new(false)).ok()?;
    (finished.ended == Ended::Exited(0)).then(|| lines.into_inner().ok())?
}
