//! A picture as a PDF of one page, for papers: lines stay lines and texts stay texts.

pub mod document;
mod font;
