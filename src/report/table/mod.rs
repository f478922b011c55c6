//! The table of a study: what it says (`sheet`, `caption`), how a format is written (`markup`), and one file a format.
//! CSV and Parquet hold every digit and come from the typed `frame`, the others from the sheet that people read.

pub mod caption;
pub mod frame;
pub mod html;
pub mod latex;
pub mod markdown;
pub mod markup;
pub mod sheet;
pub mod siunitx;
pub mod terminal;
