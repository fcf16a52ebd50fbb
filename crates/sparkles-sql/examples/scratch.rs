use sparkles_data::*;
use sparkles_sql::*;
use std::io::Cursor;
fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args.next().unwrap();
    let out = args.next().unwrap();
    let stores = Stores::new().unwrap();
    let root = Location::local(&out).unwrap();
    if !std::path::Path::new(&out).join("dataset.json").exists() {
        let mut b = DatasetBuilder::create(&stores, &root).unwrap();
        let mut rows = vec![];
        for e in std::fs::read_dir(format!("{dir}/photos")).unwrap() {
            let p = e.unwrap().path();
            if p.is_dir() {
                continue;
            }
            let bytes = std::fs::read(&p).unwrap();
            let Ok(h) = sparkles_vision::read_header(Cursor::new(&bytes)) else {
                eprintln!("skip {p:?}");
                continue;
            };
            let (width, height) = h.upright_size();
            rows.push(Sample {
                sample_id: p.file_stem().unwrap().to_str().unwrap().into(),
                location: p.to_str().unwrap().into(),
                bytes: bytes.len() as u64,
                format: h.format.name().into(),
                height,
                width,
                channels: h.channels,
                orientation: h.orientation.exif(),
                ..Sample::default()
            });
        }
        rows.sort_by(|a, b| a.sample_id.cmp(&b.sample_id));
        b.write_samples(&rows).unwrap();
        let labels: Vec<Label> = std::fs::read_to_string(format!("{dir}/labels.csv"))
            .unwrap_or_default()
            .lines()
            .skip(1)
            .map(|l| {
                let f: Vec<&str> = l.split(',').collect();
                Label {
                    sample_id: f[0].into(),
                    source: f[1].into(),
                    label_name: f[2].into(),
                    confidence: f[3].parse().unwrap(),
                }
            })
            .collect();
        b.write_labels(&labels).unwrap();
        b.commit().unwrap();
    }
    let d = Dataset::open(&stores, &root).unwrap();
    let s = SqlSession::open(
        &d,
        SqlOptions {
            memory_bytes: 256 << 20,
            threads: 2,
            ..SqlOptions::default()
        },
    )
    .unwrap();
    for q in args {
        let (f, q) = q.split_once(':').unwrap();
        let t = std::time::Instant::now();
        match s
            .query(q)
            .and_then(|r| write(r, f.parse()?, &mut std::io::stdout()))
        {
            Ok(n) => eprintln!("-- {n} rows, {:?}", t.elapsed()),
            Err(e) => eprintln!("error: {e}\nhint: {:?}", e.hint()),
        }
    }
    for l in std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .filter(|l| l.starts_with("VmHWM"))
    {
        eprintln!("{l}")
    }
}
