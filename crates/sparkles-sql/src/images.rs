//! The table `images`: `samples` in Spark's image schema.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, ident, lit, try_cast, when,
};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::decoding::DecodeExec;
use crate::photos::PhotoReader;
use crate::tables;

/// The one column that is not in `samples`.
pub(crate) const DATA: &str = "data";

/// All other columns are computed from `samples`: a query that does not select
/// `data` opens no photo, and filters on the others are applied before any photo
/// is opened.
#[derive(Debug)]
pub(crate) struct ImagesTable {
    schema: SchemaRef,
    samples: Arc<dyn TableProvider>,
    reader: Arc<PhotoReader>,
}

impl ImagesTable {
    pub(crate) fn new(samples: Arc<dyn TableProvider>, reader: PhotoReader) -> Self {
        Self {
            schema: tables::images(),
            samples,
            reader: Arc::new(reader),
        }
    }

    /// The cheap columns, filtered and limited.
    fn rows(&self, filters: &[Expr], limit: Option<usize>) -> Result<LogicalPlan> {
        // What a decode gives: alpha is dropped or laid on white, palettes and
        // CMYK become colour. Modes are OpenCV's 8UC1 and 8UC3.
        let grey = || ident("channels").lt_eq(lit(2_u8));
        let source = provider_as_source(self.samples.clone());
        let mut plan = LogicalPlanBuilder::scan("samples", source, None)?.project(vec![
            ident("location").alias("origin"),
            try_cast(ident("height"), DataType::Int32).alias("height"),
            try_cast(ident("width"), DataType::Int32).alias("width"),
            when(grey(), lit(1_i32))
                .otherwise(lit(3_i32))?
                .alias("nChannels"),
            when(grey(), lit(0_i32))
                .otherwise(lit(16_i32))?
                .alias("mode"),
            ident("sample_id").alias("sample_id"),
        ])?;
        if let Some(filter) = filters.iter().cloned().reduce(Expr::and) {
            plan = plan.filter(filter)?;
        }
        if limit.is_some() {
            plan = plan.limit(0, limit)?;
        }
        plan.build()
    }

    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows(filters, limit)?;
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        if schema.index_of(DATA).is_err() {
            let columns = schema.fields().iter().map(|field| ident(field.name()));
            let plan = LogicalPlanBuilder::from(rows).project(columns.collect::<Vec<_>>())?;
            return state.create_physical_plan(&plan.build()?).await;
        }
        let mut input = state.create_physical_plan(&rows).await?;
        if input.output_partitioning().partition_count() > 1 {
            input = Arc::new(CoalescePartitionsExec::new(input));
        }
        Ok(Arc::new(DecodeExec::new(
            input,
            schema,
            self.reader.clone(),
        )))
    }
}

/// Whether a filter can be answered from the cheap columns.
fn is_cheap(filter: &Expr) -> Result<bool> {
    let mut cheap = true;
    filter.apply(|part| {
        cheap = match part {
            Expr::Column(column) => column.name != DATA,
            Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
            | Expr::SetComparison(_)
            | Expr::OuterReferenceColumn(..) => false,
            _ => true,
        };
        Ok(if cheap {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    })?;
    Ok(cheap)
}

impl TableProvider for ImagesTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = filters.iter().map(|filter| {
            Ok(if is_cheap(filter)? {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            })
        });
        support.collect()
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        filters: &'life3 [Expr],
        limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.plan(state, projection, filters, limit))
    }
}
