//! The arguments of every verb. Help is documentation.

mod backbone;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sparkles::{
    AlphaPolicy, Both, EMBEDDED, Engine, FeaturizeOptions, LogisticRegression, MemorySize, On,
    RejectLimit, SplitRatio,
};

use crate::output::PredictionsFile;
pub(crate) use backbone::{
    BackboneAction, BackboneArguments, CutArguments, InspectArguments, PullArguments,
};

/// Turn photos and labels into an image classifier, on the machine you have.
#[derive(Debug, Parser)]
#[command(
    name = "sparkles",
    version,
    max_term_width = 100,
    after_help = "Begin with `sparkles demo`, or with a folder of photos, one sub-folder a class:\n  \
                  sparkles train photos --out pets.model\n  \
                  sparkles predict pets.model new-photos"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Demo(DemoArguments),
    Ingest(IngestArguments),
    Explore(ExploreArguments),
    #[cfg(feature = "sql")]
    Sql(SqlArguments),
    Featurize(FeaturizeArguments),
    Train(TrainArguments),
    Evaluate(EvaluateArguments),
    Predict(PredictArguments),
    Tag(TagArguments),
    Model(ModelArguments),
    Backbone(BackboneArguments),
}

impl Verb {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "run the demo",
            Self::Ingest(_) => "ingest",
            Self::Explore(_) => "explore",
            #[cfg(feature = "sql")]
            Self::Sql(_) => "query",
            Self::Featurize(_) => "featurize",
            Self::Train(_) => "train",
            Self::Evaluate(_) => "evaluate",
            Self::Predict(_) => "predict",
            Self::Tag(_) => "tag",
            Self::Model(arguments) => match arguments.action {
                ModelAction::Export(_) => "export",
            },
            Self::Backbone(arguments) => match arguments.action {
                BackboneAction::List(_) => "list backbones",
                BackboneAction::Pull(_) => "pull",
                BackboneAction::Inspect(_) => "inspect",
                BackboneAction::Cut(_) => "cut",
                BackboneAction::Check(_) => "check",
            },
        }
    }
}

/// How a summary is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people
    Text,
    /// One JSON object; its fields are documented in the README and stable
    Json,
}

/// Run the whole story on pictures that the program draws itself, offline
///
/// Draws cars, trees, both and neither, with a few broken files and wrong labels, and then
/// ingests, explores, featurizes, trains, evaluates and predicts.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder for pictures, dataset and model; must not exist yet
    #[arg(long, default_value = "sparkles-demo", value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Pictures to draw
    #[arg(long, default_value_t = 400, value_name = "N", value_parser = clap::value_parser!(u32).range(40..=100_000))]
    pub(crate) pictures: u32,
    /// Seed of the drawings and of the split
    #[arg(
        long,
        default_value_t = 42,
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Threads that decode and infer [default: one a processor]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) engine: EngineFlag,
}

/// Take in photos and labels: read headers, join nothing, lose nothing, commit a dataset
///
/// Labels may be Open Images CSV (`ImageID,Source,LabelName,Confidence`), CSV or Parquet with a
/// location and a label column, or the names of sub-folders. What a file is, is told by its
/// contents.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles ingest --images photos --out pets.sparkles\n  \
    sparkles ingest --images photos --labels labels.csv --classes class-descriptions.csv \
--out city.sparkles\n  \
    sparkles ingest --labels table.parquet --label-column species --out birds.sparkles\n  \
    sparkles ingest --images photos --out pets.sparkles --update")]
pub(crate) struct IngestArguments {
    /// Folders, files, globs, or text files with one location a line
    #[arg(long, num_args = 1.., value_name = "LOC")]
    pub(crate) images: Vec<String>,
    /// Label file; without one, each sub-folder is a class
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<String>,
    /// `class-descriptions`: label name and readable name, no header
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<String>,
    /// Pattern matched against the location; its first group is the sample id
    #[arg(long, value_name = "REGEX")]
    pub(crate) id_pattern: Option<String>,
    /// Column of locations in the label file [default: the usual names]
    #[arg(long, value_name = "NAME", requires = "labels")]
    pub(crate) location_column: Option<String>,
    /// Column of labels in the label file [default: the usual names]
    #[arg(long, value_name = "NAME", requires = "labels")]
    pub(crate) label_column: Option<String>,
    /// Folder of the dataset; must not exist yet, unless `--update` is given
    #[arg(long, value_name = "DATASET")]
    pub(crate) out: String,
    /// Take everything in anew if the dataset is there already; features of photos that did not
    /// change are kept
    #[arg(long)]
    pub(crate) update: bool,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Show what is in a dataset: classes, sizes, formats, co-occurrence, what is odd
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sparkles explore city.sparkles --label Car --label Tree")]
pub(crate) struct ExploreArguments {
    /// The dataset
    #[arg(value_name = "DATASET")]
    pub(crate) dataset: String,
    /// Labels whose co-occurrence is shown [default: the eight most frequent]
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Query the tables of a dataset
///
/// Tables: samples, labels, classes, labelled (labels joined with samples and readable names),
/// features, rejects, and images (the image schema of Spark; pixels are decoded only when `data`
/// is selected). Functions: `features(location)`, the feature vector of a photo, and
/// `tag(location)`, the most probable of the backbone's own classes; both open the photo.
#[cfg(feature = "sql")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles sql city.sparkles \"SELECT display_name, count(*) FROM labelled GROUP BY 1\"\n  \
    sparkles sql city.sparkles \"SELECT origin, width, height FROM images LIMIT 5\" --format csv\n  \
    sparkles sql city.sparkles \"SELECT tag(location) AS tag, count(*) FROM samples GROUP BY tag\"")]
pub(crate) struct SqlArguments {
    /// The dataset
    #[arg(value_name = "DATASET")]
    pub(crate) dataset: String,
    /// The query
    #[arg(value_name = "SQL")]
    pub(crate) query: String,
    /// How rows are written
    #[arg(long, default_value = "table", value_name = "table|csv|json|parquet")]
    pub(crate) format: sparkles_sql::OutputFormat,
    /// Backbone of `features(…)` and `tag(…)`: a name, or an ONNX file that carries a card
    #[arg(long, default_value = EMBEDDED, value_name = "NAME|FILE.onnx")]
    pub(crate) backbone: String,
    #[command(flatten)]
    pub(crate) engine: EngineFlag,
    /// The most memory that a query may hold
    #[arg(long, default_value = "1GiB", value_name = "SIZE")]
    pub(crate) memory: MemorySize,
    /// Threads that work on a query [default: one a processor]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// Flags of everything that computes features.
#[derive(Debug, Args)]
pub(crate) struct FeatureFlags {
    /// Name of a backbone (`sparkles backbone list`), or an ONNX file that carries a card
    #[arg(long, default_value = EMBEDDED, value_name = "NAME|FILE.onnx")]
    pub(crate) backbone: String,
    /// What becomes of transparent pixels: `drop` ignores them, `white` composes on white
    #[arg(long, default_value = "drop", value_name = "drop|white")]
    pub(crate) alpha: AlphaPolicy,
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
}

/// What runs backbones.
#[derive(Debug, Args)]
pub(crate) struct EngineFlag {
    /// What runs the backbone: `rten`, which is part of this program, or ONNX Runtime (`ort`, on
    /// a GPU `ort:cuda`, with Intel's kernels `ort:openvino`), whose library `ORT_DYLIB_PATH` names
    /// or the active Python environment holds
    #[arg(
        long,
        default_value_t = Engine::default(),
        value_name = "rten|ort|ort:cuda|ort:openvino"
    )]
    pub(crate) engine: Engine,
}

/// Flags of the machine's share.
#[derive(Debug, Args)]
pub(crate) struct MachineFlags {
    /// The most memory that fetching, decoding and inference may hold
    #[arg(long, default_value = "1GiB", value_name = "SIZE")]
    pub(crate) memory: MemorySize,
    /// Threads that decode and infer [default: one a processor]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) engine: EngineFlag,
}

impl MachineFlags {
    pub(crate) fn options(&self) -> FeaturizeOptions {
        FeaturizeOptions {
            memory: self.memory,
            threads: self.threads,
            engine: self.engine.engine,
            ..FeaturizeOptions::default()
        }
    }
}

impl FeatureFlags {
    pub(crate) fn options(&self) -> FeaturizeOptions {
        FeaturizeOptions {
            backbone: self.backbone.clone(),
            alpha: self.alpha,
            ..self.machine.options()
        }
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number of 0 or more".to_owned()),
    }
}

fn top(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(top @ 1..) => Ok(top),
        _ => Err("expected a number from 1".to_owned()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

/// Compute a feature vector for every photo; a run that was stopped goes on where it ended
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sparkles featurize city.sparkles --memory 512MiB --threads 4")]
pub(crate) struct FeaturizeArguments {
    /// The dataset
    #[arg(value_name = "DATASET")]
    pub(crate) dataset: String,
    #[command(flatten)]
    pub(crate) features: FeatureFlags,
    /// The most rows of a part, which is what a crash can cost
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) part_rows: u32,
    /// Give up when more photos are refused: a count (20) or a share (5%)
    #[arg(long, value_name = "N|P%")]
    pub(crate) max_rejects: Option<RejectLimit>,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Train a classifier on a dataset, or on a folder of photos with one sub-folder a class
///
/// String indexer, then featurizer, then logistic regression. Several labels: photos verified to
/// have them. One label: present against verified absent. None: all classes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles train photos --out pets.model\n  \
    sparkles train city.sparkles --label Car --label Tree --out car-tree.model")]
pub(crate) struct TrainArguments {
    /// A dataset, or a folder of photos, which is ingested to FOLDER.sparkles beside it (and each
    /// time anew, so that photos may come and go)
    #[arg(value_name = "DATASET|FOLDER")]
    pub(crate) data: String,
    /// Label to tell apart, by readable name or label name; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
    /// What becomes of photos with several of the labels: `drop` leaves them out, `keep` makes one
    /// row a label, as a join does
    #[arg(long, default_value = "drop", value_name = "drop|keep|error")]
    pub(crate) both: Both,
    /// Shares of the train and test part, by the hash of the sample's id and the seed
    #[arg(
        long,
        default_value = "0.8,0.2",
        value_name = "TRAIN[,VALIDATION],TEST"
    )]
    pub(crate) split: SplitRatio,
    /// Seed of the split
    #[arg(
        long,
        default_value_t = 42,
        value_name = "N",
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Weight of the L2 penalty
    #[arg(long, default_value_t = LogisticRegression::default().reg_param, value_name = "λ", allow_negative_numbers = true, value_parser = not_negative)]
    pub(crate) reg_param: f64,
    /// Most steps of the optimiser
    #[arg(long, default_value_t = LogisticRegression::default().max_iter, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_iter: usize,
    /// Tolerance of the optimiser
    #[arg(long, default_value_t = LogisticRegression::default().tol, value_name = "X", allow_negative_numbers = true, value_parser = not_negative)]
    pub(crate) tol: f64,
    /// Whether features count as if all had deviation 1 in the penalty
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    pub(crate) standardization: bool,
    /// Whether to fit intercepts
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "true|false")]
    pub(crate) fit_intercept: bool,
    /// Binomial for two labels and multinomial for more, unless said otherwise
    #[arg(long, default_value = "auto", value_name = "auto|binomial|multinomial")]
    pub(crate) family: sparkles::Family,
    #[command(flatten)]
    pub(crate) features: FeatureFlags,
    /// Folder of the model; must not exist yet
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: String,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// Measure a model on rows that it has not seen
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles evaluate car-tree.model\n  \
    sparkles evaluate car-tree.model other.sparkles --predictions predictions.csv")]
pub(crate) struct EvaluateArguments {
    /// The model
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Another dataset [default: the one that the model was trained on]
    #[arg(value_name = "DATASET")]
    pub(crate) dataset: Option<String>,
    /// Which rows: test, validation, train or all [default: test on the model's own dataset, all
    /// on another]
    #[arg(long, value_name = "PART")]
    pub(crate) on: Option<On>,
    /// Write every measured row to a file: `.csv`, or `.json` for one object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) predictions: Option<PredictionsFile>,
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// How predictions are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PredictionFormat {
    /// One line a photo, for people
    Text,
    /// One row a photo, one column a label
    Csv,
    /// One JSON object a line
    Json,
}

/// Predict the labels of photos; the model's dataset is not needed
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sparkles predict pets.model new-photos --format csv > labels.csv"
)]
pub(crate) struct PredictArguments {
    /// The model
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Folders, files, globs, or text files with one location a line
    #[arg(required = true, value_name = "LOC")]
    pub(crate) images: Vec<String>,
    /// Labels shown a photo in text, most probable first
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = top)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) machine: MachineFlags,
    /// How predictions are written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: PredictionFormat,
}

/// Name what is on photos by the classes that the backbone was trained on; no training needed
///
/// Probabilities are the softmax of the backbone's own logits. The embedded backbone and those of
/// `sparkles backbone pull` know the 1,000 classes of ImageNet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sparkles tag photos\n  \
    sparkles tag photos --top 1 --format csv > tags.csv")]
pub(crate) struct TagArguments {
    /// Folders, files, globs, or text files with one location a line
    #[arg(required = true, value_name = "LOC")]
    pub(crate) images: Vec<String>,
    /// Classes shown a photo, most probable first
    #[arg(long, default_value_t = 5, value_name = "K", value_parser = top)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) features: FeatureFlags,
    /// How tags are written: in CSV, one row a photo and class
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: PredictionFormat,
}

/// Models: write one as a single file for other programs
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    Export(ExportArguments),
}

/// Write a model as one file: backbone, classifier, labels and preprocessing
///
/// ONNX Runtime and other programs run it: prepared images in, `probability` (images × labels),
/// `prediction` (the index of the most probable label) and `features` out. The metadata of the
/// file say how images are prepared (keys `sparkles.*`) and what the labels are
/// (`sparkles.labels`, a JSON list).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sparkles model export pets.model --to onnx --out pets.onnx")]
pub(crate) struct ExportArguments {
    /// The model
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    /// Format of the file
    #[arg(long, value_enum, default_value = "onnx")]
    pub(crate) to: ModelFormat,
    /// File to write; must not exist yet
    #[arg(long, value_name = "FILE.onnx", value_parser = onnx_file)]
    pub(crate) out: String,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SummaryFormat,
}

/// How a model is written as one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelFormat {
    /// One ONNX graph from prepared images to probabilities
    Onnx,
}

fn onnx_file(text: &str) -> Result<String, String> {
    let extension = std::path::Path::new(text).extension();
    if extension.is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return Ok(text.to_owned());
    }
    Err("expected a file that ends in .onnx".to_owned())
}
