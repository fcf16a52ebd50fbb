//! The seam between optimiser and data.

/// The loss and its gradient at one parameter vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Value of the objective, penalty included.
    pub loss: f64,
    /// Its partial derivatives, one per parameter.
    pub gradient: Vec<f64>,
}

/// A differentiable function of parameter vectors that costs a pass over the data.
///
/// A **column** is one parameter vector. One call is one pass, whatever the number of
/// columns, and gives loss and gradient together: data may lie in memory, in files or
/// on other machines, and the optimiser cannot tell. What a column is worth must not
/// depend on the columns beside it, nor on threads.
///
/// ```
/// use sparkles_learn::{Evaluation, Lbfgs, Objective};
///
/// /// (a − 3)² + 10 (b + 1)²
/// struct Bowl;
///
/// impl Objective for Bowl {
///     type Error = std::convert::Infallible;
///     fn dimension(&self) -> usize {
///         2
///     }
///     fn evaluate(&mut self, columns: &[Vec<f64>]) -> Result<Vec<Evaluation>, Self::Error> {
///         let evaluate = |column: &Vec<f64>| {
///             let (a, b) = (column[0] - 3.0, column[1] + 1.0);
///             Evaluation { loss: a * a + 10.0 * b * b, gradient: vec![2.0 * a, 20.0 * b] }
///         };
///         Ok(columns.iter().map(evaluate).collect())
///     }
/// }
///
/// let minimum = Lbfgs::default().minimize(&mut Bowl, vec![0.0, 0.0]).unwrap();
/// assert!(minimum.stop.converged());
/// assert!((minimum.parameters[0] - 3.0).abs() < 1e-6);
/// ```
pub trait Objective {
    /// What a pass over the data can fail with.
    type Error;

    /// Number of parameters of a column.
    fn dimension(&self) -> usize;

    /// Loss and gradient of every column, in the order of `columns`.
    fn evaluate(&mut self, columns: &[Vec<f64>]) -> Result<Vec<Evaluation>, Self::Error>;
}
