//! The tables: their columns, and how they are named in SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sparkles_data::FeatureManifest;

/// A table, for help texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [&'static str],
    /// What a row is.
    pub about: &'static str,
}

/// The tables of every dataset and their columns.
///
/// Beside them there is one table `features_BACKBONE` for each feature key, with
/// the columns of `features`: the backbone's name in lower case, with `_` for
/// what is no letter or digit. Where two keys share a backbone, the first eight
/// letters of the key follow.
pub fn tables() -> &'static [TableDescription] {
    &[
        TableDescription {
            name: "samples",
            columns: &[
                "sample_id",
                "location",
                "bytes",
                "etag",
                "modified",
                "format",
                "height",
                "width",
                "channels",
                "orientation",
            ],
            about: "one image and what its header says; height and width as a viewer shows it",
        },
        TableDescription {
            name: "labels",
            columns: &["sample_id", "source", "label_name", "confidence"],
            about: "one class in one sample: confidence 1 verified present, 0 verified absent",
        },
        TableDescription {
            name: "classes",
            columns: &["label_name", "display_name"],
            about: "the readable name of a class",
        },
        TableDescription {
            name: "labelled",
            columns: &[
                "sample_id",
                "location",
                "label_name",
                "display_name",
                "source",
                "confidence",
                "height",
                "width",
            ],
            about: "samples joined with their labels; display_name is label_name where no class \
                    says otherwise",
        },
        TableDescription {
            name: "rejects",
            columns: &[
                "location",
                "sample_id",
                "stage",
                "feature_key",
                "reason",
                "message",
                "version",
            ],
            about: "one refused input, of ingest or of a feature key",
        },
        TableDescription {
            name: "features",
            columns: &[
                "sample_id",
                "content_hash",
                "features",
                "location",
                "version",
            ],
            about: "one feature vector, of the feature key with the most rows",
        },
        TableDescription {
            name: "images",
            columns: &[
                "origin",
                "height",
                "width",
                "nChannels",
                "mode",
                "data",
                "sample_id",
            ],
            about: "Spark's image schema; data is decoded when selected: rows of BGR or grey \
                    bytes, upright, null where the photo cannot be decoded",
        },
    ]
}

fn schema(fields: Vec<(&str, DataType, bool)>) -> SchemaRef {
    let fields = fields.into_iter();
    Arc::new(Schema::new(
        fields
            .map(|(name, data_type, nullable)| Field::new(name, data_type, nullable))
            .collect::<Vec<_>>(),
    ))
}

pub(crate) fn samples() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    schema(vec![
        ("sample_id", DataType::Utf8, false),
        ("location", DataType::Utf8, false),
        ("bytes", DataType::UInt64, false),
        ("etag", DataType::Utf8, true),
        ("modified", utc, false),
        ("format", DataType::Utf8, false),
        ("height", DataType::UInt32, false),
        ("width", DataType::UInt32, false),
        ("channels", DataType::UInt8, false),
        ("orientation", DataType::UInt8, false),
    ])
}

pub(crate) fn labels() -> SchemaRef {
    schema(vec![
        ("sample_id", DataType::Utf8, false),
        ("source", DataType::Utf8, false),
        ("label_name", DataType::Utf8, false),
        ("confidence", DataType::Float32, false),
    ])
}

pub(crate) fn classes() -> SchemaRef {
    schema(vec![
        ("label_name", DataType::Utf8, false),
        ("display_name", DataType::Utf8, false),
    ])
}

pub(crate) fn rejects() -> SchemaRef {
    schema(vec![
        ("location", DataType::Utf8, false),
        ("sample_id", DataType::Utf8, true),
        ("stage", DataType::Utf8, false),
        ("feature_key", DataType::Utf8, true),
        ("reason", DataType::Utf8, false),
        ("message", DataType::Utf8, false),
        ("version", DataType::Utf8, true),
    ])
}

/// The type of feature vectors of that length; without one, a list of any length.
pub(crate) fn vector(dimension: Option<i32>) -> DataType {
    let element = Arc::new(element());
    match dimension {
        Some(dimension) => DataType::FixedSizeList(element, dimension),
        None => DataType::List(element),
    }
}

/// The field of one feature.
pub(crate) fn element() -> Field {
    Field::new("element", DataType::Float32, false)
}

/// `dimension` is the length of a vector; without features there is none.
pub(crate) fn features(dimension: Option<i32>) -> SchemaRef {
    schema(vec![
        ("sample_id", DataType::Utf8, false),
        ("content_hash", DataType::Utf8, false),
        ("features", vector(dimension), false),
        ("location", DataType::Utf8, false),
        ("version", DataType::Utf8, false),
    ])
}

/// Spark's image schema, then the sample's id.
pub(crate) fn images() -> SchemaRef {
    schema(vec![
        ("origin", DataType::Utf8, false),
        ("height", DataType::Int32, true),
        ("width", DataType::Int32, true),
        ("nChannels", DataType::Int32, true),
        ("mode", DataType::Int32, true),
        ("data", DataType::Binary, true),
        ("sample_id", DataType::Utf8, false),
    ])
}

/// The labels of the samples. A class that is described twice joins once.
pub(crate) const LABELLED: &str = "
    SELECT s.sample_id, s.location, l.label_name,
           coalesce(c.display_name, l.label_name) AS display_name,
           l.source, l.confidence, s.height, s.width
    FROM labels l
    JOIN samples s ON s.sample_id = l.sample_id
    LEFT JOIN (SELECT label_name, min(display_name) AS display_name
               FROM classes GROUP BY label_name) c
      ON c.label_name = l.label_name";

/// The name in SQL of each key's features, in the order of `manifests`.
pub(crate) fn feature_names(manifests: &[&FeatureManifest]) -> Vec<String> {
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    for manifest in manifests {
        *users.entry(feature_name(&manifest.backbone)).or_default() += 1;
    }
    let named = manifests.iter().map(|manifest| {
        let name = feature_name(&manifest.backbone);
        if users.get(&name).copied() == Some(1) {
            name
        } else {
            let key = manifest.feature_key.chars().take(8).collect::<String>();
            format!("{name}_{}", word(&key))
        }
    });
    named.collect()
}

fn feature_name(backbone: &str) -> String {
    format!("features_{}", word(backbone))
}

/// Lower case, with `_` for what needs quotes in SQL.
fn word(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(key: &str, backbone: &str) -> FeatureManifest {
        FeatureManifest {
            format_version: 1,
            feature_key: key.to_owned(),
            backbone: backbone.to_owned(),
            backbone_hash: String::new(),
            dimension: 2,
            alpha: "drop".to_owned(),
            parts: Vec::new(),
            rejects: Vec::new(),
        }
    }

    #[test]
    fn features_are_named_by_backbone_then_by_key() {
        let manifests = [
            manifest("0123456789ab", "ResNet-50 v2"),
            manifest("aaaaaaaaaaaa", "lite0"),
            manifest("bbbbbbbbbbbb", "Lite0"),
        ];
        assert_eq!(
            feature_names(&manifests.iter().collect::<Vec<_>>()),
            [
                "features_resnet_50_v2",
                "features_lite0_aaaaaaaa",
                "features_lite0_bbbbbbbb"
            ]
        );
    }

    #[test]
    fn descriptions_list_the_columns_that_there_are() {
        let schemas = [
            samples(),
            labels(),
            classes(),
            rejects(),
            features(None),
            images(),
        ];
        let described = tables().iter().filter(|table| table.name != "labelled");
        for (table, schema) in described.zip(schemas) {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            assert_eq!(table.columns, names, "{}", table.name);
        }
    }
}
