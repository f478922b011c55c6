//! A Slurm of one machine: munged, slurmctld and slurmd in a temporary folder, on ports of their own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a test asks of its cluster.
pub struct Asked {
    pub cpus: usize,
    pub nodes: usize,
    pub gpus: usize,
    pub max_array: usize,
    /// Seconds for which ended jobs are remembered.
    pub memory: usize,
    /// More lines of slurm.conf.
    pub lines: &'static str,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            cpus: 4,
            nodes: 1,
            gpus: 0,
            max_array: 1001,
            memory: 300,
            lines: "",
        }
    }
}

/// A cluster that runs; dropping it ends every process of it.
pub struct Cluster {
    folder: tempfile::TempDir,
    munged: Child,
    controller: Option<Child>,
    nodes: Vec<Child>,
}

/// Programs and the Debian packages that they come in.
const PROGRAMS: [(&str, &str); 7] = [
    ("munged", "munge"),
    ("slurmctld", "slurmctld"),
    ("slurmd", "slurmd"),
    ("sbatch", "slurm-client"),
    ("squeue", "slurm-client"),
    ("scancel", "slurm-client"),
    ("sinfo", "slurm-client"),
];

fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let mut places = path
        .split(':')
        .map(|folder| Path::new(folder).join(program));
    places.find(|place| place.is_file())
}

/// The first of `count` free ports in a row, below those that the system gives to outgoing calls.
fn free_ports(count: u16) -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let seed = u16::from_le_bytes(tempfile::tempdir().map_or([7, 7], |folder| {
        let name = folder.path().as_os_str().as_encoded_bytes().to_vec();
        [
            name[name.len() - 1] ^ name[name.len() - 3],
            name[name.len() - 2],
        ]
    }));
    let mut first = 20_000 + (seed.wrapping_mul(31)) % 10_000;
    while !(first..first + count).all(free) {
        first = 20_000 + (first + count + 1) % 10_000;
    }
    first
}

impl Cluster {
    /// Starts one and waits until its nodes are idle; None where Slurm is not installed.
    pub fn up(asked: &Asked) -> Option<Cluster> {
        let mut missing: Vec<&str> = PROGRAMS
            .iter()
            .filter(|(program, _)| found(program).is_none())
            .map(|(_, package)| *package)
            .collect();
        missing.dedup();
        if !missing.is_empty() {
            let packages = missing.join(" ");
            println!(
                "skipped: Slurm is not installed (apt-get install --no-install-recommends {packages})"
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["munge", "state", "log", "gpu", "study"] {
            fs::create_dir(at(name)).unwrap();
        }
        let key = at("munge/key");
        fs::write(
            &key,
            [
                fs::read("/proc/sys/kernel/random/uuid").unwrap(),
                vec![7; 100],
            ]
            .concat(),
        )
        .unwrap();
        fs::set_permissions(at("munge"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let mut munged = Command::new(found("munged").unwrap());
        munged.args(["--foreground", "--force", "--num-threads=2"]);
        for (flag, name) in [
            ("key-file", "munge/key"),
            ("socket", "munge/socket"),
            ("pid-file", "munge/pid"),
            ("log-file", "log/munged.log"),
            ("seed-file", "munge/seed"),
        ] {
            munged.arg(format!("--{flag}={}", at(name).display()));
        }
        let munged = quiet(&mut munged).spawn().unwrap();
        wait(Duration::from_secs(10), "munged", || {
            at("munge/socket").exists()
        });
        write_conf(folder.path(), asked);
        let mut cluster = Cluster {
            folder,
            munged,
            controller: None,
            nodes: Vec::new(),
        };
        cluster.start_controller();
        for node in 1..=asked.nodes {
            cluster.start_node(node);
        }
        wait(Duration::from_secs(30), "the nodes", || {
            let states = cluster.slurm("sinfo", &["-h", "-N", "-p", "main", "-o", "%T"]);
            states.lines().filter(|state| *state == "idle").count() == asked.nodes
        });
        Some(cluster)
    }

    /// What of the cluster's folder a name stands for; `study` is for the test's own files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn conf(&self) -> PathBuf {
        self.path("slurm.conf")
    }

    pub fn start_controller(&mut self) {
        let mut command = Command::new(found("slurmctld").unwrap());
        command.args(["-D", "-f"]).arg(self.conf());
        self.controller = Some(quiet(&mut command).spawn().unwrap());
        wait(Duration::from_secs(20), "slurmctld", || {
            self.slurm("scontrol", &["ping"]).contains("is UP")
        });
    }

    /// Kills the controller; what it saved stays.
    pub fn stop_controller(&mut self) {
        let mut controller = self.controller.take().expect("a controller that runs");
        // SAFETY: a signal to a child of this process that is not reaped yet.
        unsafe { libc::kill(controller.id() as i32, libc::SIGTERM) };
        controller.wait().unwrap();
    }

    fn start_node(&mut self, node: usize) {
        let mut command = Command::new(found("slurmd").unwrap());
        command
            .args(["-D", "-N", &format!("n{node}"), "-f"])
            .arg(self.conf());
        self.nodes.push(quiet(&mut command).spawn().unwrap());
    }

    /// Kills the node of this number with all that runs on it.
    pub fn kill_node(&mut self, node: usize) {
        let slurmd = &mut self.nodes[node - 1];
        slurmd.kill().unwrap();
        slurmd.wait().unwrap();
        // Those that watch over jobs work in the folder of the node's log.
        let watching = self.path(&format!("log-n{node}"));
        processes_of(&watching).into_iter().for_each(kill_family);
    }

    /// What one of Slurm's commands prints; empty where it fails.
    pub fn slurm(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(found(program).unwrap());
        let command = command.args(arguments).env("SLURM_CONF", self.conf());
        let output = command.output().unwrap();
        if !output.status.success() {
            return String::new();
        }
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Rows of squeue for what waits or runs: array, task and state.
    pub fn tasks(&self) -> Vec<(String, String, String)> {
        let rows = self.slurm("squeue", &["-h", "-r", "-o", "%F|%K|%T"]);
        let row = |line: &str| {
            let mut fields = line.split('|').map(String::from);
            Some((fields.next()?, fields.next()?, fields.next()?))
        };
        rows.lines().filter_map(row).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self
            .nodes
            .iter_mut()
            .chain(&mut self.controller)
            .chain([&mut self.munged])
        {
            let _ = child.kill();
            let _ = child.wait();
        }
        for pid in processes_of(self.folder.path()) {
            kill_family(pid);
        }
    }
}

/// Processes that work in `folder` or were started with files in it: those of a cluster alone, since the folder is its own.
fn processes_of(folder: &Path) -> Vec<i32> {
    let name = folder.display().to_string();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own = std::process::id() as i32;
    pids.filter(|pid| {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let within = cwd.is_ok_and(|cwd| cwd.starts_with(folder));
        *pid != own && (within || String::from_utf8_lossy(&words).contains(&name))
    })
    .collect()
}

/// Kills a process and what it started; those of a job hang off any thread of its slurmstepd.
fn kill_family(pid: i32) {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let children: Vec<i32> = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    // SAFETY: a signal to a process of this test's own cluster.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    children.into_iter().for_each(kill_family);
}

fn quiet(command: &mut Command) -> &mut Command {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null())
}

/// Whether this version wants to be told that there are no cgroups, as those from 23.11 on do; older ones refuse the word.
fn knows_no_cgroups() -> bool {
    let said = Command::new(found("slurmctld").unwrap())
        .arg("-V")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.split_whitespace().last().unwrap_or_default();
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(23), Some(11))
}

/// Waits until it is so.
#[track_caller]
pub fn wait(limit: Duration, what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < limit, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn write_conf(folder: &Path, asked: &Asked) {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let host = text("/proc/sys/kernel/hostname");
    let host = host.trim().split('.').next().unwrap_or_default();
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    let user = user.trim();
    let at = folder.display();
    let port = free_ports(asked.nodes as u16 + 1);
    let mut conf = format!(
        "ClusterName=test{port}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={at}/munge/socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool-%n
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.%n.pid
SlurmctldLogFile={at}/log/slurmctld.log
SlurmdLogFile={at}/log-%n/slurmd.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={at}/ended.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=64
SlurmdParameters=config_overrides
GresTypes=gpu
MaxArraySize={}
MinJobAge={}
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=2
InactiveLimit=0
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
PriorityType=priority/basic
JobRequeue=1
{}
",
        asked.max_array, asked.memory, asked.lines
    );
    let mut gres = String::new();
    for gpu in 0..asked.gpus {
        let file = folder.join(format!("gpu/{gpu}"));
        symlink("/dev/null", &file).unwrap();
        gres += &format!("Name=gpu File={}\n", file.display());
    }
    fs::write(folder.join("gres.conf"), gres).unwrap();
    let gpus = match asked.gpus {
        0 => String::new(),
        gpus => format!(" Gres=gpu:{gpus}"),
    };
    for node in 1..=asked.nodes {
        for kind in ["spool", "log"] {
            fs::create_dir(folder.join(format!("{kind}-n{node}"))).unwrap();
        }
        conf += &format!(
            "NodeName=n{node} NodeHostname={host} NodeAddr=127.0.0.1 Port={} CPUs={} RealMemory=4096{gpus} State=UNKNOWN\n",
            port as usize + node,
            asked.cpus
        );
    }
    conf += "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP\n";
    fs::write(folder.join("slurm.conf"), conf).unwrap();
    if knows_no_cgroups() {
        fs::write(folder.join("cgroup.conf"), "CgroupPlugin=disabled\n").unwrap();
    }
}
