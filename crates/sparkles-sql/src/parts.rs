//! A table made of the Parquet files that a manifest names.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use futures::{StreamExt, TryStreamExt};

/// Files whose sizes are asked for at the same time.
const CONCURRENT_REQUESTS: usize = 16;

/// One committed file.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) path: ObjectPath,
    pub(crate) rows: u64,
}

/// A table of Parquet files in one object store.
///
/// Not DataFusion's `ListingTable`: that one takes a file that is gone for an
/// empty folder, and its rows would be missing in silence.
pub(crate) struct PartsTable {
    pub(crate) schema: SchemaRef,
    pub(crate) url: ObjectStoreUrl,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) parts: Vec<Part>,
}

impl fmt::Debug for PartsTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PartsTable")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl PartsTable {
    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.parts.is_empty() {
            let schema = project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let paths: Vec<ObjectPath> = self.parts.iter().map(|part| part.path.clone()).collect();
        let files: Vec<PartitionedFile> = futures::stream::iter(paths)
            .map(|path| {
                let store = self.store.clone();
                async move {
                    let meta = store.head(&path).await?;
                    Ok::<_, DataFusionError>(PartitionedFile::from(meta))
                }
            })
            .buffered(CONCURRENT_REQUESTS)
            .try_collect()
            .await?;
        let rows: u64 = self.parts.iter().map(|part| part.rows).sum();
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = usize::try_from(rows).map_or(Precision::Absent, Precision::Exact);
        let source = Arc::new(ParquetSource::new(self.schema.clone()));
        let config = FileScanConfigBuilder::new(self.url.clone(), source)
            .with_file_groups(FileGroup::new(files).split_files(state.config().target_partitions()))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_statistics(statistics)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl TableProvider for PartsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    // Filters are not taken here: the physical optimizer hands them to the
    // Parquet source, which prunes row groups and pages by them.
    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        _filters: &'life3 [Expr],
        limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.plan(state, projection, limit))
    }
}
