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
    let (stores, backbone) = (stores.clone(), arguments.backbone.clone());
    let session = SqlSession::open(&dataset, options)?
        .with_backbone(move || sparkles::open_backbone(&stores, &backbone));
    let result = session.query(&arguments.query)?;
    let mut out = std::io::stdout().lock();
    sparkles_sql::write(result, arguments.format, &mut out)?;
    out.flush()?;
    Ok(())
}
