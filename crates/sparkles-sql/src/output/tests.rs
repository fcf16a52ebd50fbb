//! Every format, over batches made by hand.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::*;

fn batch() -> RecordBatch {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some((0..9).map(Some).collect()),
    ]);
    RecordBatch::try_from_iter_with_nullable([
        (
            "name",
            Arc::new(StringArray::from(vec![
                Some("a,\"b\""),
                None,
                Some("two\nlines \u{1b}[31m"),
            ])) as ArrayRef,
            true,
        ),
        ("n", Arc::new(Int64Array::from(vec![1, -20, 300])), false),
        (
            "x",
            Arc::new(Float64Array::from(vec![0.5, f64::NAN, 1e300])),
            false,
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from_opt_vec(vec![
                Some(b"\x00\xff"),
                None,
                Some(&[7; 100]),
            ])),
            true,
        ),
        ("list", Arc::new(lists), true),
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_500_000), None, None])
                    .with_timezone("UTC"),
            ),
            true,
        ),
    ])
    .unwrap()
}

fn written(batches: &[RecordBatch], format: OutputFormat) -> Vec<u8> {
    let schema = batches.first().unwrap().schema();
    let mut out = Vec::new();
    let rows = write_batches(&schema, batches.iter().cloned().map(Ok), format, &mut out).unwrap();
    let expected: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, expected as u64);
    out
}

fn text(batches: &[RecordBatch], format: OutputFormat) -> String {
    String::from_utf8(written(batches, format)).unwrap()
}

#[test]
fn a_table_for_people() {
    let expected = [
        "name                n      x  bytes                                          list                        time",
        "----------------  ---  -----  ---------------------------------------------  --------------------------  ------------------------",
        r#"a,"b"               1    0.5  00ff                                           [1, NULL]                   2023-11-14T22:13:20.500Z"#,
        "NULL              -20    NaN  NULL                                           NULL                        NULL",
        "two               300  1e300  07070707070707070707070707070707… (100 bytes)  [0, 1, 2, 3, …] (9 values)  NULL",
        r"lines \u{1b}[31m",
        "",
    ];
    assert_eq!(text(&[batch()], OutputFormat::Table), expected.join("\n"));
}

#[test]
fn csv_is_quoted_and_headed() {
    let sevens = "07".repeat(100);
    assert_eq!(
        text(&[batch(), batch().slice(0, 0)], OutputFormat::Csv),
        format!(
            "name,n,x,bytes,list,time\n\
             \"a,\"\"b\"\"\",1,0.5,00ff,\"[1,null]\",2023-11-14T22:13:20.500Z\n\
             ,-20,NaN,,,\n\
             \"two\nlines \u{1b}[31m\",300,1e300,{sevens},\"[0,1,2,3,4,5,6,7,8]\",\n"
        )
    );
}

#[test]
fn json_is_one_object_a_line() {
    let lines = text(&[batch()], OutputFormat::Json);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(
        lines.first().copied().unwrap(),
        r#"{"name":"a,\"b\"","n":1,"x":0.5,"bytes":"00ff","list":[1,null],"time":"2023-11-14T22:13:20.500Z"}"#
    );
    assert_eq!(
        lines.get(1).copied().unwrap(),
        r#"{"name":null,"n":-20,"x":null,"bytes":null,"list":null,"time":null}"#
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn parquet_comes_back_as_it_was() {
    let bytes = written(&[batch(), batch()], OutputFormat::Parquet);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let read = ParquetRecordBatchReader::try_new(file, 1024).unwrap();
    let read: Vec<RecordBatch> = read.map(Result::unwrap).collect();
    let schema = batch().schema();
    let read = concat_batches(&schema, &read).unwrap();
    let expected = concat_batches(&schema, &[batch(), batch()]).unwrap();
    // NaN differs from itself.
    assert_eq!(format!("{read:?}"), format!("{expected:?}"));
}

#[test]
fn parquet_is_streamed() {
    // More than one row group, taken piece by piece.
    let rows = (0..200_u32).map(|row| {
        let mut bytes = vec![0; 400_000];
        bytes.extend(row.to_le_bytes());
        bytes
    });
    let column: ArrayRef = Arc::new(BinaryArray::from_iter_values(rows));
    let batch = RecordBatch::try_from_iter([("data", column)]).unwrap();
    let mut largest = 0;
    let mut counting = Counting(&mut largest);
    let schema = batch.schema();
    let batches = std::iter::once(Ok(batch));
    write_batches(&schema, batches, OutputFormat::Parquet, &mut counting).unwrap();
    assert!(largest > 0 && largest < 40 << 20, "{largest} bytes at once");
}

/// Remembers the largest write.
struct Counting<'a>(&'a mut usize);

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        *self.0 = bytes.len().max(*self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn names_that_repeat_are_numbered() {
    let field = |name: &str| Field::new(name, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![
        field("x"),
        field("x"),
        field("x_2"),
        field("x"),
    ]));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_new(schema, vec![column; 4]).unwrap();
    assert_eq!(
        text(std::slice::from_ref(&batch), OutputFormat::Json),
        "{\"x\":1,\"x_2\":1,\"x_2_2\":1,\"x_3\":1}\n"
    );
    assert_eq!(
        text(&[batch], OutputFormat::Table),
        "x  x  x_2  x\n-  -  ---  -\n1  1    1  1\n"
    );
}

#[test]
fn a_table_longer_than_what_is_measured() {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1002).map(|n| n * n * n)));
    let batch = RecordBatch::try_from_iter([("cube", column)]).unwrap();
    let text = text(&[batch.clone(), batch], OutputFormat::Table);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2 + 2004);
    assert_eq!(lines.get(2).copied(), Some("        0"));
    assert_eq!(lines.get(2 + 1001).copied(), Some("1003003001"));
}

#[test]
fn formats_by_name() {
    for format in OutputFormat::ALL {
        assert_eq!(format.to_string().parse::<OutputFormat>().unwrap(), format);
    }
    assert_eq!(
        "xml".parse::<OutputFormat>().unwrap_err().to_string(),
        "`xml` is no output format: table, csv, json, parquet"
    );
}

#[test]
fn a_closed_pipe_says_so() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in OutputFormat::ALL {
        let batch = batch();
        let result = write_batches(
            &batch.schema(),
            [Ok(batch)].into_iter(),
            format,
            &mut Closed,
        );
        let Err(SqlError::Write { source }) = result else {
            unreachable!("nothing was written")
        };
        assert_eq!(source.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
