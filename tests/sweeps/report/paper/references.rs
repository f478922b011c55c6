//! references.bib: an entry a work, with what the texts tell and no more.

use crate::support::program::repository;
use crate::support::reports::{SMALL, parse};
use fidrunner::report::paper::bibliography::{AUTHORS, TITLE, YEAR, bibliography};

/// The bibliography of a study that names these sources, the first by a claim.
fn of(sources: &[&str]) -> String {
    let mut text = SMALL.to_string();
    for (i, source) in sources.iter().enumerate() {
        let source = toml::Value::String(source.to_string());
        text += &if i == 0 {
            format!(
                "[[claim]]\nsource = {source}\nsays = \"c\"\nmetric = \"fd\"\nbetter.sample.steps = 50\nthan.sample.steps = 25\n"
            )
        } else {
            format!(
                "[[published]]\nsource = {source}\nat.sample.steps = {}\nscores = {{ fd = 2.5 }}\n",
                100 + i
            )
        };
    }
    bibliography(&parse(&text))
}

const PROGRAM: &str = "@software{runner_0_1_0,
  author        = {{The runner authors}},
  title         = {{runner: FID evaluation and ablation sweeps for diffusion models}},
  year          = {2026},
  version       = {0.1.0},
}
";

#[test]
fn the_bibliography_is_these_bytes() {
    let found = of(&[
        "Dhariwal and Nichol 2021, arXiv 2105.05233, table 2",
        "Karras et al. 2024, arXiv:2406.02507",
        "arXiv:2105.05233v4, figure 4, section 3",
        "Heusel (2017), doi:10.1000/AB_1",
        "A paper of 100 % {guidance} & more, table 2",
        "https://example.org/a_b?c=1",
        "Kynkäänniemi et al. 2024, @home",
    ]);
    let expected = "% Works that the study small names
% Titles stand in no experiment file: the text of the file stands in their place.

% table 2; figure 4, section 3
@misc{dhariwal2021_2105_05233,
  author        = {Dhariwal and Nichol},
  title         = {{Dhariwal and Nichol 2021, arXiv 2105.05233}},
  year          = {2021},
  eprint        = {2105.05233},
  archivePrefix = {arXiv},
  url           = {https://arxiv.org/abs/2105.05233},
}

@misc{karras2024_2406_02507,
  author        = {Karras and others},
  title         = {{Karras et al. 2024, arXiv:2406.02507}},
  year          = {2024},
  eprint        = {2406.02507},
  archivePrefix = {arXiv},
  url           = {https://arxiv.org/abs/2406.02507},
}

@misc{heusel2017_10_1000_ab_1,
  author        = {Heusel},
  title         = {{Heusel (2017), doi:10.1000/AB\\_1}},
  year          = {2017},
  doi           = {10.1000/ab_1},
  url           = {https://doi.org/10.1000/ab_1},
}

% table 2
@misc{a_paper_of_100_guidance_more,
  title         = {{A paper of 100 \\% \\textbraceleft{}guidance\\textbraceright{} \\& more}},
  howpublished  = {A paper of 100 \\% \\textbraceleft{}guidance\\textbraceright{} \\& more, table 2},
}

@misc{example_org_a_b_c_1,
  title         = {{https://example.org/a\\_b?c=1}},
  url           = {https://example.org/a_b?c=1},
}

@misc{kynkaanniemi2024,
  author        = {Kynkäänniemi and others},
  title         = {{Kynkäänniemi et al. 2024, @home}},
  year          = {2024},
  howpublished  = {Kynkäänniemi et al. 2024, @home},
}

";
    assert_eq!(found, format!("{expected}{PROGRAM}"));
}

#[test]
fn a_study_that_names_nothing_still_names_the_program() {
    assert_eq!(
        of(&[]),
        format!("% Works that the study small names\n\n{PROGRAM}")
    );
}

#[test]
fn two_works_never_share_a_key() {
    let found = of(&[
        "Ho 2020",
        "Ho 2020, another paper",
        "Ho and Salimans 2020, a third",
    ]);
    for key in ["{ho2020,", "{ho2020_2,", "{ho2020_3,"] {
        assert_eq!(found.matches(key).count(), 1, "{key} in {found}");
    }
}

#[test]
fn the_program_is_cited_as_its_citation_file_says() {
    let citation = std::fs::read_to_string(repository("CITATION.cff")).unwrap();
    assert!(citation.contains(&format!("\ntitle: \"{TITLE}\"\n")));
    assert!(citation.contains(&format!("\n  - name: \"{AUTHORS}\"\n")));
    assert!(citation.contains(&format!("\nversion: {}\n", env!("CARGO_PKG_VERSION"))));
    assert!(citation.contains(&format!("\ndate-released: {YEAR}-")));
}
