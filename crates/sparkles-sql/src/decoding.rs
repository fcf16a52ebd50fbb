//! The step of a plan that adds `data` to the rows of `images`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, RecordBatch};
use arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, Statistics, config::ConfigOptions};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::utils::{collect_columns, conjunction, reassign_expr_columns};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter::batch_filter;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt};

use crate::images::DATA;
use crate::photos::{PhotoReader, Shape};

/// Rows decoded at a time while the plan above may still learn that it does not
/// need the rest.
const PATIENT_ROWS: usize = 16;
/// A row with pixels weighs as many without: joins then read the other side first.
const WEIGHT: usize = 4096;

/// Decodes one photo at a time, in batches of bounded size.
#[derive(Debug, Clone)]
pub(crate) struct DecodeExec {
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    reader: Arc<PhotoReader>,
    /// Rows that do not pass need no pixels: what a join or a `LIMIT` above has
    /// learned so far. Over the columns of `input`.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DecodeExec {
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
        reader: Arc<PhotoReader>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            input,
            schema,
            reader,
            predicate: None,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for DecodeExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DecodeExec")?;
        match &self.predicate {
            Some(predicate) => write!(formatter, ": predicate={predicate}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for DecodeExec {
    fn name(&self) -> &'static str {
        "DecodeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(DataFusionError::Internal(
                "DecodeExec has one input".to_owned(),
            ));
        };
        Ok(Arc::new(Self {
            input,
            ..Self::clone(&self)
        }))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        match &self.predicate {
            Some(predicate) => visit(predicate),
            None => Ok(TreeNodeRecursion::Continue),
        }
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = child_pushdown_result.parent_filters;
        // Whoever sent a filter still applies it.
        let unsupported = vec![PushedDown::No; filters.len()];
        let answer = FilterPushdownPropagation::with_parent_pushdown_result(unsupported);
        if phase == FilterPushdownPhase::Pre {
            return Ok(answer);
        }
        let mut kept = Vec::new();
        for filter in filters {
            let columns = collect_columns(&filter.filter);
            if columns.iter().all(|column| column.name() != DATA) {
                kept.push(reassign_expr_columns(filter.filter, &self.input.schema())?);
            }
        }
        if kept.is_empty() {
            return Ok(answer);
        }
        let predicate = conjunction(self.predicate.iter().cloned().chain(kept));
        let node = Self {
            predicate: Some(predicate),
            ..self.clone()
        };
        Ok(answer.with_updated_node(Arc::new(node)))
    }

    fn child_stats_requests(&self, _partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(
        &self,
        input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let rows = input_stats
            .first()
            .and_then(|stats| stats.num_rows.get_value());
        let mut statistics = Statistics::new_unknown(&self.schema);
        if let Some(rows) = rows {
            statistics.num_rows = Precision::Inexact(rows.saturating_mul(WEIGHT));
        }
        Ok(Arc::new(statistics))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let state = Decoding {
            input: self.input.execute(partition, context)?,
            schema: self.schema.clone(),
            reader: self.reader.clone(),
            predicate: self.predicate.clone(),
            pending: None,
            photos: MetricBuilder::new(&self.metrics).counter("photos", partition),
        };
        let batches = futures::stream::try_unfold(state, |mut state| async move {
            Ok(state.next().await?.map(|batch| (batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema.clone(),
            batches.fuse(),
        )))
    }
}

/// One execution of the step.
struct Decoding {
    input: SendableRecordBatchStream,
    schema: SchemaRef,
    reader: Arc<PhotoReader>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows that were read and not yet decoded.
    pending: Option<RecordBatch>,
    photos: Count,
}

impl Decoding {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let rows = match self.pending.take() {
                Some(rows) => rows,
                None => match self.input.try_next().await? {
                    Some(rows) => rows,
                    None => return Ok(None),
                },
            };
            let rows = match &self.predicate {
                Some(predicate) => batch_filter(&rows, predicate)?,
                None => rows,
            };
            if rows.num_rows() == 0 {
                continue;
            }
            let shapes = Shapes::of(&rows)?;
            let most = if self.predicate.is_some() {
                PATIENT_ROWS
            } else {
                rows.num_rows()
            };
            let count = shapes.that_fit(self.reader.batch_bytes(), most);
            if count < rows.num_rows() {
                self.pending = Some(rows.slice(count, rows.num_rows() - count));
            }
            let rows = rows.slice(0, count);
            self.photos.add(count);
            let reader = self.reader.clone();
            let input = rows.clone();
            // Fetching waits and decoding computes: neither belongs on a thread
            // of the runtime.
            let data = tokio::task::spawn_blocking(move || pixels(&input, &shapes, &reader))
                .await
                .map_err(|error| DataFusionError::Execution(error.to_string()))??;
            return self.output(&rows, &data).map(Some);
        }
    }

    fn output(&self, rows: &RecordBatch, data: &ArrayRef) -> Result<RecordBatch> {
        let columns = self.schema.fields().iter().map(|field| {
            if field.name() == DATA {
                Ok(data.clone())
            } else {
                column(rows, field.name()).cloned()
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    rows.column_by_name(name)
        .ok_or_else(|| DataFusionError::Internal(format!("`images` has no column `{name}`")))
}

/// The sizes that rows promise; `None` where they make no sense.
struct Shapes(Vec<Option<Shape>>);

impl Shapes {
    fn of(rows: &RecordBatch) -> Result<Self> {
        let height = column(rows, "height")?.as_primitive::<Int32Type>();
        let width = column(rows, "width")?.as_primitive::<Int32Type>();
        let channels = column(rows, "nChannels")?.as_primitive::<Int32Type>();
        let shape = |row: usize| {
            if height.is_null(row) || width.is_null(row) || channels.is_null(row) {
                return None;
            }
            Some(Shape {
                height: height.value(row).try_into().ok()?,
                width: width.value(row).try_into().ok()?,
                channels: channels.value(row).try_into().ok()?,
            })
        };
        Ok(Self((0..rows.num_rows()).map(shape).collect()))
    }

    /// How many of the first rows hold at most `bytes` of pixels: at least one,
    /// at most `most`.
    fn that_fit(&self, bytes: u64, most: usize) -> usize {
        let mut sum = 0_u64;
        let fitting = self.0.iter().take_while(|shape| {
            sum = sum.saturating_add(shape.map_or(0, Shape::bytes));
            sum <= bytes
        });
        fitting.count().clamp(1, most.max(1))
    }
}

/// The column `data` of these rows.
fn pixels(rows: &RecordBatch, shapes: &Shapes, reader: &PhotoReader) -> Result<ArrayRef> {
    let origin = column(rows, "origin")?.as_string::<i32>();
    // Allocated once: growing would take twice the memory.
    let bytes: u64 = shapes
        .0
        .iter()
        .take(rows.num_rows())
        .flatten()
        .copied()
        .map(Shape::bytes)
        .sum();
    let bytes = usize::try_from(bytes).unwrap_or(0);
    let mut data = BinaryBuilder::with_capacity(rows.num_rows(), bytes);
    for (row, shape) in shapes.0.iter().enumerate().take(rows.num_rows()) {
        data.append_option(shape.and_then(|shape| reader.pixels(origin.value(row), shape)));
    }
    Ok(Arc::new(data.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_but_never_empty() {
        let square = |side| {
            Some(Shape {
                height: side,
                width: side,
                channels: 1,
            })
        };
        let shapes = Shapes(vec![square(10), None, square(10), square(100), square(1)]);
        for (bytes, most, expected) in [
            (0, 5, 1),
            (100, 5, 2),
            (200, 5, 3),
            (200, 2, 2),
            (1 << 20, 5, 5),
        ] {
            assert_eq!(shapes.that_fit(bytes, most), expected, "{bytes} bytes");
        }
    }
}
