//! The memory that an engine takes for the values of a graph.

use std::collections::HashMap;

use super::{Shapes, bytes, last_uses};
use crate::onnx::proto::Graph;

/// Buffers smaller than this are not kept (rten 0.27, `buffer_pool.rs`).
const LEAST_KEPT: u64 = 128;

/// Buffers as rten's pool keeps them: one that is free serves the next value that
/// it is large enough for, the smallest such first, and none is given back before
/// the run ends.
#[derive(Debug, Default)]
struct Buffers {
    free: Vec<u64>,
    held: u64,
}

impl Buffers {
    /// The bytes of a buffer for a value.
    fn take(&mut self, bytes: u64) -> u64 {
        let fits = self.free.iter().enumerate();
        let fits = fits.filter(|(_, buffer)| **buffer >= bytes);
        match fits.min_by_key(|(_, buffer)| **buffer) {
            Some((at, _)) if bytes >= LEAST_KEPT => self.free.swap_remove(at),
            _ => {
                self.held = self.held.saturating_add(bytes);
                bytes
            }
        }
    }
}

/// Bytes at the peak of a run, from the input to the last output.
///
/// Nodes run in the order of the file, each with buffers of its own for its
/// outputs, though engines overwrite inputs that nobody needs any more, and join
/// nodes. Values that are made of constants alone are made when the graph is
/// loaded, and count as weights.
pub(super) fn activation_bytes(graph: &Graph, shapes: &Shapes<'_>) -> u64 {
    let last = last_uses(graph);
    let mut buffers = Buffers::default();
    let mut of_value: HashMap<&str, u64> = HashMap::new();
    for input in &graph.input {
        let name = input.name.as_str();
        if shapes.values.contains_key(name) && !shapes.constant.contains(name) {
            of_value.insert(name, buffers.take(shapes.bytes(name)));
        }
    }
    for (at, node) in graph.node.iter().enumerate() {
        let outputs = node.output.iter().map(String::as_str);
        let outputs = outputs.filter(|name| !name.is_empty() && !shapes.constant.contains(name));
        let scratch = shapes.scratch.get(&at).copied().map(bytes);
        let scratch = scratch.map(|scratch| buffers.take(scratch));
        for output in outputs {
            of_value.insert(output, buffers.take(shapes.bytes(output)));
        }
        buffers.free.extend(scratch);
        let names = node.input.iter().chain(&node.output).map(String::as_str);
        for name in names {
            if last.get(name).is_none_or(|last| *last <= at)
                && let Some(buffer) = of_value.remove(name)
            {
                buffers.free.push(buffer);
            }
        }
    }
    buffers.held
}
