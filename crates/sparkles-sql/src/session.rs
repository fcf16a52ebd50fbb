//! A session: the tables of one dataset, ready to be asked.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use sparkles_data::{DataError, Dataset, FeatureStore, Location, PartEntry, Stores};
use sparkles_vision::{AlphaPolicy, Backbone};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use crate::functions::{BackboneFunctions, OpenError};
use crate::images::ImagesTable;
use crate::parts::{Part, PartsTable};
use crate::photos::PhotoReader;
use crate::{SqlError, statement, tables};

/// Rows of a batch: at 2,048 features a row, 16 MiB.
const BATCH_ROWS: usize = 2048;
/// Stack of the threads that plan: the planner recurses into nested expressions.
/// Pages are taken when touched.
const STACK_BYTES: usize = 64 << 20;
/// What a sort sets aside to merge what it spilled, at most.
const MERGE_BYTES: u64 = 10 << 20;

/// How a session works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlOptions {
    /// Memory of joins, sorts and aggregations, which spill to the system's
    /// folder for temporary files beyond it; also the most that one photo's
    /// decode may take.
    pub memory_bytes: u64,
    /// What becomes of an alpha channel in `images`.
    pub alpha: AlphaPolicy,
    /// Threads that work on a query.
    pub threads: usize,
}

impl Default for SqlOptions {
    /// 1 GiB, alpha dropped, as many threads as the machine has processors.
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            alpha: AlphaPolicy::Drop,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

/// The tables of one dataset. Synchronous: not to be used, nor dropped, inside
/// an asynchronous task.
pub struct SqlSession {
    context: SessionContext,
    threads: Arc<Threads>,
    options: SqlOptions,
    functions: Option<Arc<BackboneFunctions>>,
}

impl fmt::Debug for SqlSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqlSession")
            .field("tables", &table_names(&self.context))
            .finish_non_exhaustive()
    }
}

/// The runtime that answers, and the stores that its tasks read. Stores own a
/// runtime too, which must not be dropped on a thread of this one: fields are
/// dropped in order, so the last tasks are gone before the stores are.
struct Threads {
    runtime: Runtime,
    stores: Stores,
}

impl SqlSession {
    /// Opens the tables of `dataset`. Reads its manifests, and no table yet.
    pub fn open(dataset: &Dataset, options: SqlOptions) -> Result<Self, SqlError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_stack_size(STACK_BYTES)
            .thread_name("sparkles-sql")
            .enable_all()
            .build()
            .map_err(|source| SqlError::Runtime { source })?;
        let threads = Arc::new(Threads {
            runtime,
            stores: dataset.stores().clone(),
        });
        let fail = |error: DataFusionError| SqlError::of(&error, options.memory_bytes);
        let context = context(options).map_err(fail)?;
        let register = |name: &str, table: Arc<dyn TableProvider>| {
            context.register_table(name, table).map(drop).map_err(fail)
        };

        let source = Source::of(dataset)?;
        context.register_object_store(source.url.as_ref(), source.store.clone());
        let manifest = dataset.manifest();
        let stores = dataset.feature_stores()?;
        let samples = source.table(tables::samples(), &manifest.samples)?;
        register("samples", samples.clone())?;
        register("labels", source.table(tables::labels(), &manifest.labels)?)?;
        register(
            "classes",
            source.table(tables::classes(), &manifest.classes)?,
        )?;
        let refused = stores.iter().map(|store| &store.manifest().rejects);
        let rejects: Vec<PartEntry> = std::iter::once(&manifest.rejects)
            .chain(refused)
            .flatten()
            .cloned()
            .collect();
        register("rejects", source.table(tables::rejects(), &rejects)?)?;
        for (name, table) in features(&source, &stores)? {
            register(&name, table)?;
        }
        let reader = PhotoReader {
            stores: dataset.stores().clone(),
            memory_bytes: options.memory_bytes,
            alpha: options.alpha,
        };
        register("images", Arc::new(ImagesTable::new(samples, reader)))?;
        let labelled = threads.runtime.block_on(async {
            let view = context.sql(tables::LABELLED).await?;
            context.register_table("labelled", view.into_view())
        });
        labelled.map_err(fail)?;
        Ok(Self {
            context,
            threads,
            options,
            functions: None,
        })
    }

    /// Adds the functions `features(location)` and `tag(location)`, of a backbone that
    /// `open` gives when a query first calls one of them. Photos are decoded in the
    /// session's memory and featurized on its threads; those that are refused are
    /// NULL.
    #[must_use]
    pub fn with_backbone<E: Into<Box<dyn Error + Send + Sync>>>(
        self,
        open: impl Fn() -> Result<Backbone, E> + Send + Sync + 'static,
    ) -> Self {
        let reader = PhotoReader {
            stores: self.threads.stores.clone(),
            memory_bytes: self.options.memory_bytes,
            alpha: self.options.alpha,
        };
        let open = Box::new(move || open().map_err(OpenError::new));
        let functions = BackboneFunctions::new(open, reader, self.options.threads);
        for function in functions.all() {
            self.context.register_udf(function);
        }
        Self {
            functions: Some(functions),
            ..self
        }
    }

    /// Answers one statement. What comes back is made while it is taken.
    pub fn query(&self, sql: &str) -> Result<QueryResult, SqlError> {
        statement::check_text(sql)?;
        let (context, sql) = (self.context.clone(), sql.to_owned());
        let memory_bytes = self.options.memory_bytes;
        let functions = self.functions.clone();
        // Planned on a thread of the runtime: only those have the stack for it.
        let planned = self
            .threads
            .runtime
            .spawn(async move { plan(&context, &sql, memory_bytes, functions.as_deref()).await });
        let mut batches =
            self.threads
                .runtime
                .block_on(planned)
                .map_err(|error| SqlError::Execution {
                    message: error.to_string(),
                })??;
        let schema = batches.schema();
        let (sender, receiver) = mpsc::channel(1);
        let task = self.threads.runtime.spawn(async move {
            while let Some(batch) = batches.next().await {
                let last = batch.is_err();
                let batch = batch.map_err(|error| SqlError::of(&error, memory_bytes));
                if sender.send(batch).await.is_err() || last {
                    break;
                }
            }
        });
        Ok(QueryResult {
            schema,
            receiver,
            task: Some(task),
            threads: self.threads.clone(),
        })
    }
}

/// Parses, checks and plans a query, and begins to run it.
async fn plan(
    context: &SessionContext,
    sql: &str,
    memory_bytes: u64,
    functions: Option<&BackboneFunctions>,
) -> Result<SendableRecordBatchStream, SqlError> {
    let fail = |error: DataFusionError| match functions.and_then(BackboneFunctions::failed) {
        Some(source) => SqlError::Backbone { source },
        None => SqlError::of(&error, memory_bytes),
    };
    let mut state = context.state();
    let dialect = state.config_options().sql_parser.dialect;
    let mut parsed = match state.sql_to_statement(sql, &dialect) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Err(match fail(error) {
                SqlError::Plan { message } => SqlError::Syntax { message },
                other => other,
            });
        }
    };
    statement::check(&parsed, sql)?;
    statement::fit_names(&mut parsed);
    let plan = match state.statement_to_plan(parsed.clone()).await {
        Ok(plan) => plan,
        Err(error) => {
            return Err(unknown_table(context, &parsed).unwrap_or_else(|| fail(error)));
        }
    };
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|_| statement::not_allowed(sql))?;
    if let Some(rows) = functions.and_then(BackboneFunctions::batch_rows) {
        let config = state.config().clone().with_batch_size(rows);
        *state.config_mut() = config;
    }
    let frame = DataFrame::new(state, plan);
    frame.execute_stream().await.map_err(fail)
}

/// The first table that a statement names and that does not exist.
fn unknown_table(context: &SessionContext, statement: &Statement) -> Option<SqlError> {
    let state = context.state();
    let named = state.resolve_table_references(statement).ok()?;
    let unknown = named.into_iter().find(|reference| {
        let schema = state.schema_for_ref(reference.clone());
        !schema.is_ok_and(|schema| schema.table_exist(reference.table()))
            && state.table_functions().get(reference.table()).is_none()
    })?;
    Some(SqlError::UnknownTable {
        name: unknown.to_string(),
        tables: table_names(context),
    })
}

fn table_names(context: &SessionContext) -> Vec<String> {
    let state = context.state();
    let schema = state.schema_for_ref("samples");
    let mut names = schema.map_or_else(|_| Vec::new(), |schema| schema.table_names());
    names.sort();
    names
}

fn context(options: SqlOptions) -> Result<SessionContext, DataFusionError> {
    let threads = options.threads.max(1);
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(true)
        .with_sort_spill_reservation_bytes(size(
            MERGE_BYTES.min(options.memory_bytes / (4 * threads as u64)),
        ));
    let settings = config.options_mut();
    settings.execution.parquet.schema_force_view_types = false;
    settings.sql_parser.map_string_types_to_utf8view = false;
    let pool = FairSpillPool::new(size(options.memory_bytes));
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, environment))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Where the dataset's files live.
struct Source<'a> {
    dataset: &'a Dataset,
    url: ObjectStoreUrl,
    store: Arc<dyn datafusion::object_store::ObjectStore>,
}

impl<'a> Source<'a> {
    fn of(dataset: &'a Dataset) -> Result<Self, SqlError> {
        let root = dataset.root();
        let bad = |reason: &dyn fmt::Display| DataError::BadLocation {
            text: root.to_string(),
            reason: reason.to_string(),
        };
        let address = match root {
            Location::Local(_) => "file:///",
            Location::Url(address) => &address[..url::Position::BeforePath],
        };
        let address = Url::parse(address).map_err(|error| bad(&error))?;
        let url = ObjectStoreUrl::parse(&address[..url::Position::BeforePath])
            .map_err(|error| bad(&error))?;
        let (store, _) = dataset.stores().resolve(root)?;
        Ok(Self {
            dataset,
            url,
            store,
        })
    }

    fn table(
        &self,
        schema: SchemaRef,
        entries: &[PartEntry],
    ) -> Result<Arc<dyn TableProvider>, DataError> {
        let parts = entries.iter().map(|entry| {
            let location = self.dataset.root().join(&entry.file);
            let (_, path) = self.dataset.stores().resolve(&location)?;
            let rows = entry.rows;
            Ok(Part { path, rows })
        });
        Ok(Arc::new(PartsTable {
            schema,
            url: self.url.clone(),
            store: self.store.clone(),
            parts: parts.collect::<Result<_, DataError>>()?,
        }))
    }
}

type NamedTable = (String, Arc<dyn TableProvider>);

/// A table for each feature key, and `features`.
fn features(source: &Source<'_>, stores: &[FeatureStore]) -> Result<Vec<NamedTable>, DataError> {
    let mut registered = Vec::with_capacity(stores.len() + 1);
    let manifests: Vec<_> = stores.iter().map(FeatureStore::manifest).collect();
    let names = tables::feature_names(&manifests);
    let mut most: Option<(u64, Arc<dyn TableProvider>)> = None;
    for (manifest, name) in manifests.iter().zip(names) {
        let dimension = i32::try_from(manifest.dimension).unwrap_or(i32::MAX);
        let table = source.table(tables::features(Some(dimension)), &manifest.parts)?;
        let rows = manifest.parts.iter().map(|part| part.rows).sum();
        if most
            .as_ref()
            .is_none_or(|(rows_of_most, _)| rows > *rows_of_most)
        {
            most = Some((rows, table.clone()));
        }
        registered.push((name, table));
    }
    let table = match most {
        Some((_, table)) => table,
        None => source.table(tables::features(None), &[])?,
    };
    registered.push(("features".to_owned(), table));
    Ok(registered)
}

/// An answer: batches of rows, made while they are taken. Two are made ahead.
///
/// Like a session, not to be dropped inside an asynchronous task. Dropping it
/// ends the query.
pub struct QueryResult {
    schema: SchemaRef,
    receiver: mpsc::Receiver<Result<RecordBatch, SqlError>>,
    task: Option<JoinHandle<()>>,
    threads: Arc<Threads>,
}

impl QueryResult {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl fmt::Debug for QueryResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("QueryResult")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Iterator for QueryResult {
    type Item = Result<RecordBatch, SqlError>;

    /// The next batch; after an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(batch) = self.receiver.blocking_recv() {
            return Some(batch);
        }
        // A task that panicked made no last batch: its rows are not all.
        let ended = self.threads.runtime.block_on(self.task.take()?);
        ended.err().map(|error| {
            Err(SqlError::Execution {
                message: error.to_string(),
            })
        })
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
