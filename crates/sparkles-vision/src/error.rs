//! Why an image has no pixels, and why a backbone cannot be used.

use crate::header::ImageFormat;

/// Why a file is not turned into features.
///
/// [`ImageError::reason`] is the closed word for ledgers and counts; `Display`
/// is the sentence for people, with the numbers in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The first bytes are those of no image format that is known here.
    #[error("not an image: {detail}")]
    NotAnImage {
        /// What stands there instead.
        detail: String,
    },
    /// An image, but of a kind that is not decoded.
    #[error("{kind} is not supported")]
    Unsupported {
        /// The format or feature, by name.
        kind: String,
    },
    /// More pixels than [`crate::MAX_PIXELS`].
    #[error("{width} x {height} pixels, the limit is {limit}")]
    TooLarge {
        /// Columns, as the header says.
        width: u64,
        /// Rows, as the header says.
        height: u64,
        /// The most pixels allowed, [`crate::MAX_PIXELS`].
        limit: u64,
    },
    /// The file ends before the image does.
    #[error("truncated {format}: {detail}")]
    Truncated {
        /// The format of the file.
        format: ImageFormat,
        /// Where the end was met.
        detail: String,
    },
    /// The file contradicts its format.
    #[error("corrupt {format}: {detail}")]
    Corrupt {
        /// The format of the file.
        format: ImageFormat,
        /// The contradiction.
        detail: String,
    },
    /// The engine failed on the pixels, or gave numbers that are not finite.
    #[error("engine: {detail}")]
    Engine {
        /// What the engine said.
        detail: String,
    },
    /// The bytes could not be read; this says nothing about the image.
    #[error("cannot read")]
    Io(#[source] std::io::Error),
}

impl ImageError {
    /// One of `not_an_image`, `unsupported`, `too_large`, `truncated`,
    /// `corrupt`, `engine`, `unreadable`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAnImage { .. } => "not_an_image",
            Self::Unsupported { .. } => "unsupported",
            Self::TooLarge { .. } => "too_large",
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::Engine { .. } => "engine",
            Self::Io(_) => "unreadable",
        }
    }

    pub(crate) fn unsupported(kind: impl Into<String>) -> Self {
        Self::Unsupported { kind: kind.into() }
    }

    pub(crate) fn corrupt(format: ImageFormat, detail: impl Into<String>) -> Self {
        Self::Corrupt {
            format,
            detail: detail.into(),
        }
    }

    pub(crate) fn truncated(format: ImageFormat, detail: impl Into<String>) -> Self {
        Self::Truncated {
            format,
            detail: detail.into(),
        }
    }

    /// `UnexpectedEof` within a header is a truncated file; anything else is
    /// the reader's failure.
    pub(crate) fn reading(format: ImageFormat, error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Self::truncated(format, "the file ends inside its header")
        } else {
            Self::Io(error)
        }
    }
}

/// Why a backbone's card cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The file has not one `sparkles.*` key: it is a plain ONNX file.
    #[error("no card: the file has no `sparkles.*` entry in its metadata")]
    NoCard,
    /// A key that must be there is not.
    #[error("the card has no `{key}`")]
    Missing {
        /// The key, with its prefix.
        key: &'static str,
    },
    /// A key has a value that cannot be used.
    #[error("the card's `{key}` is `{value}`, expected {expected}")]
    Invalid {
        /// The key, with its prefix.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What could stand there.
        expected: &'static str,
    },
}

/// Why a backbone cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackboneError {
    /// The bytes are no ONNX model.
    #[error("not an ONNX model: {detail}")]
    NotOnnx {
        /// What the parser met.
        detail: String,
    },
    /// The graph is inconsistent, or would take too much memory.
    #[error("the graph is refused")]
    Graph(#[source] OnnxError),
    /// The card is missing or odd.
    #[error("cannot read the backbone's card")]
    Card(#[from] CardError),
    /// The card names an input or output that the graph does not have.
    #[error("the card names {role} `{name}`, the graph has {found}")]
    NoSuchNode {
        /// `input` or `output`.
        role: &'static str,
        /// The name in the card.
        name: String,
        /// The names in the graph.
        found: String,
    },
    /// The engine refused the graph.
    #[error("{engine} cannot load the model: {detail}")]
    Load {
        /// The engine.
        engine: crate::Engine,
        /// What it said.
        detail: String,
    },
    /// ONNX Runtime's shared library is nowhere, or none that was found serves.
    #[error("ONNX Runtime is not here{}", list_lines(tried))]
    NoRuntime {
        /// The files that were tried, each with what was wrong.
        tried: Vec<String>,
    },
    /// ONNX Runtime is there, without what it was to compute with.
    #[error("{engine} is not to be had: {detail}")]
    NoProvider {
        /// The engine.
        engine: crate::Engine,
        /// What the runtime said.
        detail: String,
    },
    /// The engine failed while running.
    #[error("{engine} cannot run the model: {detail}")]
    Run {
        /// The engine.
        engine: crate::Engine,
        /// What it said.
        detail: String,
    },
    /// An output has another length than the card says.
    #[error("output `{output}` has {found} values, the card says {expected}")]
    Length {
        /// The output's name.
        output: String,
        /// What the card says.
        expected: usize,
        /// What the engine gave.
        found: usize,
    },
    /// Features that are no numbers.
    #[error("{odd} of its {values} features are not finite")]
    NotFinite {
        /// How many are not.
        odd: usize,
        /// How many there are.
        values: usize,
    },
    /// A tensor of another length than the input takes.
    #[error("the input takes {expected} values, found {found}")]
    Input {
        /// Values of one image.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// The backbone has no such output.
    #[error("the card names no `sparkles.logits_output`")]
    NoLogits,
}

/// Why a network could not be built from its weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file is no safetensors file, or its header lies.
    #[error("cannot read the weights as safetensors")]
    File {
        /// What the reader said.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is not there.
    #[error("there is no tensor `{name}`: these are the weights of another network")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor holds no floats of a known kind.
    #[error("tensor `{name}` holds {found}, expected 32- or 16-bit floats")]
    Type {
        /// Its name.
        name: String,
        /// What it holds.
        found: String,
    },
    /// A tensor holds infinities or what is no number.
    #[error("tensor `{name}` holds values that are not finite")]
    NotFinite {
        /// Its name.
        name: String,
    },
}

/// Why an ONNX file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A classifier that does not fit the features.
    #[error(
        "a classifier of {coefficients} coefficients does not tell {labels} labels apart by {features} features"
    )]
    Classifier {
        /// How many coefficients it has.
        coefficients: usize,
        /// How many labels there are.
        labels: usize,
        /// How many features an image has.
        features: usize,
    },
    /// Names for another number of classes than there are.
    #[error(
        "there are names of {names} classes, but {}",
        classes.map_or("the network has no classifier".to_owned(), |count| format!("the network has {count}"))
    )]
    ClassNames {
        /// How many names there are.
        names: usize,
        /// How many classes there are.
        classes: Option<usize>,
    },
    /// The bytes are no ONNX file, or not all of one.
    #[error("not an ONNX file: {detail}")]
    NotOnnx {
        /// What the parser met.
        detail: String,
    },
    /// A value is used that nothing has made yet: it is missing, or the nodes go
    /// in a circle.
    #[error("{node} uses `{value}`, which nothing before it makes")]
    UnknownValue {
        /// The value.
        value: String,
        /// The node that uses it.
        node: String,
    },
    /// A value is made twice.
    #[error("`{value}` is made twice")]
    DoubledValue {
        /// The value.
        value: String,
    },
    /// A constant has more or fewer values than its shape says.
    #[error("constant `{name}` of shape {shape:?} has {found} values")]
    Constant {
        /// The constant.
        name: String,
        /// Its shape.
        shape: Vec<i64>,
        /// Its values.
        found: usize,
    },
    /// A constant of an unknown type.
    #[error("constant `{name}` is of type {data_type}, which is unknown")]
    ConstantType {
        /// The constant.
        name: String,
        /// Number of its type.
        data_type: i32,
    },
    /// Constants lie in a file that is not below the folder of this one.
    #[error("constants lie in `{path}`, which is not a file beside it")]
    ExternalPath {
        /// The path that the file names.
        path: String,
    },
    /// A file with constants cannot be read.
    #[error("constants lie in `{path}`: {detail}")]
    External {
        /// The path that the file names.
        path: String,
        /// Why not.
        detail: String,
    },
    /// A value to cut at that the graph does not have.
    #[error("there is no value `{name}` to cut at{}", list_names(closest))]
    NoSuchValue {
        /// What was asked for.
        name: String,
        /// Values that are called alike.
        closest: Vec<String>,
    },
    /// The layer that classifies was not found.
    #[error("cannot tell where the classifier begins: its last steps are no fully connected layer")]
    NoClassifier,
    /// The card that the file carries is odd.
    #[error("cannot read its card")]
    Card(#[from] CardError),
    /// Neither the file nor the user says how pixels are prepared.
    #[error("it carries no card, and nothing says how its pixels are prepared")]
    NoPreprocessing,
    /// An input that takes no images.
    #[error(
        "input `{name}` of shape {} takes no images in colour",
        show_shape(shape)
    )]
    InputShape {
        /// The input.
        name: String,
        /// Its axes.
        shape: Vec<Option<usize>>,
    },
    /// An input of other numbers than 32-bit floats.
    #[error("input `{name}` takes no 32-bit floats")]
    InputType {
        /// The input.
        name: String,
    },
    /// A side that was asked for, of an input that has another.
    #[error("input `{name}` has {found} rows or columns, not {asked}")]
    OtherSide {
        /// The input.
        name: String,
        /// What the graph says.
        found: usize,
        /// What was asked for.
        asked: u32,
    },
    /// Maps of a network whose images lie channels last.
    #[error("`{name}` holds maps, and nothing says on which axis their channels lie")]
    MapsLayout {
        /// The value.
        name: String,
    },
    /// Constants in a form that is not read.
    #[error("it holds sparse constants, which are not supported")]
    Sparse,
    /// An input whose rows and columns are open.
    #[error("input `{name}` leaves its rows and columns open")]
    InputSide {
        /// The input.
        name: String,
    },
    /// The size of a value shows only when the graph runs, or never.
    #[error("cannot tell how large `{value}` of {node} is: {detail}")]
    UnknownShape {
        /// The value.
        value: String,
        /// The node that makes it.
        node: String,
        /// Why not.
        detail: &'static str,
    },
    /// A value that no engine is asked to make.
    #[error("`{value}` would take {bytes} bytes, at most {most} are allowed")]
    TooLarge {
        /// The value.
        value: String,
        /// Its bytes.
        bytes: u64,
        /// The most that are allowed.
        most: u64,
    },
    /// Constants that take too long to work out.
    #[error("its constants take {products:.1e} multiplications, at most {most:.1e} are allowed")]
    TooMuchWork {
        /// About how many they take.
        products: f64,
        /// The most that are allowed.
        most: f64,
    },
    /// Values that are too large together.
    #[error("{what} would take {bytes} bytes together, at most {most} are allowed")]
    TooMuch {
        /// Which values.
        what: &'static str,
        /// Their bytes.
        bytes: u64,
        /// The most that are allowed.
        most: u64,
    },
    /// A value that is neither a vector nor maps.
    #[error("`{name}` is of shape {shape:?}, neither one vector nor maps of an image")]
    FeatureShape {
        /// The value.
        name: String,
        /// Its shape for one image.
        shape: Vec<usize>,
    },
    /// A graph with no input for images, or several.
    #[error("the graph has {found} inputs, expected one for images")]
    Inputs {
        /// How many inputs it has.
        found: usize,
    },
}

/// `[?, 3, 224, 224]`.
fn show_shape(shape: &[Option<usize>]) -> String {
    let axes = shape.iter();
    let axes: Vec<String> = axes
        .map(|axis| axis.map_or_else(|| "?".to_owned(), |axis| axis.to_string()))
        .collect();
    format!("[{}]", axes.join(", "))
}

fn list_lines(lines: &[String]) -> String {
    let start = lines.iter().map(|_| "\n  ");
    start
        .zip(lines)
        .flat_map(|(start, line)| [start, line])
        .collect()
}

fn list_names(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("\n  closest: {}", names.join(", "))
}
