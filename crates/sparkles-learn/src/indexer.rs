//! Labels to label indices and back, as Spark's `StringIndexer`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::LearnError;

/// Which label gets index 0.
///
/// Strings are compared by their UTF-8 bytes, which is by code point. Labels of equal
/// frequency are in ascending order with either frequency order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LabelOrder {
    /// The most frequent label first.
    #[default]
    FrequencyDesc,
    /// The least frequent label first.
    FrequencyAsc,
    /// The last label of the alphabet first.
    AlphabetDesc,
    /// The first label of the alphabet first.
    AlphabetAsc,
}

impl fmt::Display for LabelOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FrequencyDesc => "frequencyDesc",
            Self::FrequencyAsc => "frequencyAsc",
            Self::AlphabetDesc => "alphabetDesc",
            Self::AlphabetAsc => "alphabetAsc",
        })
    }
}

impl FromStr for LabelOrder {
    type Err = LearnError;

    fn from_str(text: &str) -> Result<Self, LearnError> {
        match text {
            "frequencyDesc" => Ok(Self::FrequencyDesc),
            "frequencyAsc" => Ok(Self::FrequencyAsc),
            "alphabetDesc" => Ok(Self::AlphabetDesc),
            "alphabetAsc" => Ok(Self::AlphabetAsc),
            _ => Err(LearnError::Unknown {
                what: "label order",
                found: text.to_owned(),
                expected: "frequencyDesc, frequencyAsc, alphabetDesc, alphabetAsc",
            }),
        }
    }
}

/// Estimator of Spark ML's `StringIndexer`: learns which labels there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StringIndexer {
    /// Default frequencyDesc.
    pub order: LabelOrder,
}

impl StringIndexer {
    /// Orders the labels that occur. The empty string is a label like any other.
    pub fn fit<'a>(&self, labels: impl IntoIterator<Item = &'a str>) -> StringIndexerModel {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for label in labels {
            *counts.entry(label).or_default() += 1;
        }
        let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
        counts.sort_unstable_by(|(a, a_count), (b, b_count)| {
            let by_count = match self.order {
                LabelOrder::FrequencyDesc => b_count.cmp(a_count),
                LabelOrder::FrequencyAsc => a_count.cmp(b_count),
                LabelOrder::AlphabetDesc => return b.cmp(a),
                LabelOrder::AlphabetAsc => Ordering::Equal,
            };
            by_count.then_with(|| a.cmp(b))
        });
        let labels = counts.into_iter().map(|(label, _)| label.to_owned());
        StringIndexerModel::of_distinct(labels.collect())
    }
}

/// The labels in the order of their indices. Saved as the list of labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct StringIndexerModel {
    labels: Vec<String>,
    indices: HashMap<String, u32>,
}

impl StringIndexerModel {
    /// The labels given, index 0 first. A label that stands twice is an error.
    pub fn from_labels(labels: Vec<String>) -> Result<Self, LearnError> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (second, label) in labels.iter().enumerate() {
            if let Some(first) = seen.insert(label, second) {
                return Err(LearnError::DoubledLabel {
                    label: label.clone(),
                    first,
                    second,
                });
            }
        }
        Ok(Self::of_distinct(labels))
    }

    fn of_distinct(labels: Vec<String>) -> Self {
        let indices = labels.iter().cloned().zip(0..).collect();
        Self { labels, indices }
    }

    /// All labels, index 0 first.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The index of `label`; `None` for one that was not seen.
    pub fn index(&self, label: &str) -> Option<u32> {
        self.indices.get(label).copied()
    }

    /// The label of `index`.
    pub fn label(&self, index: u32) -> Option<&str> {
        let index = usize::try_from(index).ok()?;
        self.labels.get(index).map(String::as_str)
    }
}

impl TryFrom<Vec<String>> for StringIndexerModel {
    type Error = LearnError;

    fn try_from(labels: Vec<String>) -> Result<Self, LearnError> {
        Self::from_labels(labels)
    }
}

impl From<StringIndexerModel> for Vec<String> {
    fn from(model: StringIndexerModel) -> Self {
        model.labels
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn orders() {
        // Frequencies: b 3, a 2, Z 1, é 1; U+FFFD sorts before U+1F600.
        let labels = ["b", "a", "é", "b", "Z", "b", "a", "\u{1F600}", "\u{FFFD}"];
        let cases = [
            (
                LabelOrder::FrequencyDesc,
                ["b", "a", "Z", "é", "\u{FFFD}", "\u{1F600}"],
            ),
            (
                LabelOrder::FrequencyAsc,
                ["Z", "é", "\u{FFFD}", "\u{1F600}", "a", "b"],
            ),
            (
                LabelOrder::AlphabetAsc,
                ["Z", "a", "b", "é", "\u{FFFD}", "\u{1F600}"],
            ),
            (
                LabelOrder::AlphabetDesc,
                ["\u{1F600}", "\u{FFFD}", "é", "b", "a", "Z"],
            ),
        ];
        for (order, expected) in cases {
            let model = StringIndexer { order }.fit(labels);
            assert_eq!(model.labels(), expected, "{order}");
            assert_eq!(order.to_string().parse::<LabelOrder>().unwrap(), order);
        }
        assert!(StringIndexer::default().fit([]).labels().is_empty());
        assert!("frequency".parse::<LabelOrder>().is_err());
    }

    #[test]
    fn saved_and_loaded() {
        let model = StringIndexer::default().fit(["Tree", "Car", "Car"]);
        let json = serde_json::to_string(&model).unwrap();
        assert_eq!(json, r#"["Car","Tree"]"#);
        assert_eq!(
            serde_json::from_str::<StringIndexerModel>(&json).unwrap(),
            model
        );
        let doubled = serde_json::from_str::<StringIndexerModel>(r#"["a","b","a"]"#);
        assert!(
            doubled
                .unwrap_err()
                .to_string()
                .contains("label `a` stands at 0 and again at 2")
        );
    }

    proptest! {
        #[test]
        fn index_and_label_are_inverse(labels in prop::collection::vec(".{0,3}", 0..40)) {
            let model = StringIndexer::default().fit(labels.iter().map(String::as_str));
            for label in &labels {
                let index = model.index(label).unwrap();
                prop_assert_eq!(model.label(index), Some(label.as_str()));
            }
            let count = u32::try_from(model.labels().len()).unwrap();
            prop_assert_eq!(model.label(count), None);
            let mut reversed: Vec<&str> = labels.iter().map(String::as_str).collect();
            reversed.reverse();
            prop_assert_eq!(StringIndexer::default().fit(reversed), model);
        }
    }
}
