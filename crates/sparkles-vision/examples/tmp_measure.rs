//! tmp
#![allow(clippy::unwrap_used)]
use sparkles_vision::*;
fn status(key: &str) -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = s.lines().find(|l| l.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let engine: Engine = args[1].parse().unwrap();
    let bytes = std::fs::read(&args[2]).unwrap();
    let say = |what: &str| println!("{what}: rss {} peak {}", status("VmRSS"), status("VmHWM"));
    say("read");
    let b = Backbone::with_engine(bytes, engine).unwrap();
    say("loaded");
    let n = 3 * b.card().height as usize * b.card().width as usize;
    let t = vec![0.1f32; n];
    let mut s1 = b.session().unwrap();
    s1.features(&t).unwrap();
    say("one session");
    let mut s2 = b.session().unwrap();
    s2.features(&t).unwrap();
    say("two sessions");
    println!("shared {} session {} MiB", b.weight_bytes() >> 20, s1.memory_bytes() >> 20);
    let start = std::time::Instant::now();
    let k: u32 = args[3].parse().unwrap();
    for _ in 0..k { s1.features(&t).unwrap(); }
    println!("{:?} an image", start.elapsed() / k);
}
