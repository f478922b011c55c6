//! The C library libjpeg (mozjpeg's copy of libjpeg-turbo, without SIMD), driven as Pillow's decoder drives it.

use crate::io::image::jpeg::tables::SCAN_LIMIT;
use crate::io::image::pixels::{MEMORY_LIMIT, Rgb8, within_limits};
use anyhow::{Result, anyhow, bail, ensure};
use mozjpeg_sys as sys;
use std::ffi::{CStr, c_char, c_int, c_long};
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

const SUSPENDED: c_int = 0;
const TABLES_ONLY: c_int = 2;

/// The longest message that the library writes (`JMSG_LENGTH_MAX`).
const MESSAGE: usize = 200;

const EARLY: &str = "the JPEG ends early\nhint: it may be truncated";

/// What an error of the library unwinds with.
struct Failure(String);

/// The library's state over `bytes`. The library holds pointers into all of it, so it is never moved.
struct Decompressor<'a> {
    state: sys::jpeg_decompress_struct,
    errors: sys::jpeg_error_mgr,
    source: sys::jpeg_source_mgr,
    progress: sys::jpeg_progress_mgr,
    created: bool,
    bytes: PhantomData<&'a [u8]>,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Rgb8> {
    let mut decompressor = Decompressor::over(bytes);
    match catch_unwind(AssertUnwindSafe(|| decompressor.run())) {
        Ok(image) => image,
        Err(why) => match why.downcast::<Failure>() {
            Ok(failure) => Err(anyhow!("the JPEG is broken: {}", failure.0)),
            Err(_) => bail!("the JPEG is broken: its decoder gave up"),
        },
    }
}

impl<'a> Decompressor<'a> {
    fn over(bytes: &'a [u8]) -> Box<Decompressor<'a>> {
        // SAFETY: plain C structures of numbers, pointers and optional functions, for which zero bytes are a value.
        let (state, errors, progress) = unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) };
        Box::new(Decompressor {
            state,
            errors,
            source: sys::jpeg_source_mgr {
                next_input_byte: bytes.as_ptr(),
                bytes_in_buffer: bytes.len(),
                init_source: Some(nothing),
                fill_input_buffer: Some(no_more),
                skip_input_data: Some(skip),
                resync_to_restart: Some(sys::jpeg_resync_to_restart),
                term_source: Some(nothing),
            },
            progress,
            created: false,
            bytes: PhantomData,
        })
    }

    /// May unwind with a `Failure`, and leaves nothing behind: `drop` frees what the library took.
    fn run(&mut self) -> Result<Rgb8> {
        // SAFETY: the library gets its own structures, each set up as `libjpeg.txt` asks, which live as long as `self`;
        // `source` lies within `bytes`. Its errors unwind through C compiled for it (the crate's feature `unwinding`).
        unsafe {
            sys::jpeg_std_error(&mut self.errors);
            self.errors.error_exit = Some(fail);
            self.errors.output_message = Some(silent);
            self.state.common.err = &mut self.errors;
            sys::jpeg_create_decompress(&mut self.state);
            self.created = true;
            (*self.state.common.mem).max_memory_to_use = MEMORY_LIMIT as c_long;
            self.progress.progress_monitor = Some(watch);
            self.state.common.progress = &mut self.progress;
            self.state.src = &mut self.source;
        }
        self.read_header()?;
        let channels = self.choose_colours()?;
        let (w, h) = (self.state.image_width, self.state.image_height);
        within_limits(w as usize, h as usize)?;
        // SAFETY: as above; the header is read.
        let started = unsafe { sys::jpeg_start_decompress(&mut self.state) };
        ensure!(started != 0, EARLY);
        let (w, h) = (self.state.output_width, self.state.output_height);
        let (w, h) = (w as usize, h as usize);
        let data = self.read_rows(w, h, channels)?;
        // SAFETY: as above, and every row is read. A missing end marker stops it, which is no error; a broken one is.
        unsafe { sys::jpeg_finish_decompress(&mut self.state) };
        Ok(Rgb8 { w, h, data })
    }

    /// Reads on to the first frame; an end marker before it ends tables alone.
    fn read_header(&mut self) -> Result<()> {
        loop {
            // SAFETY: the state is created and has its source.
            match unsafe { sys::jpeg_read_header(&mut self.state, 0) } {
                SUSPENDED => bail!(EARLY),
                TABLES_ONLY => {}
                _ => return Ok(()),
            }
        }
    }

    /// Asks for grey, RGB or CMYK; what the file's own colours are, the library tells by its markers.
    fn choose_colours(&mut self) -> Result<usize> {
        let (colours, channels) = match self.state.num_components {
            1 => (sys::J_COLOR_SPACE::JCS_GRAYSCALE, 1),
            3 => (sys::J_COLOR_SPACE::JCS_RGB, 3),
            4 => (sys::J_COLOR_SPACE::JCS_CMYK, 4),
            n => bail!("the JPEG has {n} components, 1, 3 and 4 are read"),
        };
        self.state.out_color_space = colours;
        Ok(channels)
    }

    /// RGB [h, w, 3], to which grey is repeated and CMYK is mixed.
    fn read_rows(&mut self, w: usize, h: usize, channels: usize) -> Result<Vec<u8>> {
        let mut row = vec![0; w * channels];
        let mut data = Vec::with_capacity(3 * w * h);
        for _ in 0..h {
            let mut place = row.as_mut_ptr();
            // SAFETY: decompression has started, and a row of output is w · channels bytes.
            let rows = unsafe { sys::jpeg_read_scanlines(&mut self.state, &mut place, 1) };
            ensure!(rows == 1, EARLY);
            match channels {
                1 => data.extend(row.iter().flat_map(|&v| [v; 3])),
                4 => data.extend(row.as_chunks::<4>().0.iter().flat_map(mix)),
                _ => data.extend_from_slice(&row),
            }
        }
        Ok(data)
    }
}

impl Drop for Decompressor<'_> {
    fn drop(&mut self) {
        if self.created {
            // SAFETY: created, and destroyed once.
            unsafe { sys::jpeg_destroy_decompress(&mut self.state) }
        }
    }
}

/// Inverted CMYK, as Adobe stores it, to RGB in Pillow's rounding.
fn mix(cmyk: &[u8; 4]) -> [u8; 3] {
    let light = u32::from(cmyk[3]);
    std::array::from_fn(|c| {
        let product = (255 - u32::from(cmyk[c])) * light + 128;
        light.saturating_sub(((product >> 8) + product) >> 8) as u8
    })
}

unsafe extern "C-unwind" fn nothing(_: &mut sys::jpeg_decompress_struct) {}

unsafe extern "C-unwind" fn silent(_: &mut sys::jpeg_common_struct) {}

/// The whole file lies in the buffer: where it is used up, the library stops as it does for a file that is still coming.
unsafe extern "C-unwind" fn no_more(_: &mut sys::jpeg_decompress_struct) -> sys::boolean {
    0
}

unsafe extern "C-unwind" fn skip(state: &mut sys::jpeg_decompress_struct, bytes: c_long) {
    // SAFETY: the source is the decompressor's, and what is skipped lies in its buffer.
    unsafe {
        let source = &mut *state.src;
        let bytes = (bytes.max(0) as usize).min(source.bytes_in_buffer);
        source.next_input_byte = source.next_input_byte.add(bytes);
        source.bytes_in_buffer -= bytes;
    }
}

/// Each scan is a pass over the picture, and a small file can hold very many.
unsafe extern "C-unwind" fn watch(common: &mut sys::jpeg_common_struct) {
    let state: *const sys::jpeg_common_struct = common;
    // SAFETY: `run` alone installs this, in a decompressor, whose structure begins with the common one.
    let scans = unsafe { (*state.cast::<sys::jpeg_decompress_struct>()).input_scan_number };
    if scans as usize > SCAN_LIMIT {
        resume_unwind(Box::new(Failure(format!(
            "it has more than {SCAN_LIMIT} scans"
        ))));
    }
}

/// An error of the library: it must not return.
unsafe extern "C-unwind" fn fail(common: &mut sys::jpeg_common_struct) {
    type Format = unsafe extern "C-unwind" fn(*mut sys::jpeg_common_struct, *mut c_char);
    let mut text = [0 as c_char; MESSAGE];
    // SAFETY: the error manager is the standard one, whose `format_message` writes a C string of at most `MESSAGE` bytes;
    // the binding declares it with a shorter, read-only buffer.
    let text = unsafe {
        if let Some(format) = (*common.err).format_message {
            let format: Format = mem::transmute(format);
            format(common, text.as_mut_ptr());
        }
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    };
    resume_unwind(Box::new(Failure(text)))
}
