//! Seconds per fit, and rows that the optimiser reads per second.
//!
//! `cargo bench -p sparkles-learn [-- ROWS COLUMNS CLASSES]`; without numbers a table of
//! sizes up to that of 41,620 photos with 1280 features each.

use std::time::Instant;

use sparkles_learn::{LearnError, LogisticRegression, Matrix};

/// Features like those behind a ReLU, many of them 0; a tenth of the labels is wrong.
fn rows(rows: usize, columns: usize, classes: u32) -> Result<(Matrix, Vec<u32>), LearnError> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let mut values = Vec::with_capacity(rows * columns);
    let mut labels = Vec::with_capacity(rows);
    for row in 0..rows {
        let class = u32::try_from(row).unwrap_or(0) % classes;
        for column in 0..columns {
            let typical = u32::try_from(column).unwrap_or(0) % (4 * classes) == class;
            let value = random() + random() + random() - if typical { 1.35 } else { 1.5 };
            #[expect(clippy::cast_possible_truncation, reason = "features are f32")]
            values.push(value.max(0.0) as f32);
        }
        let wrong = random() < 0.1;
        labels.push(if wrong { (class + 1) % classes } else { class });
    }
    Ok((Matrix::new(columns, values)?, labels))
}

fn measure(row_count: usize, columns: usize, classes: u32) -> Result<(), LearnError> {
    let (features, labels) = rows(row_count, columns, classes)?;
    let class_count = usize::try_from(classes).unwrap_or(2);
    for threads in [1, 2] {
        let params = LogisticRegression {
            threads,
            ..LogisticRegression::default()
        };
        let start = Instant::now();
        let (_, summary) = params.fit(&features, &labels, class_count, None)?;
        let seconds = start.elapsed().as_secs_f64();
        let passes = summary.evaluations;
        println!(
            "{row_count:>6} × {columns:<5} {classes:>3} classes  {threads} threads  {seconds:>7.2} s  \
             {passes:>3} passes  {:>9.0} rows/s  {:?}",
            (row_count * passes) as f64 / seconds,
            summary.stop,
        );
    }
    Ok(())
}

fn main() -> Result<(), LearnError> {
    let numbers: Vec<usize> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    if let [rows, columns, classes] = numbers[..] {
        return measure(rows, columns, u32::try_from(classes).unwrap_or(2));
    }
    measure(500, 1280, 2)?;
    measure(5000, 1280, 2)?;
    measure(5000, 1280, 10)?;
    measure(41_620, 1280, 2)
}
