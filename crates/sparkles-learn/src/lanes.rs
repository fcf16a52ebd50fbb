//! Products of rows and coefficients, four rows and four columns at a time.
//!
//! Every sum has one order of its own, whatever is computed beside it: that of a row's
//! product depends on nothing but the number of columns.

/// Columns of features that are summed side by side, so that the compiler can use
/// vector registers. The order within a sum is part of the results' bits.
pub(crate) const LANES: usize = 4;
/// Rows taken together: each coefficient that is loaded serves all of them.
pub(crate) const QUAD: usize = 4;

/// A piece of a row, or of coefficients.
pub(crate) type Lanes = [f64; LANES];

/// Appends `values` as lanes, filled up with zeros to `lanes` of them.
pub(crate) fn pack(mut values: impl Iterator<Item = f64>, lanes: usize, into: &mut Vec<Lanes>) {
    for _ in 0..lanes {
        into.push(std::array::from_fn(|_| values.next().unwrap_or(0.0)));
    }
}

/// The product of each of four rows with `coefficients`.
pub(crate) fn quad_products(quad: &[Lanes], coefficients: &[Lanes]) -> [f64; QUAD] {
    let lanes = coefficients.len();
    let mut rows = quad.chunks_exact(lanes.max(1));
    let mut row = || rows.next().unwrap_or_default();
    let (first, second, third, fourth) = (row(), row(), row(), row());
    let mut sums = [[0.0; LANES]; QUAD];
    for ((((c, x0), x1), x2), x3) in coefficients
        .iter()
        .zip(first)
        .zip(second)
        .zip(third)
        .zip(fourth)
    {
        for lane in 0..LANES {
            sums[0][lane] += c[lane] * x0[lane];
            sums[1][lane] += c[lane] * x1[lane];
            sums[2][lane] += c[lane] * x2[lane];
            sums[3][lane] += c[lane] * x3[lane];
        }
    }
    sums.map(|lanes| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
}

/// Adds Σ derivative × row of four rows to a gradient, whose last number is that by
/// the intercept.
pub(crate) fn add_quad(gradient: &mut [f64], quad: &[Lanes], derivatives: &[f64; QUAD]) {
    let (gradient, by_intercept) = gradient.as_chunks_mut::<LANES>();
    let mut rows = quad.chunks_exact(gradient.len().max(1));
    let mut row = || rows.next().unwrap_or_default();
    let (first, second, third, fourth) = (row(), row(), row(), row());
    let [d0, d1, d2, d3] = *derivatives;
    for ((((g, x0), x1), x2), x3) in gradient
        .iter_mut()
        .zip(first)
        .zip(second)
        .zip(third)
        .zip(fourth)
    {
        for lane in 0..LANES {
            g[lane] += (d0 * x0[lane] + d1 * x1[lane]) + (d2 * x2[lane] + d3 * x3[lane]);
        }
    }
    for sum in by_intercept {
        *sum += (d0 + d1) + (d2 + d3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four rows of `columns` whole numbers, for which every order of addition is exact.
    fn quad(columns: usize) -> (Vec<Vec<f64>>, Vec<Lanes>) {
        let rows: Vec<Vec<f64>> = (0..QUAD)
            .map(|row| {
                (0..columns)
                    .map(|column| (row * 31 + column * 17 % 23) as f64)
                    .collect()
            })
            .collect();
        let mut packed = Vec::new();
        for row in &rows {
            pack(row.iter().copied(), columns.div_ceil(LANES), &mut packed);
        }
        (rows, packed)
    }

    #[test]
    fn products_of_any_number_of_columns() {
        for columns in 1..=13 {
            let (rows, packed) = quad(columns);
            let coefficients: Vec<f64> = (0..columns).map(|column| column as f64 - 4.0).collect();
            let mut lanes = Vec::new();
            pack(
                coefficients.iter().copied(),
                columns.div_ceil(LANES),
                &mut lanes,
            );
            let products = quad_products(&packed, &lanes);
            let derivatives = [1.0, -2.0, 3.0, 0.0];
            let mut gradient = vec![5.0; columns.div_ceil(LANES) * LANES + 1];
            add_quad(&mut gradient, &packed, &derivatives);
            for (row, product) in rows.iter().zip(products) {
                let expected: f64 = row.iter().zip(&coefficients).map(|(x, b)| x * b).sum();
                assert!((product - expected).abs() < 1e-9, "{columns} columns");
            }
            for column in 0..columns {
                let sum: f64 = rows
                    .iter()
                    .zip(derivatives)
                    .map(|(row, d)| d * row[column])
                    .sum();
                assert!(
                    (gradient[column] - 5.0 - sum).abs() < 1e-9,
                    "{columns} columns"
                );
            }
            assert!((gradient[gradient.len() - 1] - 7.0).abs() < 1e-9);
        }
    }
}
