//! Train, validation and test parts by the hash of a sample's id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::LearnError;

/// How far the shares may be from adding up to 1.
const SUM_TOLERANCE: f64 = 1e-9;

/// A part of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The model is fitted to it.
    Train,
    /// Params are chosen on it.
    Validation,
    /// Held back: only evaluation sees it.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

impl FromStr for Part {
    type Err = LearnError;

    fn from_str(text: &str) -> Result<Self, LearnError> {
        match text {
            "train" => Ok(Self::Train),
            "validation" => Ok(Self::Validation),
            "test" => Ok(Self::Test),
            _ => Err(LearnError::Unknown {
                what: "part",
                found: text.to_owned(),
                expected: "train, validation, test",
            }),
        }
    }
}

/// Shares of the train, validation and test part, adding up to 1.
///
/// Written `0.8,0.2` (train, test), `0.7,0.1,0.2` (train, validation, test), or as the
/// train share alone: `0.8`, and `1.0` for no test part. A sample's part depends on its
/// id, the seed and the ratio alone, so samples that are added later move none of
/// those there were.
///
/// ```
/// use sparkles_learn::{Part, SplitRatio};
///
/// let ratio: SplitRatio = "0.7,0.1,0.2".parse()?;
/// assert_eq!(ratio.to_string(), "0.7,0.1,0.2");
/// let part = ratio.part("photo-17.jpg", 42);
/// assert_eq!(part, ratio.part("photo-17.jpg", 42));
/// let all: SplitRatio = "1.0".parse()?;
/// assert_eq!(all.part("photo-17.jpg", 42), Part::Train);
/// # Ok::<(), sparkles_learn::LearnError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SplitRatio {
    train: f64,
    validation: f64,
    test: f64,
}

impl Default for SplitRatio {
    /// `0.8,0.2`
    fn default() -> Self {
        Self {
            train: 0.8,
            validation: 0.0,
            test: 0.2,
        }
    }
}

impl SplitRatio {
    /// Share of the train part, above 0.
    pub fn train(&self) -> f64 {
        self.train
    }

    /// Share of the validation part; often 0.
    pub fn validation(&self) -> f64 {
        self.validation
    }

    /// Share of the test part; 0 where all samples train.
    pub fn test(&self) -> f64 {
        self.test
    }

    /// The part of the sample (or of the group of samples) with this id.
    ///
    /// The first eight bytes of BLAKE3 over the seed (8 bytes, little endian) and the
    /// id, read as a little-endian number, are a place in [0, 1): train lies below its
    /// share, then validation, then test.
    pub fn part(&self, id: &str, seed: u64) -> Part {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(id.as_bytes());
        let hash = hasher.finalize();
        let number = hash
            .as_bytes()
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        // 53 bits are what an f64 holds.
        let place = (number >> 11) as f64 / (1_u64 << 53) as f64;
        if place < self.train || self.validation + self.test == 0.0 {
            Part::Train
        } else if self.validation > 0.0
            && (place < self.train + self.validation || self.test == 0.0)
        {
            Part::Validation
        } else {
            Part::Test
        }
    }
}

impl FromStr for SplitRatio {
    type Err = LearnError;

    fn from_str(text: &str) -> Result<Self, LearnError> {
        let refuse = |reason| LearnError::SplitRatio {
            text: text.to_owned(),
            reason,
        };
        let shares: Vec<f64> = text
            .split(',')
            .map(|share| share.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| refuse("expected numbers such as `0.8,0.2` or `0.7,0.1,0.2`"))?;
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(refuse("shares must be from 0 to 1"));
        }
        let (train, validation, test) = match shares[..] {
            [train] => (train, 0.0, rounded(1.0 - train)),
            [train, test] => (train, 0.0, test),
            [train, validation, test] => (train, validation, test),
            _ => {
                return Err(refuse(
                    "expected one to three shares: train, validation, test",
                ));
            }
        };
        if (train + validation + test - 1.0).abs() > SUM_TOLERANCE {
            return Err(refuse("the shares must add up to 1"));
        }
        if train == 0.0 {
            return Err(refuse("the train share must be above 0"));
        }
        Ok(Self {
            train,
            // Adding 0 makes a plain 0 of -0.
            validation: validation + 0.0,
            test: test + 0.0,
        })
    }
}

/// 1 − 0.8 is 0.19999999999999996; 0.2 is what was meant.
fn rounded(share: f64) -> f64 {
    (share * 1e12).round() / 1e12
}

impl fmt::Display for SplitRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.validation > 0.0 {
            write!(f, "{},{},{}", self.train, self.validation, self.test)
        } else {
            write!(f, "{},{}", self.train, self.test)
        }
    }
}

impl TryFrom<String> for SplitRatio {
    type Error = LearnError;

    fn try_from(text: String) -> Result<Self, LearnError> {
        text.parse()
    }
}

impl From<SplitRatio> for String {
    fn from(ratio: SplitRatio) -> Self {
        ratio.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use proptest::prelude::*;

    use super::*;

    fn ratio(text: &str) -> SplitRatio {
        text.parse().unwrap()
    }

    #[test]
    fn read_and_written() {
        let cases = [
            ("0.8,0.2", "0.8,0.2"),
            ("0.8", "0.8,0.2"),
            ("1.0", "1,0"),
            (" 0.7, 0.1, 0.2 ", "0.7,0.1,0.2"),
            ("0.9,0,0.1", "0.9,0.1"),
            ("0.9,0.1,0", "0.9,0.1,0"),
        ];
        for (text, written) in cases {
            assert_eq!(ratio(text).to_string(), written);
            assert_eq!(ratio(written), ratio(text));
        }
        assert_eq!(ratio("0.8"), SplitRatio::default());
        let json = serde_json::to_string(&ratio("0.8")).unwrap();
        assert_eq!(json, r#""0.8,0.2""#);
        assert_eq!(
            serde_json::from_str::<SplitRatio>(&json).unwrap(),
            ratio("0.8")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let cases = [
            ("", "expected numbers such as `0.8,0.2` or `0.7,0.1,0.2`"),
            ("80%", "expected numbers such as `0.8,0.2` or `0.7,0.1,0.2`"),
            ("0.8,0.1", "the shares must add up to 1"),
            ("80,20", "shares must be from 0 to 1"),
            ("nan", "shares must be from 0 to 1"),
            ("-0.2,1.2", "shares must be from 0 to 1"),
            ("0,1", "the train share must be above 0"),
            (
                "0.25,0.25,0.25,0.25",
                "expected one to three shares: train, validation, test",
            ),
        ];
        for (text, reason) in cases {
            let error = text.parse::<SplitRatio>().unwrap_err().to_string();
            assert_eq!(error, format!("split ratio `{text}`: {reason}"));
        }
        assert_eq!("test".parse::<Part>().unwrap(), Part::Test);
        assert!("held-back".parse::<Part>().is_err());
    }

    /// Parts are promised to be stable: a change here moves everybody's samples.
    #[test]
    fn parts_are_pinned() {
        let parts: String = (0..24)
            .map(
                |i| match ratio("0.5,0.25,0.25").part(&format!("sample-{i}"), 7) {
                    Part::Train => 't',
                    Part::Validation => 'v',
                    Part::Test => 'x',
                },
            )
            .collect();
        assert_eq!(parts, "vxvvtvtxtvvxxtttvtxxtxtt");
    }

    #[test]
    fn shares_are_met() {
        let ids: Vec<String> = (0..20_000).map(|i| format!("{i:016x}")).collect();
        let ratio = ratio("0.7,0.1,0.2");
        let share = |part| {
            let hits = ids.iter().filter(|id| ratio.part(id, 1) == part).count();
            hits as f64 / ids.len() as f64
        };
        for (part, expected) in [
            (Part::Train, 0.7),
            (Part::Validation, 0.1),
            (Part::Test, 0.2),
        ] {
            // four standard deviations
            assert!(
                (share(part) - expected).abs() < 0.013,
                "{part} {}",
                share(part)
            );
        }
        let same = ids
            .iter()
            .filter(|id| ratio.part(id, 1) == ratio.part(id, 2))
            .count();
        assert!(
            (same as f64 / ids.len() as f64 - 0.54).abs() < 0.02,
            "seeds are independent"
        );
    }

    proptest! {
        #[test]
        fn a_larger_train_share_only_adds(id in ".{0,20}", seed: u64, a in 0.01..1.0_f64, b in 0.01..1.0_f64) {
            let (less, more) = (ratio(&a.min(b).to_string()), ratio(&a.max(b).to_string()));
            if less.part(&id, seed) == Part::Train {
                prop_assert_eq!(more.part(&id, seed), Part::Train);
            }
            prop_assert_eq!(ratio("1.0").part(&id, seed), Part::Train);
            prop_assert_ne!(ratio("0.9,0.1,0").part(&id, seed), Part::Test);
            prop_assert_ne!(ratio("0.6,0.4").part(&id, seed), Part::Validation);
        }
    }
}
