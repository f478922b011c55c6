//! Completions and manual pages.

use super::{Installed, text};
use crate::help::COMMANDS;

#[test]
fn every_shell_completes_every_command() {
    let installed = Installed::without_files();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = installed.runner(&["completions", shell]).succeeds();
        for (command, _) in COMMANDS {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
        for flag in ["only", "reference", "weights"] {
            assert!(script.stdout.contains(flag), "{shell}: --{flag}");
        }
    }
    installed
        .runner(&["completions", "tcsh"])
        .refuses()
        .says("possible values: bash, elvish, fish, powershell, zsh");
}

#[test]
fn every_command_has_a_manual_page() {
    let installed = Installed::without_files();
    let man = ["man", "--out", "share/man1"];
    installed.runner(&man).succeeds().says("share/man1");
    let page = |name: &str| text(&installed.at("work/share/man1").join(name));
    let whole = page("runner.1");
    for (command, about) in COMMANDS {
        assert!(
            whole.contains(&format!("runner\\-{command}(1)")),
            "{command}"
        );
        let page = page(&format!("runner-{command}.1"));
        let page = page.replace("\\*(Aq", "'").replace('\\', "");
        assert!(page.contains(about), "{command}: {page}");
        assert!(page.contains("Examples:"), "{command}");
    }
    installed.write("file", "");
    installed
        .runner(&["man", "--out", "file/man1"])
        .refuses()
        .says("error: --out file/man1: ");
}
