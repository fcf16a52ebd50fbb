//! What can be wrong with data or params.

use crate::Family;

/// Why a fit, a split or a metric was refused.
///
/// Rows, columns and label indices are counted from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// There is nothing to learn from or to measure.
    #[error("no rows: at least one is needed")]
    NoRows,
    /// The features have no columns.
    #[error("the features have no columns")]
    NoColumns,
    /// The values of a matrix do not fill whole rows.
    #[error("{values} values do not fill rows of {columns} columns")]
    PartialRow {
        /// Values given.
        values: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// Two inputs that go row by row differ in length.
    #[error("expected {expected} {what}, one per row, found {found}")]
    Length {
        /// What was counted: labels, weights, …
        what: &'static str,
        /// The number of rows.
        expected: usize,
        /// The length found.
        found: usize,
    },
    /// A feature vector has another length than the model's.
    #[error("expected {expected} features, found {found}")]
    FeatureCount {
        /// Columns the model was fitted on.
        expected: usize,
        /// Columns given.
        found: usize,
    },
    /// A parameter vector does not fit the objective.
    #[error("expected a column of {expected} parameters, found {found}")]
    ParameterCount {
        /// The objective's dimension.
        expected: usize,
        /// The length of the column.
        found: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature in row {row}, column {column} is {value}, not a finite number")]
    FeatureNotFinite {
        /// Row of the feature.
        row: usize,
        /// Column of the feature.
        column: usize,
        /// The value found.
        value: f32,
    },
    /// A label index or a prediction names no class.
    #[error("{what} {index} in row {row} is out of range: there are {class_count} classes")]
    ClassOutOfRange {
        /// `label index` or `prediction`.
        what: &'static str,
        /// Its row.
        row: usize,
        /// Its value.
        index: u32,
        /// Number of classes.
        class_count: usize,
    },
    /// A weight is negative, NaN or infinite.
    #[error("weight in row {row} is {value}, expected a finite number of at least 0")]
    Weight {
        /// Row of the weight.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// The weights add up to nothing, or to more than a number holds.
    #[error("the weights of {rows} rows add up to {sum}, expected more than 0 and finite")]
    WeightSum {
        /// Rows weighted.
        rows: usize,
        /// Sum of the weights.
        sum: f64,
    },
    /// A setting is outside its range.
    #[error("`{name}` is {value}, expected {expected}")]
    Param {
        /// Name of the setting.
        name: &'static str,
        /// The value found.
        value: f64,
        /// Its range.
        expected: &'static str,
    },
    /// All rows (that weigh anything) are of one class.
    #[error(
        "all {rows} rows are of class {class}: telling classes apart needs rows of at least two"
    )]
    OneClass {
        /// The label index.
        class: u32,
        /// Rows with a weight above 0.
        rows: usize,
    },
    /// The family cannot hold that many classes.
    #[error("family `{family}` takes {expected}, found {found}")]
    ClassCount {
        /// The family asked for.
        family: Family,
        /// What it takes.
        expected: &'static str,
        /// Number of classes.
        found: usize,
    },
    /// The parts of a model contradict each other.
    #[error("expected {expected} {what}, found {found}")]
    ModelShape {
        /// `coefficients` or `intercepts`.
        what: &'static str,
        /// Number that family, classes and columns ask for.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// A coefficient or an intercept is NaN or infinite.
    #[error("{what} {position} is {value}, not a finite number")]
    ModelNotFinite {
        /// `coefficient` or `intercept`.
        what: &'static str,
        /// Its position.
        position: usize,
        /// The value found.
        value: f64,
    },
    /// The objective is no number where the fit would begin.
    #[error("the objective is {loss} at the starting point: the features or weights are too large")]
    ObjectiveNotFinite {
        /// The value found.
        loss: f64,
    },
    /// A label stands twice in a list of labels.
    #[error("label `{label}` stands at {first} and again at {second}")]
    DoubledLabel {
        /// The label.
        label: String,
        /// Its first index.
        first: usize,
        /// Its second index.
        second: usize,
    },
    /// A score is NaN.
    #[error("score in row {row} is NaN")]
    ScoreNotANumber {
        /// Row of the score.
        row: usize,
    },
    /// A row of probabilities is too short for its label, or holds no probability.
    #[error("row {row} holds no probability of class {class}: {found}")]
    Probability {
        /// The row.
        row: usize,
        /// Its label index.
        class: u32,
        /// What stands there.
        found: String,
    },
    /// A split ratio cannot be read.
    #[error("split ratio `{text}`: {reason}")]
    SplitRatio {
        /// The text given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A word is none of those expected.
    #[error("unknown {what} `{found}`, expected one of {expected}")]
    Unknown {
        /// What was to be read.
        what: &'static str,
        /// The word found.
        found: String,
        /// The words known.
        expected: &'static str,
    },
}
