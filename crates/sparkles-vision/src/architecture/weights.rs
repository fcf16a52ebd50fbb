//! Weights by name: of a safetensors file, or drawn at random.

use std::fmt;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};

use crate::error::WeightsError;
use crate::onnx::ConvolutionWeights;

/// Where the weights of a network come from.
pub struct Weights<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    File(SafeTensors<'a>),
    Random(u64),
}

impl fmt::Debug for Weights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::File(file) => format!("{} tensors", file.len()),
            Source::Random(seed) => format!("random, seed {seed}"),
        };
        f.debug_struct("Weights").field("source", &source).finish()
    }
}

impl<'a> Weights<'a> {
    /// The tensors of a safetensors file: 32- or 16-bit floats or bfloat16.
    pub fn from_safetensors(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|source| WeightsError::File { source })?;
        Ok(Self {
            source: Source::File(file),
        })
    }

    /// Random weights of the variance that keeps activations in range (uniform,
    /// He et al. 2015, <https://arxiv.org/abs/1502.01852>), the same for the same
    /// seed and name on every machine. For benchmarks and tests of a network's
    /// real shape: such features mean nothing.
    pub fn random(seed: u64) -> Self {
        Self {
            source: Source::Random(seed),
        }
    }

    /// A convolution without a bias of its own, with the batch normalisation that
    /// follows folded into it, in 64 bits: w·γ/√(σ²+ε) and β − μ·γ/√(σ²+ε).
    pub(super) fn normalised_convolution(
        &self,
        convolution: &str,
        normalisation: &str,
        shape: [usize; 4],
        epsilon: f64,
    ) -> Result<ConvolutionWeights, WeightsError> {
        let [outputs, inputs, rows, columns] = shape;
        let mut kernels = self.tensor(&format!("{convolution}.weight"), &shape)?;
        let of = |name: &str| self.tensor(&format!("{normalisation}.{name}"), &[outputs]);
        let (gamma, beta) = (of("weight")?, of("bias")?);
        let (mean, variance) = (of("running_mean")?, of("running_var")?);
        let mut bias = Vec::with_capacity(outputs);
        let filters = kernels.chunks_mut((inputs * rows * columns).max(1));
        let normalisations = gamma.iter().zip(&beta).zip(mean.iter().zip(&variance));
        for (filter, ((gamma, beta), (mean, variance))) in filters.zip(normalisations) {
            let scale = f64::from(*gamma) / (f64::from(*variance) + epsilon).sqrt();
            for weight in filter {
                *weight = narrow(f64::from(*weight) * scale);
            }
            bias.push(narrow(f64::from(*beta) - f64::from(*mean) * scale));
        }
        // A negative variance has no root.
        if !kernels.iter().chain(&bias).all(|value| value.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: normalisation.to_owned(),
            });
        }
        Ok(ConvolutionWeights {
            kernels,
            outputs,
            inputs,
            bias: Some(bias),
        })
    }

    /// A convolution, with a bias if `has_bias`.
    pub(super) fn convolution(
        &self,
        name: &str,
        shape: [usize; 4],
        has_bias: bool,
    ) -> Result<ConvolutionWeights, WeightsError> {
        let [outputs, inputs, ..] = shape;
        Ok(ConvolutionWeights {
            kernels: self.tensor(&format!("{name}.weight"), &shape)?,
            outputs,
            inputs,
            bias: if has_bias {
                Some(self.tensor(&format!("{name}.bias"), &[outputs])?)
            } else {
                None
            },
        })
    }

    /// The values of a tensor, which must be of that shape, in row-major order.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let file = match &self.source {
            Source::File(file) => file,
            Source::Random(seed) => return Ok(random(*seed, name, shape)),
        };
        let view = file.tensor(name).map_err(|source| match source {
            SafeTensorError::TensorNotFound(_) => WeightsError::Missing {
                name: name.to_owned(),
            },
            source => WeightsError::File { source },
        })?;
        if view.shape() != shape {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
            Dtype::F16 => data
                .as_chunks()
                .0
                .iter()
                .map(|bytes| half::f16::from_le_bytes(*bytes).to_f32())
                .collect(),
            Dtype::BF16 => data
                .as_chunks()
                .0
                .iter()
                .map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32())
                .collect(),
            other => {
                return Err(WeightsError::Type {
                    name: name.to_owned(),
                    found: format!("{other:?}"),
                });
            }
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                name: name.to_owned(),
            });
        }
        Ok(values)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is wanted"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Values of a tensor by its role: kernels and matrices vary by their fan-in, a
/// normalisation is nearly none.
fn random(seed: u64, name: &str, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let fan_in: usize = shape.iter().skip(1).product::<usize>().max(1);
    let (centre, spread) = match name.rsplit('.').next() {
        Some("running_var") => (1.0, 0.2),
        Some("running_mean" | "bias") => (0.0, 0.05),
        // The weight of a normalisation is a vector.
        _ if shape.len() == 1 => (1.0, 0.2),
        _ => (0.0, (6.0 / fan_in as f32).sqrt()),
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    let mut reader = hasher.finalize_xof();
    let mut values = Vec::with_capacity(count);
    let mut block = [0; 4096];
    while values.len() < count {
        reader.fill(&mut block);
        let numbers = block.as_chunks().0.iter().map(|bytes| {
            // 24 bits: every one of them is a number of its own in 32-bit floats.
            let bits = u32::from_le_bytes(*bytes) >> 8;
            let unit = bits as f32 / (1 << 24) as f32;
            centre + spread * (2.0 * unit - 1.0)
        });
        values.extend(numbers.take(count - values.len()));
    }
    values
}
