//! Indexer, evaluators and edge cases against what Spark and scikit-learn made of them.
//!
//! The goldens are not part of the repository; where they are missing, the tests say
//! so and pass. Fits on the larger inputs, which are Parquet, are compared in the tests
//! of the crate `sparkles`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap fails the test"
)]

use std::path::Path;

use serde_json::Value;
use sparkles_learn::metrics::{BinaryScores, Confusion, log_loss};
use sparkles_learn::{Family, LabelOrder, LearnError, LogisticRegression, Matrix, StringIndexer};

fn golden(file: &str) -> Option<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/golden");
    let path = Path::new(folder).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no {}", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// Numbers, also those that JSON cannot hold and that stand there as strings.
fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().expect("a number").parse().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    array(value).iter().map(number).collect()
}

fn indices(value: &Value) -> Vec<u32> {
    numbers(value)
        .into_iter()
        .map(|index| {
            (0..100)
                .find(|&i| (f64::from(i) - index).abs() < 1e-9)
                .unwrap()
        })
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    array(value).iter().filter_map(Value::as_str).collect()
}

fn assert_close(name: &str, found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 1e-12,
        "{name}: {found} is not {expected}"
    );
}

#[test]
fn string_indexer() {
    let Some(golden) = golden("string_indexer.json") else {
        return;
    };
    for case in array(&golden["cases"]) {
        let order: LabelOrder = case["order"].as_str().unwrap().parse().unwrap();
        let rows = array(&golden["sets"][case["set"].as_str().unwrap()]);
        let model = StringIndexer { order }.fit(rows.iter().filter_map(Value::as_str));
        assert_eq!(
            model.labels(),
            strings(&case["labels"]),
            "{order} {}",
            case["set"]
        );
        let Some(transformed) = case["transform_train"].as_array() else {
            continue;
        };
        for row in transformed {
            let id = usize::try_from(row[0].as_u64().unwrap()).unwrap();
            let expected = number(&row[1]);
            let Some(label) = rows[id].as_str() else {
                continue;
            };
            assert_close(label, f64::from(model.index(label).unwrap()), expected);
        }
    }
    assert!(!array(&golden["cases"]).is_empty());
}

#[test]
fn binary_evaluator() {
    let Some(golden) = golden("evaluators.json") else {
        return;
    };
    for case in array(&golden["binary"]) {
        let scores = numbers(&case["score"]);
        let labels = indices(&case["label"]);
        let positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let all_weights = numbers(&case["weight"]);
        for weighting in ["unweighted", "weighted"] {
            let name = format!("{} {weighting}", case["name"]);
            let weights = (weighting == "weighted").then_some(all_weights.as_slice());
            let binary = BinaryScores::new(&scores, &positive, weights).unwrap();
            let spark =
                |metric: &str| number(&case["spark"][format!("{metric}/numBins=0/{weighting}")]);
            assert_close(&name, binary.area_under_roc(), spark("areaUnderROC"));
            assert_close(&name, binary.area_under_pr(), spark("areaUnderPR"));
            let sklearn = &case["sklearn"][weighting];
            let average_precision = number(&sklearn["average_precision_score"]);
            assert_close(&name, binary.average_precision(), average_precision);
            let roc = &sklearn["roc_auc_score"];
            // Not defined for one class: Spark's 0 or 1 is what we return.
            if let Some(roc) = roc.as_f64() {
                assert_close(&name, binary.area_under_roc(), roc);
            }
        }
    }
}

#[test]
fn multiclass_evaluator() {
    let Some(golden) = golden("evaluators.json") else {
        return;
    };
    for case in array(&golden["multiclass"]) {
        let labels = indices(&case["label"]);
        let predictions = indices(&case["prediction"]);
        let probabilities: Vec<Vec<f64>> =
            array(&case["probability"]).iter().map(numbers).collect();
        let classes = probabilities[0].len();
        let all_weights = numbers(&case["weight"]);
        for weighting in ["unweighted", "weighted"] {
            let name = format!("{} {weighting}", case["name"]);
            let weights = (weighting == "weighted").then_some(all_weights.as_slice());
            let confusion = Confusion::new(classes, &labels, &predictions, weights).unwrap();
            let loss = log_loss(&probabilities, &labels, weights).unwrap();
            let spark = |metric: &str, found| {
                let expected = number(&case["spark"][format!("{metric}/{weighting}")]);
                assert_close(&format!("{name} {metric}"), found, expected);
            };
            spark("f1", confusion.weighted_f1());
            spark("accuracy", confusion.accuracy());
            spark("weightedPrecision", confusion.weighted_precision());
            spark("weightedRecall", confusion.weighted_recall());
            spark("logLoss", loss);

            let sklearn = &case["sklearn"][weighting];
            let of = |metric: &str, found| {
                assert_close(&format!("{name} {metric}"), found, number(&sklearn[metric]));
            };
            if sklearn.get("f1_score_macro").is_some() {
                of("accuracy_score", confusion.accuracy());
                of("f1_score_macro", confusion.macro_f1());
                of("f1_score_weighted", confusion.weighted_f1());
                let per_class = confusion.per_class();
                let by_label = |metric: &str| numbers(&sklearn[metric]);
                for (class, metrics) in per_class.iter().enumerate() {
                    assert_close(
                        &name,
                        metrics.precision,
                        by_label("precision_score_by_label")[class],
                    );
                    assert_close(
                        &name,
                        metrics.recall,
                        by_label("recall_score_by_label")[class],
                    );
                    assert_close(&name, metrics.f1, by_label("f1_score_by_label")[class]);
                }
            }
            if weights.is_none()
                && let Some(rows) = sklearn["confusion_matrix"].as_array()
            {
                let counts = rows.iter().flat_map(numbers);
                for (found, expected) in confusion.counts().iter().zip(counts) {
                    assert_close(&name, *found as f64, expected);
                }
            }
        }
    }
}

/// The small fits that stand in JSON, hostile ones among them.
#[test]
fn edges() {
    let Some(golden) = golden("thresholds_and_edges.json") else {
        return;
    };
    let mut compared = 0;
    for case in array(&golden["edge"]) {
        let name = case["name"].as_str().unwrap();
        let params = &case["params"];
        if params.get("elasticNetParam").is_some() {
            continue;
        }
        let labels = numbers(&case["y"]);
        // The type of a label index keeps negative, fractional and NaN labels out.
        if labels.iter().any(|&y| !(y >= 0.0 && y.fract() == 0.0)) {
            assert!(case.get("error").is_some(), "{name}");
            continue;
        }
        let labels = indices(&case["y"]);
        let rows: Vec<Vec<f64>> = array(&case["X"]).iter().map(numbers).collect();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "small numbers, NaN and infinity"
        )]
        let values = rows.iter().flatten().map(|&x| x as f32).collect();
        let features = Matrix::new(rows[0].len(), values).unwrap();
        let estimator = LogisticRegression {
            reg_param: params.get("regParam").map_or(0.0, number),
            fit_intercept: params
                .get("fitIntercept")
                .is_none_or(|value| value.as_bool().unwrap()),
            max_iter: params.get("maxIter").map_or(100, |value| {
                usize::try_from(value.as_u64().unwrap()).unwrap()
            }),
            family: params.get("family").map_or(Family::Auto, |value| {
                value.as_str().unwrap().parse().unwrap()
            }),
            ..LogisticRegression::default()
        };
        let classes = usize::try_from(labels.iter().max().unwrap() + 1).unwrap();
        let result = estimator.fit(&features, &labels, classes, None);
        if case.get("error").is_some() {
            assert!(result.is_err(), "{name}");
            compared += 1;
            continue;
        }
        if labels.iter().all(|label| label == &labels[0]) {
            assert!(matches!(result, Err(LearnError::OneClass { .. })), "{name}");
            continue;
        }
        let (model, summary) = result.unwrap();
        let history = numbers(&case["objectiveHistory"]);
        assert_close(name, summary.objective_history[0], history[0]);
        let probabilities: Vec<Vec<f64>> = features
            .iter()
            .map(|row| model.probability(row).unwrap())
            .collect();
        let predictions: Vec<u32> = probabilities
            .iter()
            .map(|row| model.prediction(row))
            .collect();
        assert_eq!(predictions, indices(&case["prediction"]), "{name}");
        if estimator.max_iter != 1 {
            let reached = *history.last().unwrap();
            // MLlib's default tolerance; one-sided, but for what falls towards 0.
            let slack = if estimator.reg_param == 0.0 {
                1e-5
            } else {
                1e-9
            };
            assert!(
                summary.objective() <= reached + slack,
                "{name}: {summary:?}, {reached}"
            );
            for (found, expected) in probabilities.iter().zip(array(&case["probability"])) {
                for (found, expected) in found.iter().zip(numbers(expected)) {
                    assert!(
                        (found - expected).abs() < 1e-3,
                        "{name}: {found} is not {expected}"
                    );
                }
            }
        }
        compared += 1;
    }
    assert!(compared >= 7, "{compared}");
}
