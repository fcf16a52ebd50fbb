//! Fits against scikit-learn, and against themselves.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;
use sparkles_learn::{
    Family, FitSummary, LearnError, LogisticRegression, LogisticRegressionModel, Matrix, StopReason,
};

const TIGHT: f64 = 1e-12;

fn tight(reg_param: f64) -> LogisticRegression {
    LogisticRegression {
        reg_param,
        tol: TIGHT,
        max_iter: 1000,
        threads: 1,
        ..LogisticRegression::default()
    }
}

fn fit(
    params: &LogisticRegression,
    features: &Matrix,
    labels: &[u32],
    weights: Option<&[f64]>,
) -> (LogisticRegressionModel, FitSummary) {
    let classes = usize::try_from(labels.iter().max().unwrap() + 1).unwrap();
    params.fit(features, labels, classes, weights).unwrap()
}

/// The rows of `reference/learn/oracle.py`.
struct Oracle {
    features: Matrix,
    two: Vec<u32>,
    three: Vec<u32>,
    weights: Vec<f64>,
}

fn oracle() -> Oracle {
    let mut values = Vec::new();
    for i in 0..40_u16 {
        values.push(f32::from(i * 7 % 11) / 4.0);
        values.push(f32::from(i * 5 % 13) / 2.0 - 3.0);
        values.push(f32::from(i * i % 17) * 8.0 + 100.0);
    }
    Oracle {
        features: Matrix::new(3, values).unwrap(),
        two: (0..40)
            .map(|i| u32::from(i * 3 % 7 + i % 2 * 2 > 4))
            .collect(),
        three: (0..40).map(|i| (i * 3 + i / 5) % 3).collect(),
        weights: (0..40).map(|i| 0.5 + f64::from(i % 3) / 2.0).collect(),
    }
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{name}: {found} is not {expected}"
        );
    }
}

/// scikit-learn 1.9.1, newton-cg, λ = 0.05: `reference/learn/oracle.py`.
#[test]
fn agrees_with_scikit_learn() {
    type Case = (&'static str, bool, bool, &'static [f64], &'static [f64]);
    let cases: [Case; 8] = [
        (
            "two",
            false,
            true,
            &[
                -0.044_197_374_700_450_38,
                -0.048_975_689_981_023_716,
                0.000_209_828_145_203_718_8,
            ],
            &[-0.285_001_397_874_945_33],
        ),
        (
            "two",
            false,
            false,
            &[
                -0.038_371_342_242_208_17,
                -0.056_464_957_742_587_855,
                0.000_231_576_948_483_992_95,
            ],
            &[-0.296_639_569_437_593_7],
        ),
        (
            "two",
            true,
            true,
            &[
                -0.099_750_021_231_547_54,
                -0.093_656_082_350_977_01,
                -0.003_983_522_743_979_207,
            ],
            &[0.421_339_459_367_278_7],
        ),
        (
            "two",
            true,
            false,
            &[
                -0.087_546_631_976_960_94,
                -0.110_325_516_110_907_06,
                -0.004_898_490_111_679_598,
            ],
            &[0.550_493_469_549_628_2],
        ),
        (
            "three",
            false,
            true,
            &[
                -0.225_423_934_640_614_94,
                0.037_203_095_345_491_73,
                -0.012_436_899_056_168_503,
                0.008_662_299_326_254_013,
                0.030_435_196_592_637_47,
                0.004_832_965_659_395_531,
                0.216_761_635_314_383_36,
                -0.067_638_291_938_125_22,
                0.007_603_933_396_774_146,
            ],
            &[
                2.388_196_921_327_092_6,
                -0.601_511_530_095_842_7,
                -1.786_685_391_231_249_7,
            ],
        ),
        (
            "three",
            false,
            false,
            &[
                -0.216_521_506_466_065_52,
                0.038_712_470_067_509_96,
                -0.015_043_358_939_305_25,
                0.006_573_111_486_844_984,
                0.034_570_243_491_424_645,
                0.005_592_238_947_074_149,
                0.209_948_394_979_220_16,
                -0.073_282_713_558_935_09,
                0.009_451_119_992_222_496,
            ],
            &[
                2.776_932_024_987_477,
                -0.698_301_968_475_777_7,
                -2.078_630_056_511_699_3,
            ],
        ),
        (
            "three",
            true,
            true,
            &[
                -0.075_408_619_428_223_81,
                0.027_101_667_402_512_34,
                -0.012_887_846_039_467_946,
                -0.236_783_799_014_873_92,
                0.132_554_127_728_687_24,
                0.005_471_096_265_025_085,
                0.312_192_418_443_073_05,
                -0.159_655_795_131_197_2,
                0.007_416_749_774_442_99,
            ],
            &[
                2.153_276_223_674_519_3,
                -0.387_371_783_888_046_6,
                -1.765_904_439_786_472_7,
            ],
        ),
        (
            "three",
            true,
            false,
            &[
                -0.069_998_739_530_611_88,
                0.030_890_846_045_143_323,
                -0.015_825_859_180_499_6,
                -0.223_908_881_759_127_35,
                0.145_856_603_783_708_32,
                0.006_638_084_991_573_074,
                0.293_907_621_289_739_5,
                -0.176_747_449_828_851_35,
                0.009_187_774_188_964_099,
            ],
            &[
                2.583_902_754_047_498,
                -0.563_809_597_755_779_2,
                -2.020_093_156_291_718_4,
            ],
        ),
    ];
    let oracle = oracle();
    for (labels, weighted, standardization, coefficients, intercepts) in cases {
        let name = format!("{labels} weighted={weighted} standardization={standardization}");
        let params = LogisticRegression {
            standardization,
            ..tight(0.05)
        };
        let labels = if labels == "two" {
            &oracle.two
        } else {
            &oracle.three
        };
        let weights = weighted.then_some(oracle.weights.as_slice());
        let (model, summary) = fit(&params, &oracle.features, labels, weights);
        assert!(summary.converged, "{name} {summary:?}");
        assert_close(&name, model.coefficients(), coefficients, 1e-8);
        assert_close(&name, model.intercepts(), intercepts, 1e-6);
    }
}

/// 3000 rows of 90 columns: six chunks, and columns that do not fill the last lanes.
fn wide() -> (Matrix, Vec<u32>) {
    let mut state = 1_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap()) / 65_536.0
    };
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..3000 {
        let row: Vec<f32> = (0..90).map(|_| random()).collect();
        let score = row[0] + row[1] - row[2] + random();
        labels.push(u32::from(score > 0.7) + u32::from(score > 1.3));
        values.extend(row);
    }
    (Matrix::new(90, values).unwrap(), labels)
}

#[test]
fn same_bits_for_any_number_of_threads() {
    let (features, three) = wide();
    let two: Vec<u32> = three.iter().map(|&label| label.min(1)).collect();
    for labels in [two, three] {
        let with = |threads| {
            let params = LogisticRegression {
                threads,
                ..LogisticRegression::default()
            };
            fit(&params, &features, &labels, None)
        };
        let one = with(1);
        assert!(one.1.converged);
        for threads in [0, 2, 3, 7] {
            assert_eq!(one, with(threads), "{threads} threads");
        }
    }
}

#[test]
fn binomial_is_multinomial_of_two_classes() {
    let oracle = oracle();
    let binomial = tight(0.1);
    // β = β₁ − β₀ is split in two, so its square costs half.
    let multinomial = LogisticRegression {
        family: Family::Multinomial,
        ..tight(0.2)
    };
    let (one, _) = fit(&binomial, &oracle.features, &oracle.two, None);
    let (two, _) = fit(&multinomial, &oracle.features, &oracle.two, None);
    assert_eq!(
        (one.family(), two.family()),
        (Family::Binomial, Family::Multinomial)
    );
    assert!(two.intercepts().iter().sum::<f64>().abs() < 1e-12);
    for row in &oracle.features {
        let (one, two) = (one.probability(row).unwrap(), two.probability(row).unwrap());
        assert_close("probability", &one, &two, 1e-9);
    }
}

#[test]
fn without_penalty_coefficients_are_centred() {
    let oracle = oracle();
    let (model, summary) = fit(&tight(0.0), &oracle.features, &oracle.three, None);
    assert!(summary.converged, "{summary:?}");
    for column in 0..3 {
        let sum: f64 = model.coefficients().iter().skip(column).step_by(3).sum();
        assert!(sum.abs() < 1e-12);
    }
}

#[test]
fn starts_at_the_class_frequencies() {
    let oracle = oracle();
    let none = LogisticRegression {
        max_iter: 0,
        ..LogisticRegression::default()
    };
    let (model, summary) = fit(&none, &oracle.features, &oracle.two, None);
    let positives = oracle.two.iter().filter(|&&label| label == 1).count() as f64;
    assert_close(
        "intercept",
        model.intercepts(),
        &[(positives / (40.0 - positives)).ln()],
        1e-12,
    );
    assert_eq!(
        (summary.iterations, summary.stop, summary.converged),
        (0, StopReason::MaxIter, false)
    );
    let share = positives / 40.0;
    let entropy = -share * share.ln() - (1.0 - share) * (1.0 - share).ln();
    assert!((summary.objective() - entropy).abs() < 1e-12);
}

#[test]
fn separable_classes_converge_with_a_penalty() {
    let features = Matrix::new(1, vec![-2.0, -1.0, 1.0, 2.0]).unwrap();
    let (model, summary) = fit(
        &LogisticRegression::default(),
        &features,
        &[0, 0, 1, 1],
        None,
    );
    assert!(summary.converged);
    assert_eq!(model.prediction(&model.probability(&[0.5]).unwrap()), 1);
}

/// A column of mean 2²⁰ and deviation of about 1: f32 still tells its values apart.
#[test]
fn a_large_mean_costs_no_digits() {
    let noise = |i: u16| f32::from(i * 37 % 16) / 4.0 - 2.0;
    let labels: Vec<u32> = (0..64).map(|i| u32::from(i * 7 % 5 > 2)).collect();
    let near = Matrix::new(1, (0..64).map(noise).collect()).unwrap();
    let far = Matrix::new(1, (0..64).map(|i| noise(i) + 1_048_576.0).collect()).unwrap();
    let (near, _) = fit(&tight(0.01), &near, &labels, None);
    let (far, summary) = fit(&tight(0.01), &far, &labels, None);
    assert!(summary.converged);
    assert_close(
        "coefficients",
        far.coefficients(),
        near.coefficients(),
        1e-10,
    );
    let moved = near.intercepts()[0] - near.coefficients()[0] * 1_048_576.0;
    assert_close("intercepts", far.intercepts(), &[moved], 1e-4);
}

#[test]
fn constant_columns_and_absent_classes_are_reported() {
    let features = Matrix::new(2, vec![1.0, 5.0, 2.0, 5.0, 0.0, 5.0, 4.0, 5.0]).unwrap();
    for fit_intercept in [true, false] {
        for standardization in [true, false] {
            let params = LogisticRegression {
                fit_intercept,
                standardization,
                ..LogisticRegression::default()
            };
            let (model, summary) = params.fit(&features, &[0, 2, 0, 2], 4, None).unwrap();
            assert_eq!(summary.constant_columns, 1);
            assert_eq!(summary.absent_classes, [1, 3]);
            for constant in model.coefficients().iter().skip(1).step_by(2) {
                assert_eq!(constant.to_bits() << 1, 0);
            }
            let probability = model.probability(&[4.0, 5.0]).unwrap();
            assert!((probability.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        }
    }
}

/// Params, features, label indices, classes, weights; the message.
type Case<'a> = (
    &'a LogisticRegression,
    &'a Matrix,
    &'a [u32],
    usize,
    Option<&'a [f64]>,
    &'a str,
);

#[test]
fn bad_input_is_named() {
    let features = Matrix::new(2, vec![1.0, 2.0, 2.0, 1.0, 0.0, 3.0]).unwrap();
    let with_nan = Matrix::new(2, vec![1.0, 2.0, 2.0, f32::NAN]).unwrap();
    let huge = Matrix::new(1, vec![f32::MAX, f32::MIN, 0.0]).unwrap();
    let empty = Matrix::new(2, vec![]).unwrap();
    let plain = LogisticRegression::default();
    let negative = LogisticRegression {
        reg_param: -1.0,
        ..plain.clone()
    };
    let no_number = LogisticRegression {
        tol: f64::NAN,
        ..plain.clone()
    };
    let binomial = LogisticRegression {
        family: Family::Binomial,
        ..plain.clone()
    };
    let cases: [Case<'_>; 13] = [
        (
            &plain,
            &empty,
            &[],
            2,
            None,
            "no rows: at least one is needed",
        ),
        (
            &plain,
            &features,
            &[0, 1],
            2,
            None,
            "expected 3 label indices, one per row, found 2",
        ),
        (
            &plain,
            &features,
            &[0, 1, 2],
            2,
            None,
            "label index 2 in row 2 is out of range: there are 2 classes",
        ),
        (
            &plain,
            &features,
            &[1, 1, 1],
            2,
            None,
            "all 3 rows are of class 1: telling classes apart needs rows of at least two",
        ),
        (
            &plain,
            &features,
            &[0, 1, 0],
            2,
            Some(&[1.0, 0.0, 1.0]),
            "all 2 rows are of class 0: telling classes apart needs rows of at least two",
        ),
        (
            &plain,
            &features,
            &[0, 1, 0],
            2,
            Some(&[1.0]),
            "expected 3 weights, one per row, found 1",
        ),
        (
            &plain,
            &features,
            &[0, 1, 0],
            2,
            Some(&[1.0, -1.0, 1.0]),
            "weight in row 1 is -1, expected a finite number of at least 0",
        ),
        (
            &plain,
            &features,
            &[0, 1, 0],
            2,
            Some(&[0.0; 3]),
            "the weights of 3 rows add up to 0, expected more than 0 and finite",
        ),
        (
            &plain,
            &with_nan,
            &[0, 1],
            2,
            None,
            "feature in row 1, column 1 is NaN, not a finite number",
        ),
        (
            &negative,
            &features,
            &[0, 1, 0],
            2,
            None,
            "`reg_param` is -1, expected a finite number of at least 0",
        ),
        (
            &no_number,
            &features,
            &[0, 1, 0],
            2,
            None,
            "`tol` is NaN, expected a finite number of at least 0",
        ),
        (
            &binomial,
            &features,
            &[0, 1, 2],
            3,
            None,
            "family `binomial` takes 2 classes, found 3",
        ),
        (
            &plain,
            &features,
            &[0, 0, 0],
            0,
            None,
            "label index 0 in row 0 is out of range: there are 0 classes",
        ),
    ];
    for (params, features, labels, classes, weights, message) in cases {
        let error = params.fit(features, labels, classes, weights).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // The largest numbers of f32 are no reason to fail.
    let (model, summary) = plain.fit(&huge, &[1, 0, 0], 2, None).unwrap();
    assert!(summary.converged && model.coefficients()[0].is_finite());
    assert!(matches!(
        "logit".parse::<Family>(),
        Err(LearnError::Unknown { .. })
    ));
    assert_eq!(
        "multinomial".parse::<Family>().unwrap(),
        Family::Multinomial
    );
}

#[test]
fn params_are_saved_without_threads() {
    let params = LogisticRegression {
        reg_param: 0.25,
        family: Family::Binomial,
        ..LogisticRegression::default()
    };
    let json = serde_json::to_string(&params).unwrap();
    let expected = r#"{"reg_param":0.25,"max_iter":100,"tol":1e-6,"fit_intercept":true,"standardization":true,"family":"binomial"}"#;
    assert_eq!(json, expected);
    assert_eq!(
        serde_json::from_str::<LogisticRegression>(&json).unwrap(),
        params
    );
    let defaults: LogisticRegression = serde_json::from_str("{}").unwrap();
    assert_eq!(defaults, LogisticRegression::default());
}

#[test]
fn a_model_from_its_parts_is_the_model() {
    let oracle = oracle();
    let (model, _) = fit(
        &LogisticRegression::default(),
        &oracle.features,
        &oracle.three,
        None,
    );
    let again = LogisticRegressionModel::from_parts(
        model.family(),
        model.class_count(),
        model.columns(),
        model.coefficients().to_vec(),
        model.intercepts().to_vec(),
    );
    assert_eq!(again.unwrap(), model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_and_repetition_of_rows_do_not_matter(
        rows in prop::collection::vec((-8i8..8, -8i8..8, 0u32..3, 0u8..4), 6..30),
        turn in 0usize..30,
    ) {
        let present = |class| rows.iter().any(|row| row.2 == class && row.3 > 0);
        prop_assume!(present(0) && present(1));
        let features = |rows: &[(i8, i8, u32, u8)]| {
            let values = rows.iter().flat_map(|row| [f32::from(row.0), f32::from(row.1)]);
            Matrix::new(2, values.collect()).unwrap()
        };
        let labels = |rows: &[(i8, i8, u32, u8)]| rows.iter().map(|row| row.2).collect::<Vec<u32>>();
        let weights = |rows: &[(i8, i8, u32, u8)]| rows.iter().map(|row| f64::from(row.3)).collect::<Vec<f64>>();
        let fit = |rows: &[(i8, i8, u32, u8)], weights: Option<Vec<f64>>, standardization| {
            let params = LogisticRegression { standardization, ..tight(0.1) };
            params.fit(&features(rows), &labels(rows), 3, weights.as_deref()).unwrap().0
        };

        let model = fit(&rows, Some(weights(&rows)), true);
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        let permuted = fit(&turned, Some(weights(&turned)), true);
        assert_close("permuted", permuted.coefficients(), model.coefficients(), 1e-7);

        // The unbiased deviation knows weights from repeated rows, so without it:
        let model = fit(&rows, Some(weights(&rows)), false);
        let repeated: Vec<_> = rows.iter().flat_map(|row| std::iter::repeat_n(*row, usize::from(row.3))).collect();
        let repeated = fit(&repeated, None, false);
        assert_close("repeated", repeated.coefficients(), model.coefficients(), 1e-7);
    }
}
