//! How the optimiser's parameters lie in the space of the coefficients.

use crate::ColumnStatistics;

/// How parameters become coefficients: centre and scale of every column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry {
    /// cⱼ
    pub centres: Vec<f64>,
    /// sⱼ; 0 for a column that gets no coefficient.
    pub scales: Vec<f64>,
    /// λ dⱼ² sⱼ², the penalty's curvature in parameter j.
    pub penalties: Vec<f64>,
}

impl Geometry {
    /// With standardisation or without a penalty sⱼ = 1/σⱼ, as in MLlib. Otherwise the
    /// penalty is anything but round in σⱼβⱼ, and sⱼ = √((h + λ) / (h σⱼ² + λ)) makes
    /// loss and penalty together about round, with h the curvature of the loss at the
    /// start. Without an intercept the second moment stands for σⱼ² there.
    pub(crate) fn new(
        statistics: &ColumnStatistics,
        reg_param: f64,
        fit_intercept: bool,
        standardization: bool,
        curvature: f64,
    ) -> Self {
        let mut geometry = Self {
            centres: Vec::new(),
            scales: Vec::new(),
            penalties: Vec::new(),
        };
        for (&mean, &deviation) in statistics.means.iter().zip(&statistics.deviations) {
            let weight = if standardization { deviation } else { 1.0 };
            let spread = if fit_intercept {
                deviation * deviation
            } else {
                deviation * deviation + mean * mean
            };
            let penalty = reg_param * weight * weight;
            let scale = if deviation == 0.0 {
                0.0
            } else if fit_intercept && (standardization || reg_param == 0.0) {
                1.0 / deviation
            } else {
                ((curvature + reg_param) / (curvature * spread + penalty)).sqrt()
            };
            geometry
                .centres
                .push(if fit_intercept { mean } else { 0.0 });
            geometry.scales.push(scale);
            geometry.penalties.push(penalty * scale * scale);
        }
        geometry
    }
}
