//! Sums over rows whose bits do not depend on the number of threads.
//!
//! Floating-point addition is not associative, so the order is fixed: rows are cut
//! into chunks of [`CHUNK_ROWS`], each chunk is summed by one thread in the order of
//! its rows, and the sums of the chunks are added in the order of the chunks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Rows per chunk. Changing it changes the last bits of every model.
pub(crate) const CHUNK_ROWS: usize = 512;

/// Below this many values (rows × columns × outputs) threads cost more than they save.
const VALUES_WORTH_A_THREAD: usize = 1 << 17;

/// How much a pass reads, which decides how many threads it is worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub rows: usize,
    pub values_per_row: usize,
    pub threads: usize,
}

impl Pass {
    fn chunks(self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }

    fn useful_threads(self) -> usize {
        let values = self.rows.saturating_mul(self.values_per_row);
        let worth = (values / VALUES_WORTH_A_THREAD).max(1);
        self.threads.min(worth).min(self.chunks()).max(1)
    }

    fn range(self, chunk: usize) -> Range<usize> {
        let start = chunk * CHUNK_ROWS;
        start..self.rows.min(start + CHUNK_ROWS)
    }
}

/// The chunk sums on their way into the total.
struct Total {
    next: usize,
    sums: Vec<f64>,
    /// Chunks that were done before one of their predecessors.
    early: BTreeMap<usize, Vec<f64>>,
    spare: Vec<Vec<f64>>,
}

impl Total {
    fn give(&mut self, chunk: usize, sums: Vec<f64>) {
        self.early.insert(chunk, sums);
        while let Some(sums) = self.early.remove(&self.next) {
            add(&mut self.sums, &sums);
            self.spare.push(sums);
            self.next += 1;
        }
    }
}

fn add(total: &mut [f64], sums: &[f64]) {
    for (total, sum) in total.iter_mut().zip(sums) {
        *total += sum;
    }
}

/// Adds up `width` numbers over all rows.
///
/// `sum_chunk(rows, sums, scratch)` adds those of one chunk to `sums`, which begin
/// at 0; `scratch` is made once per thread by `scratch` and its content is left over
/// from another chunk.
pub(crate) fn ordered_sums<S>(
    pass: Pass,
    width: usize,
    scratch: impl Fn() -> S + Sync,
    sum_chunk: impl Fn(Range<usize>, &mut [f64], &mut S) + Sync,
) -> Vec<f64> {
    let threads = pass.useful_threads();
    if threads == 1 {
        let mut total = vec![0.0; width];
        let mut sums = vec![0.0; width];
        let mut scratch = scratch();
        for chunk in 0..pass.chunks() {
            sums.fill(0.0);
            sum_chunk(pass.range(chunk), &mut sums, &mut scratch);
            add(&mut total, &sums);
        }
        return total;
    }
    let next_chunk = AtomicUsize::new(0);
    let total = Mutex::new(Total {
        next: 0,
        sums: vec![0.0; width],
        early: BTreeMap::new(),
        spare: Vec::new(),
    });
    let lock = || total.lock().unwrap_or_else(PoisonError::into_inner);
    // Shared references only, so that every thread can take a copy.
    let work = || {
        let mut scratch = scratch();
        loop {
            let chunk = next_chunk.fetch_add(1, Ordering::Relaxed);
            if chunk >= pass.chunks() {
                break;
            }
            let spare = lock().spare.pop();
            let mut sums = spare.unwrap_or_default();
            sums.clear();
            sums.resize(width, 0.0);
            sum_chunk(pass.range(chunk), &mut sums, &mut scratch);
            lock().give(chunk, sums);
        }
    };
    // A panic in a thread is passed on when the scope ends.
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    total
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_bits_for_any_number_of_threads() {
        let rows = 20 * CHUNK_ROWS + 17;
        let value = |row: usize| ((row * 7919) % 1009) as f64 / 1009.0 - 0.3;
        let sums = |threads| {
            let pass = Pass {
                rows,
                values_per_row: 1 << 12,
                threads,
            };
            ordered_sums(
                pass,
                2,
                || (),
                |range, sums, ()| {
                    for row in range {
                        add(sums, &[value(row), 1.0 / (1.0 + value(row).abs())]);
                    }
                },
            )
        };
        let one = sums(1);
        for threads in [2, 3, 8] {
            assert_eq!(one, sums(threads), "{threads} threads");
        }
        assert!((one[0] - (0..rows).map(value).sum::<f64>()).abs() < 1e-9);
    }

    #[test]
    fn threads_are_used_only_where_they_help() {
        let pass = |rows, values_per_row, threads| Pass {
            rows,
            values_per_row,
            threads,
        };
        assert_eq!(pass(100, 1_000_000, 4).useful_threads(), 1);
        assert_eq!(pass(2000, 3, 4).useful_threads(), 1);
        assert_eq!(pass(40_000, 1280, 4).useful_threads(), 4);
        assert_eq!(pass(0, 1280, 0).useful_threads(), 1);
    }
}
