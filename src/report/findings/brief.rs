//! What a study found, in one sentence.

use crate::report::findings::overall::Findings;
use crate::report::findings::verdicts::{Tested, Verdict};

/// Verdicts in the order in which they are told, and how of one claim and of several.
const TOLD: [(Verdict, &str, &str); 5] = [
    (Verdict::Holds, "holds", "hold"),
    (Verdict::Contrary, "is contradicted", "are contradicted"),
    (
        Verdict::Bounded,
        "is ruled out in its size",
        "are ruled out in their size",
    ),
    (Verdict::Undecided, "is not decided", "are not decided"),
    (
        Verdict::NotMeasured,
        "was not measured",
        "were not measured",
    ),
];

/// `Of 5 claims 3 hold (more heads are better; ...) and 2 are not decided (...).`; of a study without claims its first
/// finding, and nothing where it has none.
pub fn brief(findings: &Findings, claims: &[Tested]) -> Option<String> {
    if claims.is_empty() {
        let mut sentences = findings.summary.iter();
        return sentences
            .find(|sentence| !sentence.starts_with("Scores"))
            .cloned();
    }
    let parts = TOLD.iter().filter_map(|(verdict, one, several)| {
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
            1 => one,
            _ => several,
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
