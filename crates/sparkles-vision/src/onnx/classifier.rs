//! A trained classifier on top of the features: one graph from image to probability.

use super::builder::{GraphBuilder, Value, value_info};
use super::file::OnnxFile;
use super::proto::{self, Dimension, DimensionValue, Entry};
use crate::card::{BackboneCard, PREFIX};
use crate::error::OnnxError;

/// What a linear classifier consists of.
#[derive(Debug, Clone)]
pub struct LinearClassifier {
    /// One row a label: labels × features, row after row.
    pub coefficients: Vec<f32>,
    /// One a label.
    pub intercepts: Vec<f32>,
    /// The labels, by label index.
    pub labels: Vec<String>,
}

/// The names of a whole model's outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassifierOutputs {
    /// Images × labels: the softmax of coefficients · features + intercepts.
    pub probability: String,
    /// Images: the index of the most probable label, the first of equals.
    pub prediction: String,
    /// Images × features.
    pub features: String,
}

impl OnnxFile {
    /// A backbone with a classifier on top of its features, and nothing else. The
    /// card stays in its metadata, and the labels join it as `sparkles.labels`, a JSON
    /// list.
    pub fn with_classifier(
        mut self,
        classifier: &LinearClassifier,
    ) -> Result<(Self, ClassifierOutputs), OnnxError> {
        let mut card = BackboneCard::from_metadata(self.metadata())?;
        let (dimension, count) = (card.feature_dimension, classifier.labels.len());
        if classifier.intercepts.len() != count
            || Some(classifier.coefficients.len()) != count.checked_mul(dimension)
        {
            return Err(OnnxError::Classifier {
                coefficients: classifier.coefficients.len(),
                labels: count,
                features: dimension,
            });
        }
        self.cut(&[&card.feature_output])?;
        // The classifier of the backbone's own classes is gone.
        card.logits_output = None;
        card.class_count = None;
        card.classes = None;
        card.class_names = None;
        self.set_card(&card);
        let labels = serde_json::Value::from(classifier.labels.clone()).to_string();
        self.model.metadata_props.push(Entry {
            key: format!("{PREFIX}labels"),
            value: labels,
        });
        let mut builder = GraphBuilder::on(self.model.graph.take().unwrap_or_default());
        let features = Value {
            name: card.feature_output,
            channels: dimension,
        };
        let (coefficients, intercepts) = (&classifier.coefficients, &classifier.intercepts);
        let raw = builder.unused("raw_prediction");
        let raw = builder.linear(&features, &raw, coefficients, intercepts);
        let probability = builder.unused("probability");
        let probability = builder.softmax(&raw, &probability);
        let prediction = builder.unused("prediction");
        let prediction = builder.largest(&probability, &prediction);
        let mut graph = builder.into_graph();
        let batch = || Dimension {
            value: Some(DimensionValue::Param("batch".to_owned())),
            denotation: String::new(),
        };
        let length = |count: usize| Dimension {
            value: i64::try_from(count).ok().map(DimensionValue::Value),
            denotation: String::new(),
        };
        let outputs = [
            (
                &probability.name,
                proto::FLOAT,
                vec![batch(), length(count)],
            ),
            (&prediction.name, proto::INT64, vec![batch()]),
            (
                &features.name,
                proto::FLOAT,
                vec![batch(), length(dimension)],
            ),
        ];
        graph.output = outputs
            .into_iter()
            .map(|(name, kind, shape)| value_info(name, kind, shape))
            .collect();
        self.model.graph = Some(graph);
        let outputs = ClassifierOutputs {
            probability: probability.name,
            prediction: prediction.name,
            features: features.name,
        };
        Ok((self, outputs))
    }
}
