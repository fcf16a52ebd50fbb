//! Queries over small datasets.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int32Type;
use sparkles_data::{
    Class, Dataset, DatasetBuilder, FeatureInfo, FeatureRow, Label, Location, Reject, RejectReason,
    Sample, Stage, Stores, write_part,
};
use tempfile::TempDir;

use crate::{OutputFormat, SqlError, SqlOptions, SqlSession, write};

const ODD: &str = "b #1 100%25 ü[x]?.png";

struct World {
    folder: TempDir,
    dataset: Dataset,
}

impl World {
    fn session(&self) -> SqlSession {
        SqlSession::open(&self.dataset, options(1 << 30)).unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

fn options(memory_bytes: u64) -> SqlOptions {
    SqlOptions {
        memory_bytes,
        threads: 2,
        ..SqlOptions::default()
    }
}

fn sample(id: &str, path: &Path, (height, width): (u32, u32), channels: u8) -> Sample {
    Sample {
        sample_id: id.into(),
        location: path.to_str().unwrap().into(),
        bytes: 1,
        modified: 1_700_000_000_000_000,
        format: "png".into(),
        height,
        width,
        channels,
        orientation: 1,
        ..Sample::default()
    }
}

fn label(id: &str, name: &str, confidence: f32) -> Label {
    Label {
        sample_id: id.into(),
        source: "verification".into(),
        label_name: name.into(),
        confidence,
    }
}

fn reject(location: &str, feature_key: Option<&str>) -> Reject {
    Reject {
        location: location.into(),
        sample_id: None,
        stage: feature_key.map_or(Stage::Ingest, |_| Stage::Featurize),
        feature_key: feature_key.map(str::to_owned),
        reason: RejectReason::NotAnImage,
        message: "it begins with 00".into(),
        version: None,
    }
}

/// Five photos: colour, grey with alpha under an odd name, turned, gone, broken.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    image::RgbImage::from_fn(3, 2, |x, y| {
        let (x, y) = (u8::try_from(x).unwrap(), u8::try_from(y).unwrap());
        image::Rgb([10 + x, 20 + y, 30])
    })
    .save(at("a.png"))
    .unwrap();
    image::GrayAlphaImage::from_pixel(2, 2, image::LumaA([7, 255]))
        .save(at(ODD))
        .unwrap();
    turned_tiff(&at("c.tiff"));
    std::fs::write(at("e.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();

    let stores = Stores::new().unwrap();
    let root = Location::local(at("set #1 50%.sparkles")).unwrap();
    let mut builder = DatasetBuilder::new(&stores, &root).unwrap();
    let rows = [
        sample("a", &at("a.png"), (2, 3), 3),
        sample("b", &at(ODD), (2, 2), 2),
        sample("c", &at("c.tiff"), (2, 1), 3),
    ];
    builder.write_samples(&rows).unwrap();
    let rows = [
        sample("d", &at("gone.png"), (100, 200), 4),
        sample("e", &at("e.png"), (5, 5), 3),
    ];
    builder.write_samples(&rows).unwrap();
    let rows = [
        label("a", "/m/car", 1.0),
        label("a", "/m/tree", 0.0),
        label("b", "/m/tree", 1.0),
        label("c", "/m/unknown", 1.0),
        label("without photo", "/m/car", 1.0),
    ];
    builder.write_labels(&rows).unwrap();
    let class = |label_name: &str, display_name: &str| Class {
        label_name: label_name.into(),
        display_name: display_name.into(),
    };
    let rows = [
        class("/m/car", "Car"),
        class("/m/tree", "Tree"),
        class("/m/tree", "Tree"),
    ];
    builder.write_classes(&rows).unwrap();
    builder
        .write_rejects(&[reject("/notes.txt", None)])
        .unwrap();
    let dataset = builder.commit().unwrap();
    add_features(&dataset, "11111111aaaa", "lite0", &["a"]);
    add_features(&dataset, "22222222bbbb", "ResNet-50", &["a", "b"]);
    World { folder, dataset }
}

/// One red pixel left of a blue one, to be shown turned a quarter clockwise.
fn turned_tiff(path: &Path) {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let entries: [(u16, u16, u32, u32); 10] = [
        (256, 3, 1, 2),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 134),
        (274, 3, 1, 6),
        (277, 3, 1, 3),
        (278, 3, 1, 1),
        (279, 4, 1, 6),
    ];
    bytes.extend(10_u16.to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    assert_eq!(bytes.len(), 134);
    bytes.extend([255, 0, 0, 0, 0, 255]);
    std::fs::write(path, bytes).unwrap();
}

fn add_features(dataset: &Dataset, key: &str, backbone: &str, ids: &[&str]) {
    let info = FeatureInfo {
        feature_key: key.into(),
        backbone: backbone.into(),
        backbone_hash: "00".into(),
        dimension: 6,
        alpha: "drop".into(),
    };
    let rows = ids.iter().map(|id| FeatureRow {
        sample_id: (*id).into(),
        location: format!("/{id}.jpg"),
        version: "1:2".into(),
        content_hash: "ff".into(),
        features: vec![0.5, 1.0, 1.5, 2.0, 2.5, 3.0],
    });
    let rejects = [reject("/broken.jpg", Some(key))];
    let receipt = write_part(
        dataset.stores(),
        dataset.root(),
        &info,
        "part",
        rows.collect(),
        &rejects,
    );
    let mut store = dataset.features(&info).unwrap();
    store.commit(&receipt.unwrap()).unwrap();
}

fn empty() -> World {
    let folder = tempfile::tempdir().unwrap();
    let root = Location::local(folder.path().join("set")).unwrap();
    let stores = Stores::new().unwrap();
    let builder = DatasetBuilder::new(&stores, &root).unwrap();
    let dataset = builder.commit().unwrap();
    World { folder, dataset }
}

fn rows(session: &SqlSession, sql: &str) -> RecordBatch {
    let result = session.query(sql).unwrap();
    let schema = result.schema();
    let batches: Vec<RecordBatch> = result.map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn text(session: &SqlSession, sql: &str, format: OutputFormat) -> String {
    let mut out = Vec::new();
    write(session.query(sql).unwrap(), format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn csv(session: &SqlSession, sql: &str) -> String {
    text(session, sql, OutputFormat::Csv)
}

fn error(session: &SqlSession, sql: &str) -> SqlError {
    match session.query(sql) {
        Err(error) => error,
        Ok(mut result) => result
            .find_map(Result::err)
            .unwrap_or_else(|| unreachable_answer(sql)),
    }
}

fn unreachable_answer(sql: &str) -> SqlError {
    SqlError::Execution {
        message: format!("`{sql}` was answered"),
    }
}

#[test]
fn labels_are_readable() {
    let world = world();
    let session = world.session();
    assert_eq!(
        csv(
            &session,
            "SELECT sample_id, label_name, display_name, confidence, height, width
             FROM labelled ORDER BY sample_id, label_name"
        ),
        "sample_id,label_name,display_name,confidence,height,width\n\
         a,/m/car,Car,1.0,2,3\n\
         a,/m/tree,Tree,0.0,2,3\n\
         b,/m/tree,Tree,1.0,2,2\n\
         c,/m/unknown,/m/unknown,1.0,2,1\n"
    );
    assert_eq!(
        text(
            &session,
            "SELECT Display_Name, COUNT(*) AS n FROM Labelled WHERE confidence = 1 GROUP BY 1 ORDER BY 1",
            OutputFormat::Table
        ),
        "display_name  n\n\
         ------------  -\n\
         /m/unknown    1\n\
         Car           1\n\
         Tree          1\n"
    );
}

#[test]
fn every_key_has_its_features_and_its_rejects() {
    let world = world();
    let session = world.session();
    assert_eq!(
        csv(&session, "SELECT count(*) AS n FROM features_lite0"),
        "n\n1\n"
    );
    assert_eq!(
        csv(&session, "SELECT count(*) AS n FROM features"),
        "n\n2\n"
    );
    assert_eq!(
        text(
            &session,
            "SELECT sample_id, features, features[2] AS second FROM features_resnet_50 ORDER BY 1",
            OutputFormat::Table
        ),
        "sample_id  features                            second\n\
         ---------  ----------------------------------  ------\n\
         a          [0.5, 1.0, 1.5, 2.0, …] (6 values)     1.0\n\
         b          [0.5, 1.0, 1.5, 2.0, …] (6 values)     1.0\n"
    );
    assert_eq!(
        csv(
            &session,
            "SELECT stage, feature_key, reason FROM rejects ORDER BY feature_key NULLS FIRST"
        ),
        "stage,feature_key,reason\n\
         ingest,,not_an_image\n\
         featurize,11111111aaaa,not_an_image\n\
         featurize,22222222bbbb,not_an_image\n"
    );
}

#[test]
fn images_without_data_open_no_photo() {
    let world = world();
    let session = world.session();
    assert_eq!(
        csv(
            &session,
            "SELECT sample_id, height, width, nChannels, MODE FROM images ORDER BY origin"
        )
        .lines()
        .collect::<Vec<_>>(),
        [
            "sample_id,height,width,nChannels,mode",
            "a,2,3,3,16",
            "b,2,2,1,0",
            "c,2,1,3,16",
            "e,5,5,3,16",
            "d,100,200,3,16",
        ]
    );
    assert_eq!(csv(&session, "SELECT count(*) AS n FROM images"), "n\n5\n");
    for name in ["nChannels", "nchannels", "\"nChannels\"", "i.NCHANNELS"] {
        assert_eq!(
            csv(
                &session,
                &format!("SELECT sample_id FROM images i WHERE {name} = 1")
            ),
            "sample_id\nb\n"
        );
    }
}

#[test]
fn data_is_rows_of_blue_green_red() {
    let world = world();
    let session = world.session();
    let batch = rows(&session, "SELECT * FROM images ORDER BY sample_id");
    let names: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(
        names,
        [
            "origin",
            "height",
            "width",
            "nChannels",
            "mode",
            "data",
            "sample_id"
        ]
    );
    let data = batch["data"].as_binary::<i32>();
    let pixels: Vec<Option<&[u8]>> = data.iter().collect();
    assert_eq!(
        pixels,
        [
            Some(
                &[
                    30, 20, 10, 30, 20, 11, 30, 20, 12, 30, 21, 10, 30, 21, 11, 30, 21, 12
                ][..]
            ),
            Some(&[7, 7, 7, 7][..]),
            // Red above blue.
            Some(&[0, 0, 255, 255, 0, 0][..]),
            None,
            None,
        ]
    );
    assert_eq!(batch["origin"].as_string::<i32>().value(1), world.path(ODD));
    for row in 0..3 {
        let size: i32 = ["height", "width", "nChannels"]
            .iter()
            .map(|name| batch[*name].as_primitive::<Int32Type>().value(row))
            .product();
        assert_eq!(data.value(row).len(), usize::try_from(size).unwrap());
    }
}

/// The photos that a query opened, as `EXPLAIN ANALYZE` counts them.
fn photos(session: &SqlSession, sql: &str) -> Option<usize> {
    let plan = text(
        session,
        &format!("EXPLAIN ANALYZE {sql}"),
        OutputFormat::Table,
    );
    let count = plan.split("photos=").nth(1)?;
    let digits: String = count.chars().take_while(char::is_ascii_digit).collect();
    Some(digits.parse().unwrap())
}

#[test]
fn only_photos_that_are_asked_for_are_opened() {
    let world = world();
    let session = world.session();
    for (sql, expected) in [
        ("SELECT data FROM images", Some(5)),
        ("SELECT data FROM images LIMIT 2", Some(2)),
        (
            "SELECT data FROM images WHERE origin LIKE '%.tiff'",
            Some(1),
        ),
        (
            "SELECT data FROM images WHERE nChannels = 3 AND height < 5 LIMIT 1",
            Some(1),
        ),
        ("SELECT data FROM images WHERE origin = 'none'", Some(0)),
        (
            "SELECT origin, data FROM images JOIN labelled USING (sample_id)
             WHERE display_name = 'Car'",
            Some(1),
        ),
        (
            "SELECT data FROM images WHERE sample_id IN
             (SELECT sample_id FROM labels WHERE label_name = '/m/tree' AND confidence = 1)",
            Some(1),
        ),
        ("SELECT height FROM images", None),
        ("SELECT length(origin) FROM images LIMIT 1", None),
        // A filter on the pixels needs them all.
        (
            "SELECT data FROM images WHERE data IS NOT NULL LIMIT 1",
            Some(5),
        ),
    ] {
        assert_eq!(photos(&session, sql), expected, "{sql}");
    }
    assert_eq!(
        rows(
            &session,
            "SELECT data FROM images WHERE data IS NOT NULL LIMIT 1"
        )
        .num_rows(),
        1
    );
    assert_eq!(
        csv(
            &session,
            "SELECT sample_id FROM images WHERE data IS NULL ORDER BY width DESC LIMIT 1"
        ),
        "sample_id\nd\n"
    );
}

#[test]
fn a_photo_that_needs_too_much_memory_is_null() {
    let world = world();
    let session = SqlSession::open(&world.dataset, options(4096)).unwrap();
    assert_eq!(
        csv(&session, "SELECT data FROM images WHERE sample_id = 'a'"),
        "data\n\"\"\n"
    );
}

#[test]
fn a_photo_that_changed_is_null() {
    let world = world();
    image::RgbImage::new(4, 4)
        .save(world.path("a.png"))
        .unwrap();
    let session = world.session();
    assert_eq!(
        csv(
            &session,
            "SELECT width, data IS NULL AS gone FROM images WHERE sample_id = 'a'"
        ),
        "width,gone\n3,true\n"
    );
}

#[test]
fn empty_tables_have_their_columns() {
    let world = empty();
    let session = world.session();
    for table in crate::tables() {
        let result = session.query(&format!("SELECT * FROM {}", table.name));
        let result = result.unwrap();
        let schema = result.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, table.columns, "{}", table.name);
        assert_eq!(
            result.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
            0
        );
    }
    assert_eq!(
        csv(&session, "SELECT * FROM classes"),
        "label_name,display_name\n"
    );
    assert_eq!(
        text(&session, "SELECT * FROM classes", OutputFormat::Table),
        "label_name  display_name\n----------  ------------\n"
    );
}

#[test]
fn the_session_describes_itself() {
    let world = world();
    let session = world.session();
    let tables = csv(&session, "SHOW TABLES");
    for name in [
        "samples",
        "labelled",
        "images",
        "features",
        "features_lite0",
    ] {
        assert!(tables.contains(&format!("public,{name},")), "{tables}");
    }
    assert!(csv(&session, "DESCRIBE images").contains("nChannels,Int32,YES"));
    assert!(csv(&session, "EXPLAIN SELECT data FROM images").contains("DecodeExec"));
}

#[test]
fn hostile_text_is_an_error() {
    let world = world();
    let session = world.session();
    let deep = format!("SELECT {}1", "1+".repeat(10_000));
    let nested = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let deepest = format!("SELECT {}1", "1+".repeat(130_000));
    let insert = format!("INSERT INTO classes {deepest}");
    let unions = vec!["SELECT 1"; 3000].join(" UNION ALL ");
    let joins = format!(
        "SELECT 1 FROM {}",
        vec!["samples"; 3000].join(" CROSS JOIN ")
    );
    let target = world.path("out.csv");
    for (sql, expected) in [
        ("", "not SQL: "),
        ("   ;", "not SQL: "),
        ("garbage", "not SQL: "),
        ("SELECT 'x", "not SQL: "),
        ("\0\u{1b}[31m", "not SQL: "),
        ("SELECT 1; SELECT 2", "not SQL: "),
        (&nested, "not SQL: "),
        (&deep, "the query is too large: levels of nesting"),
        (&deepest, "the query is too large: levels of nesting"),
        (&insert, "`INSERT` is not allowed"),
        (&joins, "the query is too large: tables"),
        (&unions, "the query is too large: selects"),
        (&" ".repeat(300_000), "the query is too large: bytes"),
        ("DROP TABLE samples", "`DROP` is not allowed"),
        ("DELETE FROM samples", "`DELETE` is not allowed"),
        (
            "INSERT INTO classes VALUES ('a', 'b')",
            "`INSERT` is not allowed",
        ),
        ("CREATE TABLE x AS SELECT 1", "`CREATE` is not allowed"),
        (
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
            "`CREATE` is not allowed",
        ),
        (
            &format!("COPY samples TO '{target}'"),
            "`COPY` is not allowed",
        ),
        (
            &format!("EXPLAIN ANALYZE COPY samples TO '{target}'"),
            "`COPY` is not allowed",
        ),
        (
            "SET datafusion.execution.batch_size = 1",
            "`SET` is not allowed",
        ),
        ("SELECT 1 INTO x", "`SELECT"),
        ("SELECT * FROM sample", "there is no table `sample`"),
        (
            "SELECT * FROM '/etc/passwd'",
            "there is no table `/etc/passwd`",
        ),
        ("SELECT colour FROM samples", "no field named colour"),
        ("SELECT nonsense(1)", "invalid function 'nonsense'"),
        ("SELECT 1/0", "the query failed: divide by zero"),
        (
            "SELECT CAST(location AS INT) FROM samples",
            "the query failed: ",
        ),
    ] {
        let message = error(&session, sql).to_string();
        let shown: String = sql.chars().take(60).collect();
        assert!(message.starts_with(expected), "{shown}: {message}");
    }
    assert!(!Path::new(&target).exists());
    let unknown = error(&session, "SELECT * FROM sample");
    assert_eq!(
        unknown.hint().unwrap(),
        "tables: classes, features, features_lite0, features_resnet_50, images, labelled, \
         labels, rejects, samples"
    );
}

#[test]
fn nesting_within_the_limits_is_planned() {
    let world = world();
    let session = world.session();
    let deep = format!("SELECT {}1 AS n", "1+".repeat(390));
    assert_eq!(csv(&session, &deep), "n\n391\n");
    let deep = format!(
        "SELECT count(*) AS n FROM samples WHERE {}",
        vec!["height = 2"; 390].join(" OR width = 3 AND ")
    );
    assert_eq!(csv(&session, &deep), "n\n3\n");
    let unions = vec!["SELECT 1 AS n"; 90].join(" UNION ALL ");
    assert_eq!(
        csv(&session, &format!("SELECT sum(n) AS n FROM ({unions})")),
        "n\n90\n"
    );
    let joins = (1..50)
        .map(|table| format!("JOIN samples s{table} ON s{table}.sample_id = s0.sample_id"))
        .collect::<Vec<_>>()
        .join(" ");
    let joins = format!("SELECT count(*) AS n FROM samples s0 {joins}");
    assert_eq!(csv(&session, &joins), "n\n5\n");
}

#[test]
fn a_missing_part_is_an_error_and_not_fewer_rows() {
    let world = world();
    let file = &world.dataset.manifest().samples[1].file;
    let part = world.dataset.root().join(file);
    std::fs::remove_file(part.as_local().unwrap()).unwrap();
    let session = world.session();
    let error = error(&session, "SELECT sample_id FROM samples");
    assert!(matches!(error, SqlError::MissingPart { .. }), "{error:?}");
    assert!(error.to_string().contains(file.as_str()), "{error}");
    assert_eq!(csv(&session, "SELECT count(*) AS n FROM labels"), "n\n5\n");
}

#[test]
fn a_corrupt_part_is_an_error() {
    let world = world();
    let part = world
        .dataset
        .root()
        .join(&world.dataset.manifest().labels[0].file);
    std::fs::write(part.as_local().unwrap(), b"PAR1 nonsense PAR1").unwrap();
    let message = error(&world.session(), "SELECT source FROM labels").to_string();
    assert!(message.starts_with("the query failed: "), "{message}");
}

#[test]
fn sorts_spill_and_what_does_not_fit_is_an_error() {
    let world = empty();
    let session = SqlSession::open(&world.dataset, options(16 << 20)).unwrap();
    let sql = "SELECT sum(x) AS n FROM (SELECT value % 1000 AS x, repeat('y', 100) AS y
               FROM generate_series(1, 300000) ORDER BY y, value)";
    assert_eq!(csv(&session, sql), "n\n149850000\n");
    let sql = "SELECT length(string_agg(repeat('y', 100), '')) FROM generate_series(1, 300000)";
    let error = error(&session, sql);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("--memory")),
        "{error}"
    );
}

#[test]
fn an_answer_outlives_its_session_and_can_be_dropped_early() {
    let World { folder, dataset } = world();
    let session = SqlSession::open(&dataset, options(1 << 30)).unwrap();
    let mut endless = session
        .query("SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
        .unwrap();
    let images = session.query("SELECT data FROM images").unwrap();
    drop((dataset, session));
    assert!(endless.next().unwrap().unwrap().num_rows() > 0);
    drop(endless);
    assert_eq!(
        images.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        5
    );
    drop(folder);
}
