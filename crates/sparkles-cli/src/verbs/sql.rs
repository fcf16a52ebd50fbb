//! `sparkles sql`.

use std::io::Write as _;

use sparkles::{AlphaPolicy, Stores};
use sparkles_sql::{SqlOptions, SqlSession};

use super::open_dataset;
use crate::args::SqlArguments;

pub(crate) fn sql(stores: &Stores, arguments: &SqlArguments) -> anyhow::Result<()> {
    let dataset = open_dataset(stores, &arguments.dataset)?;
    let options = SqlOptions {
        memory_bytes: arguments.memory.0,
        alpha: AlphaPolicy::default(),
        threads: arguments.threads.unwrap_or(SqlOptions::default().threads),
    };
    let (stores, backbone, engine) = (
        stores.clone(),
        arguments.backbone.clone(),
        arguments.engine.engine,
    );
    let session = SqlSession::open(&dataset, options)?
        .with_backbone(move || sparkles::open_backbone(&stores, &backbone, engine));
    let result = session.query(&arguments.query)?;
    let mut out = std::io::stdout().lock();
    sparkles_sql::write(result, arguments.format, &mut out)?;
    out.flush()?;
    Ok(())
}
