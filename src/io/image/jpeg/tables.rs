//! What libjpeg insists on in tables and scans, for files that another decoder is to read.

/// Scans of a progressive file: encoders write about ten, and each costs a pass over the picture.
pub(super) const SCAN_LIMIT: usize = 200;

/// Whether quantisation tables fill their segment.
pub(super) fn quantisation_fits(mut body: &[u8]) -> bool {
    while let Some((&head, rest)) = body.split_first() {
        let values = if head >> 4 == 0 { 64 } else { 128 };
        match rest.get(values..) {
            Some(next) if head & 15 < 4 => body = next,
            _ => return false,
        }
    }
    true
}

/// Whether Huffman tables fill their segment, and each table's codes fit into their lengths (annex C).
pub(super) fn huffman_fits(mut body: &[u8]) -> bool {
    while let Some((head, rest)) = body.split_first_chunk::<17>() {
        let count: usize = head[1..].iter().map(|&n| usize::from(n)).sum();
        let Some((symbols, next)) = rest.split_at_checked(count) else {
            return false;
        };
        let mut free = 1;
        for &codes in &head[1..] {
            free = 2 * free - i64::from(codes);
            if free < 0 {
                return false;
            }
        }
        let dc = head[0] >> 4 == 0;
        if dc && symbols.iter().any(|&s| s > 15) {
            return false;
        }
        body = next;
    }
    body.is_empty()
}

/// What the scans of a file bring, component by component.
pub(super) struct Scans {
    names: Vec<u8>,
    progressive: bool,
    /// Of each component's 64 coefficients, the lowest bit that is known.
    known: Vec<[Option<u8>; 64]>,
}

impl Scans {
    pub fn of(names: Vec<u8>, progressive: bool) -> Scans {
        Scans {
            known: vec![[None; 64]; names.len()],
            names,
            progressive,
        }
    }

    /// Takes a scan's header; false where it does not continue the scans before by the rules of annex G, or says in a
    /// baseline file that it is not the only one.
    pub fn add(&mut self, header: &[u8]) -> bool {
        let Some((&count, rest)) = header.split_first() else {
            return false;
        };
        let (parts, band) = rest.split_at(rest.len().min(2 * usize::from(count)));
        let &[first, last, approximation] = band else {
            return false;
        };
        let (before, after) = (approximation >> 4, approximation & 15);
        if last > 63 {
            return false;
        }
        if !self.progressive {
            let named = parts.iter().step_by(2);
            return named.eq(&self.names) && (first, last, before, after) == (0, 63, 0, 0);
        }
        let dc = first == 0;
        let shaped = if dc {
            last == 0
        } else {
            first <= last && count == 1
        };
        let refined = before == 0 && after <= 13 || before > 0 && after == before - 1;
        shaped
            && refined
            && parts.iter().step_by(2).all(|name| {
                let place = self.names.iter().position(|n| n == name);
                place.is_some_and(|c| self.learn(c, first..=last, before, after))
            })
    }

    fn learn(
        &mut self,
        component: usize,
        band: std::ops::RangeInclusive<u8>,
        before: u8,
        after: u8,
    ) -> bool {
        let known = &mut self.known[component];
        if *band.start() > 0 && known[0].is_none() {
            return false;
        }
        let known = &mut known[usize::from(*band.start())..=usize::from(*band.end())];
        // A first pass over known coefficients, or a second one without a first, is out of order.
        let fits = known.iter().all(|k| match (k, before) {
            (None, 0) => true,
            (Some(bit), 1..) => *bit == before,
            _ => false,
        });
        known.fill(Some(after));
        fits
    }

    /// Whether every bit of every coefficient is there.
    pub fn complete(&self) -> bool {
        !self.progressive || self.known.iter().flatten().all(|bit| *bit == Some(0))
    }
}
