//! What a chart is laid out for, the page or a column of a paper, and the places of what stands around its data.

use crate::experiment::file::experiment::Column;
use crate::report::chart::canvas::text_width;
use crate::report::chart::crowd;
use crate::report::chart::picture::At;
use crate::report::chart::ticks::Scale;

/// The size of a column's texts in the picture's units.
const TEXT: f64 = 15.0;
/// The same in points.
const POINTS: f64 = 8.0;
/// From line to line of a column's texts.
const PITCH: f64 = 20.0;

/// Lengths are in the units of the picture: pixels of the page.
pub struct Layout {
    place: Place,
    pub width: f64,
    /// The sizes of the ticks' texts, of those at points, of names, and of notes.
    pub tick: f64,
    pub mark: f64,
    pub label: f64,
    pub note: f64,
    /// Points (1/72 inch) a unit, where the chart is printed at its size.
    pub points: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Page,
    Column(Column),
}

/// The rectangle that the data fill.
#[derive(Clone, Copy)]
pub struct Plot {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Plot {
    /// Places in 0..=1 to pixels.
    pub fn at(&self, x: f64, y: f64) -> At {
        (
            self.left + x * (self.right - self.left),
            self.bottom - y * (self.bottom - self.top),
        )
    }
}

/// What stands around the data.
pub struct Around<'a> {
    /// What goes up, and what is said of it.
    pub head: &'a str,
    pub aside: &'a str,
    /// One a series.
    pub names: &'a [&'a str],
    pub notes: Vec<String>,
}

/// Where everything stands.
pub struct Room {
    pub plot: Plot,
    /// Of the whole picture.
    pub height: f64,
    pub head: Vec<Head>,
    /// Ticks of the x axis, by their places, in so many rows.
    pub ticks: Vec<(f64, String)>,
    pub rows: usize,
    /// The lines of the notes.
    pub notes: Vec<String>,
}

/// A line of the head, or what is said of it.
pub struct Head {
    pub at: At,
    pub text: String,
    pub size: f64,
    pub aside: bool,
}

/// What stands beside the data with a name: the line's sample, and gaps.
const BESIDE: f64 = 72.0;
/// The length of a line before its name above the data.
pub const SAMPLE: f64 = 32.0;
/// Between a line's sample and its name.
pub const GAP: f64 = 7.0;

/// Where the names of series stand.
#[derive(Clone, PartialEq)]
pub enum Legend {
    /// Right of the data, near the ends of the lines.
    Beside,
    /// Above the data, row by row in columns that begin here.
    Above(Vec<f64>),
}

impl Layout {
    /// 760 by 480 pixels, 96 of them an inch.
    pub const PAGE: Layout = Layout {
        place: Place::Page,
        width: 760.0,
        tick: 15.0,
        mark: 14.0,
        label: 16.5,
        note: 12.5,
        points: 0.75,
    };

    /// A chart of this width; without one, that of the page.
    pub fn of(column: Option<Column>) -> Layout {
        let Some(column) = column else {
            return Layout::PAGE;
        };
        let inches = match column {
            Column::Single => 3.25,
            Column::Double => 6.75,
        };
        let points = POINTS / TEXT;
        Layout {
            place: Place::Column(column),
            width: 72.0 * inches / points,
            tick: TEXT,
            mark: TEXT,
            label: TEXT,
            note: TEXT,
            points,
        }
    }

    /// Where the names stand that are shown: above the data where there is no room beside them, as in a narrow column, or for
    /// names that would take half of the width.
    pub fn legend(&self, names: &[&str]) -> Legend {
        let longest = widest(names.iter().map(|name| text_width(name, self.label)));
        let narrow = self.place == Place::Column(Column::Single);
        if !narrow && longest + BESIDE <= 0.5 * self.width {
            return Legend::Beside;
        }
        let widths = names.iter().map(|name| text_width(name, self.label));
        let widths: Vec<f64> = widths.map(|width| SAMPLE + GAP + width + 14.0).collect();
        let starts = |columns: usize| {
            let widest = |column| widest(widths.iter().skip(column).step_by(columns).copied());
            let ends = (0..columns).scan(self.margin(), |end, column| {
                *end += widest(column);
                Some(*end)
            });
            let mut starts = vec![self.margin()];
            starts.extend(ends);
            // The last one is where a further column would begin.
            starts.pop().filter(|end| *end <= self.width + 14.0)?;
            Some(starts)
        };
        let most = (2..=names.len()).rev().find_map(starts);
        Legend::Above(most.unwrap_or_else(|| vec![self.margin()]))
    }

    /// The places of what stands around the data of these scales.
    pub fn room(&self, around: Around, x: &Scale, y: &Scale) -> Room {
        let ticks = widest(y.ticks.iter().map(|t| text_width(&t.1, self.tick)));
        let mut plot = Plot {
            left: self.margin() + 10.0 + ticks,
            right: self.width - self.beside(around.names),
            top: 0.0,
            bottom: 0.0,
        };
        plot.right = self.narrowed(plot, x);
        let (ticks, rows) = self.ticks(plot, x);
        let head = self.head(around.head, around.aside);
        let notes = around.notes.iter();
        let notes = notes.flat_map(|note| self.wrapped(note, self.note, self.notes_left(plot)));
        let notes: Vec<String> = notes.collect();
        plot.top = self.top(&head, around.names);
        let foot = self.foot(notes.len(), rows);
        let height = match self.place {
            Place::Page => 480.0 + self.names_above(around.names),
            Place::Column(Column::Single) => plot.top + 230.0 + foot,
            Place::Column(Column::Double) => plot.top + 300.0 + foot,
        };
        plot.bottom = height - foot;
        Room {
            plot,
            height,
            head,
            ticks,
            rows,
            notes,
        }
    }

    /// The middle of the x axis's name below the data.
    pub fn below(&self, rows: usize) -> f64 {
        match self.place {
            Place::Page => 48.0,
            Place::Column(_) => 39.0 + self.pitch() * (rows - 1) as f64,
        }
    }

    /// From one row of ticks to the next.
    pub fn pitch(&self) -> f64 {
        match self.place {
            Place::Page => 14.0,
            Place::Column(_) => 17.0,
        }
    }

    /// The place of a line of notes, counted from the last one.
    pub fn note_at(&self, room: &Room, from_last: usize) -> At {
        let left = self.notes_left(room.plot);
        match self.place {
            Place::Page => (left, room.height - 12.0 - 17.0 * from_last as f64),
            Place::Column(_) => (left, room.height - 10.0 - PITCH * from_last as f64),
        }
    }

    /// Where lines of notes begin.
    fn notes_left(&self, plot: Plot) -> f64 {
        match self.place {
            Place::Page => plot.left,
            Place::Column(_) => self.margin(),
        }
    }

    /// A text that has `room`; what is longer ends with an ellipsis.
    pub fn fitted(&self, text: &str, room: f64) -> String {
        if text_width(text, self.label) <= room {
            return text.to_string();
        }
        let mut cut: String = text.to_string();
        while cut.pop().is_some() {
            let short = format!("{}…", cut.trim_end());
            if text_width(&short, self.label) <= room {
                return short;
            }
        }
        cut
    }

    /// Papers have margins of their own.
    fn margin(&self) -> f64 {
        match self.place {
            Place::Page => 16.0,
            Place::Column(_) => 2.0,
        }
    }

    /// The width right of the data.
    fn beside(&self, names: &[&str]) -> f64 {
        if self.place == Place::Column(Column::Single) {
            return 8.0;
        }
        let names = crowd::shown(names);
        let longest = widest(names.iter().map(|name| text_width(name, self.label)));
        match self.legend(&names) {
            Legend::Beside if longest > 0.0 => longest + BESIDE,
            _ => 24.0,
        }
    }

    /// The right end of the data that leaves room in a column for the labels of the ticks, up to a third of it.
    fn narrowed(&self, plot: Plot, x: &Scale) -> f64 {
        if self.place == Place::Page {
            return plot.right;
        }
        let ends = x.ticks.iter().map(|(value, text)| {
            let half = 0.5 * text_width(&cut(text), self.tick);
            let room = self.width - 2.0 - half - plot.left;
            plot.left + room / x.place(*value).max(0.1)
        });
        let least = plot.left + (plot.right - plot.left) / 1.5;
        ends.fold(plot.right, f64::min).max(least)
    }

    /// The height above the data.
    fn top(&self, head: &[Head], names: &[&str]) -> f64 {
        let names = self.names_above(names);
        match (self.place, head.last()) {
            (Place::Column(_), Some(last)) => last.at.1 + names + 19.0,
            _ => 52.0 + names,
        }
    }

    /// The height of the names above the data.
    fn names_above(&self, names: &[&str]) -> f64 {
        let names = crowd::shown(names);
        match self.legend(&names) {
            Legend::Above(starts) if names.iter().any(|name| !name.is_empty()) => {
                PITCH * names.len().div_ceil(starts.len()) as f64
            }
            _ => 0.0,
        }
    }

    /// The height below the data.
    fn foot(&self, notes: usize, rows: usize) -> f64 {
        match (self.place, notes) {
            (Place::Page, 0) => 62.0,
            (Place::Page, n) => 67.0 + 17.0 * n as f64,
            (Place::Column(_), n) => self.below(rows) + 11.0 + PITCH * n as f64,
        }
    }

    /// The lines of the head, what is said of it behind the last or below.
    fn head(&self, head: &str, aside: &str) -> Vec<Head> {
        let (size, small, first, drop) = match self.place {
            Place::Page => (self.label + 1.0, self.note + 1.0, 24.0, 0.5),
            Place::Column(_) => (self.label, self.note, 10.0, 0.0),
        };
        let left = self.margin();
        let mut lines: Vec<Head> = Vec::new();
        let texts = match self.place {
            Place::Page => vec![head.to_string()],
            Place::Column(_) => self.wrapped(head, size, left),
        };
        for (i, text) in texts.into_iter().enumerate() {
            lines.push(Head {
                at: (left, first + PITCH * i as f64),
                text,
                size,
                aside: false,
            });
        }
        let Some(last) = lines.last().filter(|_| !aside.is_empty()) else {
            return lines;
        };
        let behind = left + text_width(&last.text, size) + 12.0;
        let fits = behind + text_width(aside, small) <= self.width;
        let at = if fits || self.place == Place::Page {
            (behind, last.at.1 + drop)
        } else {
            (left, last.at.1 + PITCH)
        };
        lines.push(Head {
            at,
            text: aside.to_string(),
            size: small,
            aside: true,
        });
        lines
    }

    /// A text that begins at `left`, in as many lines as it needs.
    fn wrapped(&self, text: &str, size: f64, left: f64) -> Vec<String> {
        let room = self.width - left - self.margin();
        let mut lines: Vec<String> = vec![String::new()];
        for word in text.split_whitespace() {
            let Some(last) = lines.last_mut() else { break };
            let longer = if last.is_empty() {
                word.to_string()
            } else {
                format!("{last} {word}")
            };
            if last.is_empty() || text_width(&longer, size) <= room {
                *last = longer;
            } else {
                lines.push(word.to_string());
            }
        }
        lines
    }

    /// The ticks of the x axis that are shown. Labels too long for one row stand in several, in turn.
    fn ticks(&self, plot: Plot, x: &Scale) -> (Vec<(f64, String)>, usize) {
        let at = |value: f64| plot.at(x.place(value), 0.0).0;
        let shown = x.ticks.iter();
        let shown = shown.map(|(value, text)| (at(*value), cut(text)));
        let shown: Vec<(f64, String)> = shown.collect();
        let half = |label: &str| 0.5 * text_width(label, self.tick);
        let shown = if shown.len() > crowd::MOST_TICKS {
            crowd::clear(shown, |tick| (tick.0, half(&tick.1)))
        } else {
            shown
        };
        let touch =
            |a: &(f64, String), b: &(f64, String)| b.0 - a.0 < half(&a.1) + half(&b.1) + 8.0;
        let most = match self.place {
            Place::Page => 2,
            Place::Column(_) => 4,
        };
        let free = |rows: &usize| !shown.windows(rows + 1).any(|w| touch(&w[0], &w[*rows]));
        let rows = (1..most).find(free).unwrap_or(most);
        (shown, rows)
    }
}

/// The largest of lengths; 0 of none.
fn widest(lengths: impl Iterator<Item = f64>) -> f64 {
    lengths.fold(0.0, f64::max)
}

/// A label of at most 24 characters.
fn cut(label: &str) -> String {
    if label.chars().count() > 24 {
        label.chars().take(23).chain(['…']).collect()
    } else {
        label.to_string()
    }
}
