//! What a study found, in one sentence.

use crate::report::findings::overall::findings;
use crate::report::findings::verdicts::{Tested, Verdict};
use crate::report::rows::input::Report;

/// Verdicts in the order in which they are told, and how.
const TOLD: [(Verdict, &str); 5] = [
    (Verdict::Holds, "hold"),
    (Verdict::Contrary, "are contradicted"),
    (Verdict::Bounded, "are ruled out in their size"),
    (Verdict::Undecided, "are not decided"),
    (Verdict::NotMeasured, "were not measured"),
];

/// `Of 5 claims 3 hold (more heads are better; ...) and 2 are not decided (...).`; of a study without claims its first
/// finding, and nothing where it has none.
pub fn brief(report: &Report, claims: &[Tested]) -> Option<String> {
    if claims.is_empty() {
        let found = findings(report);
        return found.summary.into_iter().find(|s| !s.starts_with("Scores"));
    }
    let parts = TOLD.iter().filter_map(|(verdict, word)| {
        let own = claims.iter().filter(|tested| tested.verdict == *verdict);
        let mut says: Vec<&str> = Vec::new();
        let mut count = 0;
        for tested in own {
            count += 1;
            if !says.contains(&tested.says.as_str()) {
                says.push(&tested.says);
            }
        }
        let word = match count {
            0 => return None,
            1 => one(*verdict),
            _ => word,
        };
        Some(format!("{count} {word} ({})", says.join("; ")))
    });
    let parts: Vec<String> = parts.collect();
    let told = match &parts[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => parts.concat(),
    };
    Some(match claims.len() {
        1 => format!("Of one claim {told}."),
        n => format!("Of {n} claims {told}."),
    })
}

fn one(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Contrary => "is contradicted",
        Verdict::Bounded => "is ruled out in its size",
        Verdict::Undecided => "is not decided",
        Verdict::NotMeasured => "was not measured",
    }
}
