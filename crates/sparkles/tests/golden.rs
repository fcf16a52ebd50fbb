//! Logistic regression against MLlib, scikit-learn and an independent solver on inputs
//! that are Parquet files.
//!
//! The goldens are not part of the repository; where they are missing, the tests say
//! so and pass. Objectives are computed here, from the formula and the coefficients of
//! the original columns, not taken from the fit.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sparkles_learn::{
    ColumnStatistics, Family, FitSummary, LogisticRegression, LogisticRegressionModel, Matrix,
};

fn golden() -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/golden"
    ))
    .to_owned()
}

struct Input {
    name: &'static str,
    features: Matrix,
    labels: Vec<u32>,
    classes: usize,
    weights: Option<Vec<f64>>,
}

/// `None`, said loudly, where there are no goldens.
fn input(name: &'static str) -> Option<Input> {
    let path = golden().join("inputs").join(format!("{name}.parquet"));
    let Ok(file) = File::open(&path) else {
        eprintln!("SKIPPED: no {}", path.display());
        return None;
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let mut values = Vec::new();
    let mut labels = Vec::new();
    let mut weights = Vec::new();
    let mut columns = 0;
    for batch in reader {
        let batch = batch.unwrap();
        let features = batch.column_by_name("features").unwrap();
        let features = features.as_fixed_size_list();
        columns = usize::try_from(features.value_length()).unwrap();
        for row in 0..features.len() {
            values.extend_from_slice(features.value(row).as_primitive::<Float32Type>().values());
        }
        let label = batch
            .column_by_name("label")
            .unwrap()
            .as_primitive::<Int32Type>();
        labels.extend(
            label
                .values()
                .iter()
                .map(|&label| u32::try_from(label).unwrap()),
        );
        if let Some(weight) = batch.column_by_name("weight") {
            weights.extend_from_slice(weight.as_primitive::<Float64Type>().values());
        }
    }
    Some(Input {
        name,
        features: Matrix::new(columns, values).unwrap(),
        classes: usize::try_from(labels.iter().max().unwrap() + 1).unwrap(),
        labels,
        weights: (!weights.is_empty()).then_some(weights),
    })
}

/// The L2 and unpenalised fits of a library.
fn fits(library: &str, input: &Input) -> Vec<Value> {
    let path = golden()
        .join(library)
        .join(format!("{}.json.gz", input.name));
    let file = flate2::read::GzDecoder::new(File::open(path).unwrap());
    let mut document: Value = serde_json::from_reader(file).unwrap();
    let Value::Array(mut fits) = document["fits"].take() else {
        return Vec::new();
    };
    fits.retain(|fit| {
        number(&fit["elasticNetParam"]).abs() < 1e-12 || number(&fit["regParam"]).abs() < 1e-12
    });
    fits
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Numbers of any nesting, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![number(value)],
    }
}

/// What a fit of any of the libraries was asked for.
struct Question<'a> {
    input: &'a Input,
    params: LogisticRegression,
    weights: Option<&'a [f64]>,
    statistics: ColumnStatistics,
}

impl<'a> Question<'a> {
    fn new(input: &'a Input, fit: &Value) -> Self {
        let weighted = fit["weighted"]
            .as_bool()
            .unwrap_or_else(|| fit["weightCol"].is_string());
        let weights = input.weights.as_deref().filter(|_| weighted);
        let family = match fit["family"].as_str().unwrap_or("auto") {
            "auto" if input.classes == 2 => Family::Binomial,
            "auto" => Family::Multinomial,
            family => family.parse().unwrap(),
        };
        Self {
            input,
            params: LogisticRegression {
                reg_param: number(&fit["regParam"]),
                fit_intercept: fit["fitIntercept"].as_bool().unwrap(),
                standardization: fit["standardization"].as_bool().unwrap(),
                family,
                max_iter: 1000,
                tol: 1e-12,
                threads: 2,
            },
            weights,
            statistics: ColumnStatistics::new(&input.features, weights, 1).unwrap(),
        }
    }

    fn name(&self) -> String {
        format!(
            "{} λ={} standardization={} intercept={} weighted={} {}",
            self.input.name,
            self.params.reg_param,
            self.params.standardization,
            self.params.fit_intercept,
            self.weights.is_some(),
            self.params.family,
        )
    }

    fn penalised(&self) -> bool {
        self.params.reg_param > 0.0
    }

    fn fit(&self) -> (LogisticRegressionModel, FitSummary) {
        let Input {
            features,
            labels,
            classes,
            ..
        } = self.input;
        self.params
            .fit(features, labels, *classes, self.weights)
            .unwrap()
    }

    fn model(&self, coefficients: &Value, intercepts: &Value) -> LogisticRegressionModel {
        let coefficients = numbers(coefficients);
        let columns = self.input.features.columns();
        let family = if coefficients.len() == columns {
            Family::Binomial
        } else {
            Family::Multinomial
        };
        LogisticRegressionModel::from_parts(
            family,
            self.input.classes,
            columns,
            coefficients,
            numbers(intercepts),
        )
        .unwrap()
    }

    /// The formula of the goldens' README.
    fn objective(&self, model: &LogisticRegressionModel) -> f64 {
        let mut total = 0.0;
        let mut sum = 0.0;
        for (i, (row, &label)) in self
            .input
            .features
            .iter()
            .zip(&self.input.labels)
            .enumerate()
        {
            let weight = self.weights.map_or(1.0, |weights| weights[i]);
            let z: Vec<f64> = model
                .coefficients()
                .chunks(row.len())
                .zip(model.intercepts())
                .map(|(beta, b)| {
                    beta.iter()
                        .zip(row)
                        .map(|(b, &x)| b * f64::from(x))
                        .sum::<f64>()
                        + b
                })
                .collect();
            let loss = if let [z] = z[..] {
                let towards = if label == 1 { -z } else { z };
                towards.max(0.0) + (-towards.abs()).exp().ln_1p()
            } else {
                let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let of_label = z[usize::try_from(label).unwrap()] - largest;
                z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln() - of_label
            };
            sum += weight * loss;
            total += weight;
        }
        let penalty: f64 = model
            .coefficients()
            .chunks(self.input.features.columns())
            .flat_map(|row| row.iter().zip(&self.statistics.deviations))
            .map(|(beta, deviation)| {
                let weight = if self.params.standardization {
                    *deviation
                } else {
                    1.0
                };
                (weight * beta).powi(2)
            })
            .sum();
        sum / total + self.params.reg_param / 2.0 * penalty
    }

    /// Largest difference of σⱼβⱼ.
    fn coefficient_difference(
        &self,
        a: &LogisticRegressionModel,
        b: &LogisticRegressionModel,
    ) -> f64 {
        let deviations = self.statistics.deviations.iter().cycle();
        a.coefficients()
            .iter()
            .zip(b.coefficients())
            .zip(deviations)
            .map(|((a, b), deviation)| (a - b).abs() * deviation)
            .fold(0.0, f64::max)
    }

    /// Largest difference of an intercept, as a share of max(1, Σ|βⱼμⱼ|).
    fn intercept_difference(
        &self,
        a: &LogisticRegressionModel,
        b: &LogisticRegressionModel,
    ) -> f64 {
        let rows = b.coefficients().chunks(self.input.features.columns());
        a.intercepts()
            .iter()
            .zip(b.intercepts())
            .zip(rows)
            .map(|((a, b), row)| {
                let shift: f64 = row
                    .iter()
                    .zip(&self.statistics.means)
                    .map(|(b, m)| (b * m).abs())
                    .sum();
                (a - b).abs() / shift.max(1.0)
            })
            .fold(0.0, f64::max)
    }

    fn probability_difference(
        &self,
        a: &LogisticRegressionModel,
        b: &LogisticRegressionModel,
    ) -> f64 {
        let mut largest = 0.0_f64;
        for row in &self.input.features {
            let (a, b) = (a.probability(row).unwrap(), b.probability(row).unwrap());
            largest = a
                .iter()
                .zip(b)
                .map(|(a, b)| (a - b).abs())
                .fold(largest, f64::max);
        }
        largest
    }
}

/// Collects what is out of tolerance, so that one run shows all of it.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn at_most(&mut self, name: &str, what: &str, found: f64, tolerance: f64) {
        if found.is_nan() || found > tolerance {
            self.0
                .push(format!("{name}: {what} {found:e}, tolerance {tolerance:e}"));
        }
    }

    fn assert_none(&self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

fn compare(name: &'static str) {
    let Some(input) = input(name) else {
        return;
    };
    let degenerate = name == "degen";
    let mut complaints = Complaints::default();
    let mut models = Vec::new();
    let references = fits("reference", &input);
    assert!(!references.is_empty());
    for fit in &references {
        let question = Question::new(&input, fit);
        let title = question.name();
        let (model, summary) = question.fit();
        let reference = question.model(&fit["coef"], &fit["intercept"]);
        let (found, expected) = (question.objective(&model), number(&fit["objective"]));
        let objective = (found - expected) / expected;
        let coefficients = question.coefficient_difference(&model, &reference);
        let intercepts = question.intercept_difference(&model, &reference);
        let probabilities = question.probability_difference(&model, &reference);
        println!(
            "{title}: {:?} {} iterations {} passes, objective {objective:.0e} coefficients \
             {coefficients:.0e} intercepts {intercepts:.0e} probabilities {probabilities:.0e}",
            summary.stop, summary.iterations, summary.evaluations,
        );
        complaints.at_most(
            &title,
            "objective",
            objective,
            if degenerate { 1e-9 } else { 1e-10 },
        );
        if question.penalised() || !degenerate {
            let tolerance = if question.penalised() { 1e-6 } else { 1e-5 };
            complaints.at_most(&title, "coefficients", coefficients, tolerance);
            complaints.at_most(&title, "intercepts", intercepts, 1e-5);
            complaints.at_most(&title, "probabilities", probabilities, 1e-6);
        } else {
            complaints.at_most(&title, "probabilities", probabilities, 1e-3);
        }
        if !summary.converged {
            complaints.0.push(format!("{title}: {:?}", summary.stop));
        }
        models.push((title, model, summary.objective_history));
    }

    for fit in fits("spark", &input) {
        let question = Question::new(&input, &fit);
        let title = question.name();
        let (_, model, history) = models
            .iter()
            .find(|(reference, ..)| reference == &title)
            .expect("a reference of every fit of Spark");
        let start = number(&fit["tight"]["objectiveHistory0"]);
        complaints.at_most(&title, "start", (history[0] - start).abs(), 1e-12);
        let objective = question.objective(model);
        // With the default tolerance: an optimum to 1e-8, as good as MLlib's or better.
        let by_default = Question {
            params: LogisticRegression {
                tol: LogisticRegression::default().tol,
                ..question.params.clone()
            },
            ..Question::new(&input, &fit)
        };
        let (default_model, default_summary) = by_default.fit();
        let excess = question.objective(&default_model) / objective - 1.0;
        let mllib_excess = number(&fit["default"]["objective"]) / objective - 1.0;
        println!(
            "{title}, default tolerance: {:?} {} iterations, excess {excess:.0e}; MLlib {} iterations, \
             excess {mllib_excess:.0e}",
            default_summary.stop, default_summary.iterations, fit["default"]["iterations"],
        );
        complaints.at_most(
            &title,
            "excess by default",
            excess,
            1e-8_f64.min(mllib_excess + 1e-9),
        );
        for run in ["default", "tight"] {
            let reached = number(&fit[run]["objective"]);
            complaints.at_most(&title, run, (objective - reached) / reached, 1e-9);
        }
        if fit["tight_is_capped"].as_bool() == Some(true) {
            continue;
        }
        // Predictions are equal but where two classes are about as likely.
        let tight = question.model(
            &fit["tight"]["coefficientMatrix"],
            &fit["tight"]["interceptVector"],
        );
        for (row, expected) in input
            .features
            .iter()
            .zip(numbers(&fit["tight"]["prediction"]))
        {
            let probability = model.probability(row).unwrap();
            let mut sorted = probability.clone();
            sorted.sort_by(f64::total_cmp);
            let gap = sorted[sorted.len() - 1] - sorted[sorted.len() - 2];
            let prediction = f64::from(model.prediction(&probability));
            if gap > 1e-6 {
                complaints.at_most(&title, "prediction", (prediction - expected).abs(), 0.0);
            }
        }
        complaints.at_most(
            &title,
            "tight probabilities",
            question.probability_difference(model, &tight),
            5e-6,
        );
    }

    for fit in fits("sklearn", &input) {
        let question = Question::new(&input, &fit);
        let title = question.name();
        if fit["converged"].as_bool() != Some(true) {
            continue;
        }
        if let Some((_, model, _)) = models.iter().find(|(reference, ..)| reference == &title) {
            let reached = number(&fit["mllib_objective"]);
            let difference = (question.objective(model) - reached) / reached;
            complaints.at_most(&title, "scikit-learn's objective", difference, 1e-9);
        }
    }
    complaints.assert_none();
}

macro_rules! compare {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            compare(stringify!($name));
        })*
    };
}

compare! { tiny thumb64_4class thumb256_2class multi10 degen imbal1pct corr2048 }
