//! A page to look at a sweep from elsewhere: one file that needs nothing else and asks the browser to look again.

use crate::cli::open::Opened;
use crate::cli::screen::terminal::thousands;
use crate::cli::verbs::status::cells::{Progress, columns, progress, tally};
use crate::cli::verbs::status::overview::Overview;
use crate::cli::verbs::status::queue::{self, Line, first_failures};
use crate::cli::verbs::status::workers;
use crate::report::page::html::document;
use maud::{Markup, PreEscaped, html};

/// Cells that the page lists all of; of more it lists those that are under way or have failed, and at most as many.
const MOST_CELLS: usize = 200;

/// What only this page has: a bar a stage.
const BARS: &str = "
.bars { display: grid; grid-template-columns: max-content minmax(10rem, 40rem) max-content; gap: .4rem 1rem; align-items: center; }
.bar { display: flex; height: .8rem; border-radius: 4px; overflow: hidden; background: var(--rule); }
.bar .stored { background: var(--mark); }
.bar .running { background: #009e73; }
.bar .failed { background: #d55e00; }
.silent { color: var(--warn); }
";

/// What was asked for.
pub struct Asked {
    /// The experiment file as it was typed.
    pub file: String,
    /// Seconds after which the browser looks again; none where the page stays as it is.
    pub every: Option<u64>,
}

/// The whole document.
pub fn page(opened: &Opened, overview: &Overview, asked: &Asked) -> String {
    let (name, tally) = (&opened.sweep.name, tally(&opened.plan));
    let more = html! {
        @if let Some(every) = asked.every { meta http-equiv="refresh" content=(every); }
        style { (PreEscaped(BARS)) }
    };
    let shown = html! {
        header {
            h1 { (name) }
            p { (tally) "." }
            @if overview.queue.open() > 0 { p { "Time left: " (overview.left.text()) "." } }
            p.caption { (written(asked)) }
        }
        (stages(overview))
        (at_work(overview))
        (failures(opened, overview, asked))
        (cells(opened, asked))
    };
    document(&format!("{name} · {tally}"), &more, &shown)
}

/// When the page was written, and whether it will be again.
fn written(asked: &Asked) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    match asked.every {
        Some(every) => format!("Written {now}; again every {every} seconds."),
        None => format!("Written {now}; it does not change by itself."),
    }
}

fn stages(overview: &Overview) -> Markup {
    let lines = &overview.queue.lines;
    let count = |line: &Line| line.stored + line.running + line.ready + line.waiting + line.failed;
    let share = |part: usize, line: &Line| {
        format!(
            "width:{:.2}%",
            100.0 * part as f64 / count(line).max(1) as f64
        )
    };
    html! {
        section {
            h2 { "Stages" }
            div.bars { @for line in lines {
                span { (line.stage) }
                div.bar {
                    div.stored style=(share(line.stored, line)) {}
                    div.running style=(share(line.running, line)) {}
                    div.failed style=(share(line.failed, line)) {}
                }
                span.range { (thousands(line.stored as u64)) " of " (thousands(count(line) as u64)) " stored" }
            } }
            (table(&queue::HEADS.map(String::from), &overview.queue.cells()))
        }
    }
}

fn at_work(overview: &Overview) -> Markup {
    html! {
        section {
            h2 { "Workers" }
            @if overview.workers.is_empty() { p { "No worker has left its record in the store." } }
            @else {
                (table(&workers::HEADS.map(String::from), &workers::lines(&overview.workers)))
                p.caption { "Heartbeats by the clocks of the machine that wrote this page and of the file system; one that has been silent for more than 90 seconds has probably ended." }
            }
        }
    }
}

fn failures(opened: &Opened, overview: &Overview, asked: &Asked) -> Markup {
    let (told, more) = first_failures(&opened.plan, &overview.queue.failed, &asked.file);
    html! {
        @if !told.is_empty() {
            section {
                h2 { "Failed" }
                ul { @for told in &told { li { (told.line) br; code { (told.command) } } } }
                @if more > 0 {
                    p { "And " (thousands(more as u64)) " more: " code { "runner status " (asked.file) " --json --workers" } }
                }
            }
        }
    }
}

fn cells(opened: &Opened, asked: &Asked) -> Markup {
    let plan = &opened.plan;
    let all = plan.cells.len();
    let moving = |n: &usize| matches!(progress(plan, *n), Progress::Failed | Progress::UnderWay);
    let mut shown: Vec<usize> = (0..all).collect();
    if all > MOST_CELLS {
        shown.retain(moving);
        shown.truncate(MOST_CELLS);
    }
    let hidden = all - shown.len();
    let (heads, _, lines) = columns(opened, &shown);
    html! {
        section {
            h2 { "Cells" }
            @if hidden > 0 {
                p { "Of " (thousands(all as u64)) " cells those that are under way or have failed, at most " (MOST_CELLS) ". All: " code { "runner status " (asked.file) } }
            }
            (table(&heads, &lines))
        }
    }
}

fn table(heads: &[String], lines: &[Vec<String>]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div.wide { table {
                thead { tr { @for head in heads { th { (head) } } } }
                tbody { @for line in lines { tr {
                    @for text in line { td.silent[text.starts_with("silent")].missing[text == "failed"] { (text) } }
                } } }
            } }
        }
    }
}
