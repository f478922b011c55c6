//! Sample grids: of one cell (`mosaic`), of cells under each other (`overview`), and small ones for the page
//! (`embedded`).

pub mod embedded;
mod enlarged;
pub mod mosaic;
pub mod overview;
pub mod samples;
