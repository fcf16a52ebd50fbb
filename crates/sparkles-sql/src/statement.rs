//! The text of a query: parsed, checked, and made to fit the tables' names.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as AnyStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, Statement, TableFactor, Visit, Visitor, visit_expressions_mut,
};

use crate::SqlError;

/// Longest text of a query, in bytes.
const MOST_BYTES: usize = 256 << 10;
/// Deepest nesting of an expression: planning and optimising recurse.
const DEEPEST: usize = 400;
/// Most `SELECT`s in one statement, for the same reason.
const MOST_SELECTS: usize = 200;
/// Most tables joined in one statement, for the same reason.
const MOST_TABLES: usize = 50;
/// The one column whose name is not lower case.
const MIXED_CASE: &str = "nChannels";

/// Refuses a text that would keep the parser busy for too long.
pub(crate) fn check_text(sql: &str) -> Result<(), SqlError> {
    if sql.len() > MOST_BYTES {
        return Err(SqlError::TooLarge {
            what: "bytes of text",
            limit: MOST_BYTES,
        });
    }
    Ok(())
}

/// Refuses what is no question, and what is nested too deep to be planned.
pub(crate) fn check(statement: &AnyStatement, sql: &str) -> Result<(), SqlError> {
    match statement {
        AnyStatement::Explain(explain) => check(&explain.statement, sql),
        AnyStatement::Statement(inner) => {
            if !asks(inner) {
                return Err(not_allowed(sql));
            }
            let mut size = Size::default();
            match inner.visit(&mut size) {
                ControlFlow::Break(error) => Err(*error),
                ControlFlow::Continue(()) => Ok(()),
            }
        }
        _ => Err(not_allowed(sql)),
    }
}

fn asks(statement: &Statement) -> bool {
    match statement {
        Statement::Query(_)
        | Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowVariable { .. } => true,
        Statement::Explain { statement, .. } => asks(statement),
        _ => false,
    }
}

/// Names a statement by the first word of its text that says what it does.
pub(crate) fn not_allowed(sql: &str) -> SqlError {
    let mut words = sql
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .map(str::to_ascii_uppercase)
        .filter(|word| !matches!(word.as_str(), "" | "EXPLAIN" | "ANALYZE" | "VERBOSE"));
    SqlError::NotAllowed {
        statement: words.next().unwrap_or_default(),
    }
}

/// Lets `nChannels` be written without quotes, in any case: the engine takes
/// unquoted names for lower case.
pub(crate) fn fit_names(statement: &mut AnyStatement) {
    match statement {
        AnyStatement::Explain(explain) => fit_names(&mut explain.statement),
        AnyStatement::Statement(inner) => {
            let ControlFlow::Continue(()) = visit_expressions_mut(inner.as_mut(), |expression| {
                match expression {
                    Expr::Identifier(name) => fit(name),
                    Expr::CompoundIdentifier(names) => names.iter_mut().for_each(fit),
                    _ => {}
                }
                ControlFlow::<std::convert::Infallible>::Continue(())
            });
        }
        _ => {}
    }
}

fn fit(name: &mut Ident) {
    if name.quote_style.is_none() && name.value.eq_ignore_ascii_case(MIXED_CASE) {
        MIXED_CASE.clone_into(&mut name.value);
        name.quote_style = Some('"');
    }
}

/// Counts what planning recurses into.
#[derive(Default)]
struct Size {
    depth: usize,
    selects: usize,
    tables: usize,
}

fn within(count: usize, limit: usize, what: &'static str) -> ControlFlow<Box<SqlError>> {
    if count > limit {
        return ControlFlow::Break(Box::new(SqlError::TooLarge { what, limit }));
    }
    ControlFlow::Continue(())
}

impl Visitor for Size {
    type Break = Box<SqlError>;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.selects += 1;
        within(self.selects, MOST_SELECTS, "selects")
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<Self::Break> {
        self.selects += 1;
        within(self.selects, MOST_SELECTS, "selects")
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<Self::Break> {
        self.tables += 1;
        within(self.tables, MOST_TABLES, "tables")
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<Self::Break> {
        self.depth += 1;
        within(self.depth, DEEPEST, "levels of nesting")
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}
