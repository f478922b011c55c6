//! `runner schema`: every key of the experiment file, for editors or for people, on stdout.

use crate::cli::screen::terminal::out;
use crate::experiment::schema::{page, whole};
use anyhow::Result;
use clap::Args;

#[derive(Args, Debug)]
#[command(after_long_help = "\
JSON Schema (draft 7) of the experiment file. Editors that read TOML with Taplo (VS Code's Even
Better TOML, Helix, Zed, Neovim) complete, explain and check keys where a file begins with

  #:schema ./schema.json

and schema.json lies beside it. --markdown prints the same as a page, which is docs/keys.md.

Examples:
  runner schema > schema.json
  runner schema --markdown > keys.md")]
pub struct SchemaArgs {
    /// A page for people in place of the schema
    #[arg(long)]
    pub markdown: bool,
}

pub fn run(args: &SchemaArgs) -> Result<u8> {
    let text = if args.markdown {
        page::page()
    } else {
        whole::text()
    };
    out(text.trim_end())?;
    Ok(0)
}
