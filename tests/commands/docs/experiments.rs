//! The TOML of the pages.

use super::pages::all;
use fidrunner::experiment::grid::source::Source;
use fidrunner::experiment::grid::sweep::sweep_of;

#[test]
fn every_toml_block_is_toml_and_every_whole_file_an_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut blocks, mut files) = (0, 0);
    for page in all() {
        for block in page.blocks() {
            if block.language.as_deref() != Some("toml") {
                continue;
            }
            let text = block.lines.join("\n") + "\n";
            let told = format!("{}:\n{text}", page.path.display());
            let table: toml::Table = text.parse().unwrap_or_else(|e| panic!("{told}{e}"));
            blocks += 1;
            if !table.contains_key("name") {
                continue;
            }
            let path = folder.path().join(format!("{blocks}.toml"));
            std::fs::write(&path, &text).unwrap();
            let sweep = Source::read(&path).and_then(|source| sweep_of(source, &[], &[]));
            sweep.unwrap_or_else(|e| panic!("{told}{e:#}"));
            files += 1;
        }
    }
    assert!(
        blocks > 10 && files >= 3,
        "{blocks} blocks, {files} whole files"
    );
}
