//! How far a share that was counted may be from the truth.

/// z of the interval that holds the truth 95 times in 100.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's score interval of a share, `successes` of `trials`.
///
/// `z` is the normal quantile, [`Z_95`] for 95 %:
/// (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n). Unlike the textbook interval it
/// never leaves 0 to 1 and holds for few trials and for shares near 1. No trials tell
/// nothing: (0, 1). More successes than trials count as all of them.
///
/// ```
/// use sparkles_learn::metrics::{Z_95, wilson_interval};
///
/// let (low, high) = wilson_interval(97, 100, Z_95);
/// assert!((low - 0.9155).abs() < 5e-5 && (high - 0.9897).abs() < 5e-5);
/// ```
pub fn wilson_interval(successes: u64, trials: u64, z: f64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let share = successes.min(trials) as f64 / n;
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // Exactly 0 and 1 at the ends, which rounding would miss.
    let low = if successes == 0 {
        0.0
    } else {
        (centre - half) / scale
    };
    let high = if successes >= trials {
        1.0
    } else {
        (centre + half) / scale
    };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1, `binomtest(k, n).proportion_ci(method="wilson")`: reference/learn/oracle.py
        let cases = [
            (0, 10, 0.0, 0.277_532_799_862_889_26),
            (1, 10, 0.017_876_213_095_072_896, 0.404_150_026_795_238_5),
            (97, 100, 0.915_480_635_709_472_4, 0.989_745_475_975_961_1),
            (512, 513, 0.989_041_959_658_325_3, 0.999_655_814_637_833_2),
            (513, 513, 0.992_567_432_903_971_2, 1.0),
            (3, 7, 0.158_219_855_251_469_7, 0.749_541_635_472_342_8),
        ];
        for (successes, trials, low, high) in cases {
            let found = wilson_interval(successes, trials, Z_95);
            assert!(
                (found.0 - low).abs() < 1e-12,
                "{successes}/{trials}: {found:?}"
            );
            assert!(
                (found.1 - high).abs() < 1e-12,
                "{successes}/{trials}: {found:?}"
            );
        }
    }

    #[test]
    fn no_trials_tell_nothing() {
        assert_eq!(wilson_interval(0, 0, Z_95), (0.0, 1.0));
        assert_eq!(wilson_interval(5, 3, Z_95), wilson_interval(3, 3, Z_95));
    }
}
