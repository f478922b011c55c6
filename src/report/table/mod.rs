//! The table of a study: what it says (`sheet`, `caption`), what of it is marked (`best`), how a format is written
//! (`markup`), and one file a format. CSV and Parquet hold every digit and every cell and come from the typed `frame`, the
//! others from the sheet that people read.

pub mod best;
pub mod caption;
pub mod claims;
pub mod frame;
pub mod html;
pub mod latex;
pub mod markdown;
pub mod markup;
pub mod sheet;
pub mod siunitx;
pub mod terminal;
